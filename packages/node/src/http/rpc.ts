import type { OutgoingHttpHeaders } from "node:http";
import {
  Code,
  ConnectError,
  createConnectRouter,
  createContextKey,
  createContextValues,
  type ConnectRouter,
  type Interceptor,
} from "@connectrpc/connect";
import { compressionGzip } from "@connectrpc/connect-node";
import type { UniversalHandler, UniversalServerResponse } from "@connectrpc/connect/protocol";
import { invalidRequest, NodeError } from "../errors.ts";
import { requestBounds, SMALL_REQUEST, type RequestBounds } from "../limits.ts";
import type { Lease } from "../quota.ts";
import type { RateLimiter } from "../rate-limiter.ts";
import { ANSWER, FORMAT, PEER, type NodeRuntime } from "../services/runtime.ts";
import { toConnectError } from "./error-codes.ts";
import { abortRequest, boundTime, written, type Caller, type HttpRequest, type HttpResponse } from "./exchange.ts";
import { reportError, type Outcome } from "./report.ts";
import { readMessage, takePacking } from "./request-body.ts";
import { Turns } from "./turns.ts";

/** What the RPC endpoint needs beside the services. */
export interface RpcOptions {
  readonly runtime: NodeRuntime;
  readonly routes: (router: ConnectRouter) => void;
  readonly limiter: RateLimiter;
  /** Aborted with a ConnectError when the node stops: ends the streams. */
  readonly stopping: AbortSignal;
}

/** One RPC: its path is known. Resolves when the answer was written or given up. */
export type RpcHandler = (request: HttpRequest, response: HttpResponse, caller: Caller) => Promise<Outcome>;

/** Set as soon as the request was understood. */
const OUTCOME = createContextKey({ code: "" });

function codeName(code: Code): string {
  return Code[code].replaceAll(/(?<!^)[A-Z]/g, (letter) => `_${letter}`).toLowerCase();
}

/** Translates errors and notes the outcome, of calls and of streams. */
function outcomeInterceptor(runtime: NodeRuntime): Interceptor {
  return (next) => async (request) => {
    const outcome = request.contextValues.get(OUTCOME);
    const failed = (error: unknown): ConnectError => {
      const translated = toConnectError(error);
      outcome.code = codeName(translated.code);
      reportError(runtime, request.method.name, error);
      return translated;
    };
    async function* observed<T>(messages: AsyncIterable<T>): AsyncGenerator<T> {
      try {
        yield* messages;
      } catch (error) {
        throw failed(error);
      }
    }
    try {
      outcome.code = "ok";
      const response = await next(request);
      return response.stream ? { ...response, message: observed(response.message) } : response;
    } catch (error) {
      throw failed(error);
    }
  };
}

/** The handlers of all RPCs by path, for gRPC, gRPC-web and Connect. */
export function createRpcHandlers(options: RpcOptions): ReadonlyMap<string, RpcHandler> {
  const { runtime, routes, limiter, stopping } = options;
  const { rpcMessageBytes } = runtime.limits;
  const router = createConnectRouter({
    acceptCompression: [compressionGzip],
    interceptors: [outcomeInterceptor(runtime)],
    readMaxBytes: rpcMessageBytes,
    writeMaxBytes: rpcMessageBytes,
    requestGate: ({ values }) => {
      const retryAfterMs = limiter.take(values.get(PEER));
      if (retryAfterMs === 0) return;
      runtime.metrics.rateLimited.inc({ scope: "rpc" });
      values.get(OUTCOME).code = codeName(Code.ResourceExhausted);
      const text = "this address sends requests faster than the node allows; slow down";
      throw toConnectError(new NodeError("RATE_LIMITED", text, { retryable: true, retryAfterMs }));
    },
  });
  routes(router);
  const bounds = requestBounds(runtime.limits);
  // A listener of each request on one signal would be looked for among those of all the others.
  const open = new Set<AbortController>();
  const decoding = new Turns(runtime.limits.requestsPerAddress, 1);
  stopping.addEventListener("abort", () => open.forEach((ending) => ending.abort(stopping.reason)));
  return new Map(
    router.handlers.map((handler) => [
      handler.requestPath,
      rpcHandler(handler, bounds.get(handler.method.name) ?? SMALL_REQUEST, { ...options, open, decoding }),
    ]),
  );
}

interface HandlerOptions extends RpcOptions {
  /** Ends those that are running, when the node stops. */
  readonly open: Set<AbortController>;
  /** Turns of large messages: decoding one takes up to fifty milliseconds. */
  readonly decoding: Turns;
}

/** Why a request ends whose client has gone; nobody reads it. */
const GONE = new ConnectError("the client has gone", Code.Canceled);

function rpcHandler(
  handler: UniversalHandler,
  bounds: RequestBounds,
  { runtime, open, stopping, decoding }: HandlerOptions,
): RpcHandler {
  const { limits, quotas } = runtime;
  const { method } = handler;
  const isStream = method.methodKind === "server_streaming";
  return async (request, response, { peer, running }) => {
    const outcome = { code: "malformed" };
    const abort = (): void => abortRequest(request);
    const received = quotas.received.lease(peer, abort);
    const answer = quotas.answers.lease(peer, abort);
    const [gone, ending] = [new AbortController(), new AbortController()];
    open.add(ending);
    if (stopping.aborted) ending.abort(stopping.reason);
    // From the start: a response that was closed before it is written to takes nothing and says so to nobody.
    response.once("close", () => {
      open.delete(ending);
      received.end();
      answer.end();
      gone.abort(GONE);
      ending.abort(GONE);
    });
    const header = webHeaders(request);
    const packing = takePacking(header);
    const values = createContextValues().set(PEER, peer).set(OUTCOME, outcome);
    values.set(ANSWER, packing.json ? jsonLease(answer, limits.jsonAnswerBytes) : answer);
    values.set(FORMAT, packing.json ? "json" : "binary");
    const body = priced(async () => {
      const parts = await readMessage(request, packing, { method, bounds, limits, hold: received.add });
      received.shield(); // From here on it waits for the node, not for the client.
      running.shield();
      const size = parts.reduce((sum, part) => sum + part.length, 0);
      if (size > limits.smallBodyBytes) await turnOf(decoding, peer);
      return parts;
    });
    const early = isStream && startsStream(handler, request);
    if (early) {
      // Clients count a stream as open when they have its headers, which may be long before the first message.
      response.writeHead(200, { "content-type": request.headers["content-type"] });
      if ("flushHeaders" in response) response.flushHeaders();
    }
    const { httpVersion, method: verb = "" } = request;
    const url = `http://node.invalid${handler.requestPath}`;
    const asked = { httpVersion, method: verb, url, header, body, signal: ending.signal, contextValues: values };
    const universalAnswer = await handler(asked);
    if (early && universalAnswer.status !== 200) abortRequest(request);
    else if (isStream) await writeStream(universalAnswer, response, gone.signal);
    else if (!gone.signal.aborted) {
      boundTime(request, response, limits.answerMs);
      await writeWhole(universalAnswer, response, { answer, running });
    }
    return { method: method.name, code: outcome.code, isStream };
  };
}

/** What a host and its port may look like. */
const AUTHORITY = /^[\w.:[\]%~-]+$/;

function webHeaders(request: HttpRequest): Headers {
  const { ":authority": authority, host } = request.headers;
  if (!AUTHORITY.test(String(authority ?? host ?? ""))) {
    throw invalidRequest("the request names no host, or none that can be read");
  }
  const headers = new Headers();
  try {
    for (const [name, value = []] of Object.entries(request.headers)) {
      if (name.startsWith(":")) continue;
      for (const text of typeof value === "string" ? [value] : value) headers.append(name, text);
    }
  } catch {
    throw invalidRequest("the request has headers that cannot be read");
  }
  return headers;
}

function turnOf(turns: Turns, peer: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const begin = (): boolean => {
      resolve();
      return true;
    };
    if (turns.take(peer, begin)) return;
    const text = "too many large requests of this address wait to be read; try again";
    reject(new NodeError("RATE_LIMITED", text, { retryable: true, retryAfterMs: 1_000 }));
  });
}

/** The body as the decoder takes it, read when it asks: not before the rate limit has let the request pass. */
async function* priced(read: () => Promise<Uint8Array[]>): AsyncGenerator<Uint8Array> {
  let parts: Uint8Array[];
  try {
    parts = await read();
  } catch (error) {
    throw toConnectError(error);
  }
  yield* parts;
}

/** True when the handler will answer with status 200 and the content type of the request, whatever comes. */
function startsStream(handler: UniversalHandler, request: HttpRequest): boolean {
  const contentType = request.headers["content-type"] ?? "";
  return contentType !== "" && request.method === "POST" && handler.supportedContentType(contentType);
}

function nodeHeaders(headers: Headers | undefined): OutgoingHttpHeaders {
  return Object.fromEntries(headers ?? []);
}

/** Takes no envelope that is too large for an answer in JSON. */
function jsonLease(lease: Lease, limit: number): Lease {
  return {
    add(amount) {
      if (amount > limit) {
        const text = `the answer has an envelope of ${amount} bytes, in JSON the limit is ${limit}; ask in protobuf`;
        throw new NodeError("REQUEST_TOO_LARGE", text);
      }
      lease.add(amount);
    },
    give: (amount) => lease.give(amount),
    resize: (amount) => lease.resize(amount),
    end: () => lease.end(),
    shield: () => lease.shield(),
    expose: () => lease.expose(),
  };
}

/**
 * Writes an answer of one message. All of it is collected first, so that what made it holds no copies while the client
 * takes its time; the lease then holds what is written, until the response closes.
 */
async function writeWhole(
  answer: UniversalServerResponse,
  response: HttpResponse,
  leases: { readonly answer: Lease; readonly running: Lease },
): Promise<void> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of answer.body ?? []) chunks.push(chunk);
  leases.answer.resize(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  leases.running.expose();
  response.writeHead(answer.status, nodeHeaders(answer.header));
  for (const chunk of chunks) response.write(chunk);
  if (answer.trailer !== undefined) response.addTrailers(nodeHeaders(answer.trailer));
  response.end();
}

/** Writes a stream as fast as the client takes it: what is written was taken before more is made. */
async function writeStream(answer: UniversalServerResponse, response: HttpResponse, gone: AbortSignal): Promise<void> {
  try {
    for await (const chunk of answer.body ?? []) {
      if (!response.headersSent) response.writeHead(answer.status, nodeHeaders(answer.header));
      if (gone.aborted) return;
      await written(response, chunk, gone);
    }
    if (!response.headersSent) response.writeHead(answer.status, nodeHeaders(answer.header));
    if (answer.trailer !== undefined) response.addTrailers(nodeHeaders(answer.trailer));
    response.end();
  } catch (error) {
    if (!gone.aborted) throw error;
  }
}
