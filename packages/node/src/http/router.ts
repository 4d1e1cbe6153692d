import { cors } from "@connectrpc/connect";
import { IDENTITY_AS_OF_HEADER } from "@latchkey/xmtp";
import { addressKey, forwardedAddress } from "../address.ts";
import { NodeError } from "../errors.ts";
import type { NodeRuntime } from "../services/runtime.ts";
import { ERROR_HEADER, sendHttpError, toHttpError } from "./error-codes.ts";
import { abortRequest, sendJson, type Caller, type HttpRequest, type HttpResponse } from "./exchange.ts";
import { reportError, type Outcome } from "./report.ts";
import { sendMetrics } from "./metrics-server.ts";
import { readTarget } from "./paths.ts";
import type { RpcHandler } from "./rpc.ts";
import { CANDIDATES_HEADER, SERVED_UNTIL_HEADER, SLOTS_PATH, WAITING_HEADER, type SlotsHandler } from "./slots-api.ts";
import { NEXT_CREDENTIAL_HEADER } from "./slot-writer.ts";
import type { PageHandler } from "../page/page-handler.ts";

/** Where a service states what it is; see "Where links lead" in `docs/invite-slots.md`. */
const WELL_KNOWN_PATH = "/.well-known/latchkey";
const METRICS_PATH = "/metrics";
/** Versions of the slots' API. */
const SLOT_VERSIONS = [1];

/** What the service states of itself. */
export interface ServiceStatement {
  /** Whether a page that opens invites is served at `/i` of this origin. */
  readonly page: boolean;
  /** Address of the delivery node for those who come from outside; undefined where it is not told. */
  readonly publicUrl: string | undefined;
}

/** What requests are given to. */
export interface RouterOptions {
  readonly runtime: NodeRuntime;
  readonly rpc: ReadonlyMap<string, RpcHandler>;
  readonly slots: SlotsHandler;
  /** Count clients by the last address in `X-Forwarded-For`, which the proxy in front of the node has added. */
  readonly trustForwardedFor: boolean;
  /** False when metrics have a listener of their own. */
  readonly servesMetrics: boolean;
  readonly statement: ServiceStatement;
  /** The page, where this node serves it. */
  readonly page: PageHandler | undefined;
  /** Once aborted, connections of HTTP/1.1 are closed behind their answer. */
  readonly stopping: AbortSignal;
}

/** Requests that pages of other origins have no business with. */
const OWN_ORIGIN: ReadonlySet<string> = new Set(["healthz", "metrics", "page"]);

const PREFLIGHT_HEADERS = {
  "access-control-allow-methods": "GET, HEAD, POST, PUT",
  "access-control-allow-headers": [
    ...cors.allowedHeaders,
    "x-libxmtp-version",
    "x-app-version",
    "if-none-match",
    "authorization",
    NEXT_CREDENTIAL_HEADER,
  ].join(", "),
  "access-control-max-age": "7200",
};

const EXPOSED_HEADERS = [
  ...cors.exposedHeaders,
  CANDIDATES_HEADER,
  WAITING_HEADER,
  SERVED_UNTIL_HEADER,
  ERROR_HEADER,
  IDENTITY_AS_OF_HEADER,
  "etag",
  "retry-after",
].join(", ");

/** Handles every request of both HTTP versions, and knows when none is running. */
export class Router {
  readonly #options: RouterOptions;
  #running = 0;
  #idle = Promise.withResolvers<undefined>();

  constructor(options: RouterOptions) {
    this.#options = options;
    this.#idle.resolve(undefined);
  }

  /** Resolves when no request is running. */
  async idle(): Promise<void> {
    while (this.#running > 0) await this.#idle.promise;
  }

  /** Listener of both servers. */
  readonly handle = (request: HttpRequest, response: HttpResponse): void => {
    const startedMs = performance.now();
    if (this.#running++ === 0) this.#idle = Promise.withResolvers();
    const closed = new Promise((resolve) => response.once("close", resolve));
    this.#guardArrival(request, response);
    void this.#answer(request, response)
      .then(async (outcome) => {
        await closed;
        this.#record(outcome, performance.now() - startedMs);
      })
      .catch((error: unknown) => this.#options.runtime.logger.error({ err: error }, "an answer could not be given"))
      .finally(() => {
        if (--this.#running === 0) this.#idle.resolve(undefined);
      });
  };

  /** Bounds the time in which a request must have arrived, and in which an unread rest is thrown away. */
  #guardArrival(request: HttpRequest, response: HttpResponse): void {
    const { receiveMs, lingerMs } = this.#options.runtime.limits;
    let timer = setTimeout(abortRequest, receiveMs, request);
    const done = (): void => clearTimeout(timer);
    request.once("end", done);
    request.once("close", done);
    // An answer of HTTP/2 only emits "finish" once its stream is closed, which an unread request prevents.
    const sent = "stream" in request ? request.stream : response;
    sent.once("finish", () => {
      if (request.readableEnded) return;
      // Closing at once would make the client's system drop the answer unread.
      clearTimeout(timer);
      request.resume();
      timer = setTimeout(abortRequest, lingerMs, request);
    });
  }

  #record({ method, code, isStream }: Outcome, ms: number): void {
    const { metrics, logger } = this.#options.runtime;
    metrics.requests.inc({ method, code });
    if (isStream !== true) metrics.requestSeconds.observe({ method }, ms / 1_000);
    logger.debug({ method, code, ms: Math.round(ms) }, "request");
  }

  async #answer(request: HttpRequest, response: HttpResponse): Promise<Outcome> {
    let method = "other";
    try {
      const url = parseUrl(request);
      method = methodName(url.pathname, request);
      if (method === "other" && this.#options.page?.has(url.pathname) === true) method = "page";
      if (this.#options.stopping.aborted && request.httpVersionMajor === 1) response.setHeader("connection", "close");
      if (!OWN_ORIGIN.has(method)) this.#allowBrowsers(response);
      if (request.method === "OPTIONS") {
        response.writeHead(204, PREFLIGHT_HEADERS);
        response.end();
        return { method: "preflight", code: "204" };
      }
      const rpc = this.#options.rpc.get(url.pathname);
      if (rpc !== undefined) return await rpc(request, response, this.#admit(request, response));
      await this.#answerHttp(method, request, response, url);
      return { method, code: String(response.statusCode) };
    } catch (error) {
      return { method, code: String(this.#fail(method, error, request, response)) };
    }
  }

  async #answerHttp(method: string, request: HttpRequest, response: HttpResponse, url: URL): Promise<void> {
    const { runtime, slots, servesMetrics } = this.#options;
    if (method.startsWith("slots")) {
      await slots(request, response, url, this.#admit(request, response));
      return;
    }
    if (method === "other") throw new NodeError("NOT_FOUND", "there is nothing here");
    if (method === "page" && this.#options.page?.takes(url.pathname, request) === true) {
      this.#options.page.send(url.pathname, request, response);
      return;
    }
    if (request.method !== "GET" && request.method !== "HEAD") {
      throw new NodeError("METHOD_NOT_ALLOWED", "this understands GET and HEAD");
    }
    if (method === "metrics") {
      if (!servesMetrics) throw new NodeError("NOT_FOUND", "there is nothing here");
      await sendMetrics(runtime.metrics, response);
      return;
    }
    if (method === "well-known") {
      const { page, publicUrl: node } = this.#options.statement;
      response.setHeader("cache-control", "max-age=300");
      sendJson(request, response, 200, { page, ...(node === undefined ? {} : { node }), versions: SLOT_VERSIONS });
      return;
    }
    await runtime.store.check();
    sendJson(request, response, 200, { status: "ok", ...clockReport(runtime) });
  }

  #fail(method: string, error: unknown, request: HttpRequest, response: HttpResponse): number {
    reportError(this.#options.runtime, method, error);
    if (response.headersSent) {
      abortRequest(request);
      return response.statusCode;
    }
    const httpError = toHttpError(error);
    sendHttpError(request, response, httpError);
    return httpError.status;
  }

  #allowBrowsers(response: HttpResponse): void {
    response.setHeader("access-control-allow-origin", "*");
    response.setHeader("access-control-expose-headers", EXPOSED_HEADERS);
  }

  /** Gives the request its place among those that are running; throws NodeError `NODE_BUSY`, `RATE_LIMITED`. */
  #admit(request: HttpRequest, response: HttpResponse): Caller {
    const peer = this.peerOf(request);
    const running = this.#options.runtime.quotas.requests.lease(peer, () => abortRequest(request));
    response.once("close", () => running.end());
    running.add(1);
    return { peer, running };
  }

  /** The key by which the client of a request is counted. */
  readonly peerOf = (request: HttpRequest): string => {
    const forwarded = this.#options.trustForwardedFor ? request.headers["x-forwarded-for"] : undefined;
    const address = forwarded === undefined ? undefined : forwardedAddress(String(forwarded));
    return addressKey(address ?? request.socket.remoteAddress ?? "");
  };
}

/** By how many milliseconds the stamps are ahead of the wall clock, from one second on. */
function clockReport({ clockOffsetNs }: NodeRuntime): { readonly clockOffsetMs?: number } {
  const clockOffsetMs = Number((clockOffsetNs?.() ?? 0n) / 1_000_000n);
  return Math.abs(clockOffsetMs) < 1_000 ? {} : { clockOffsetMs };
}

/**
 * Where the request goes. Metrics are the operator's, who may keep the path from others in front of the node: they have one
 * spelling only. Throws `NOT_FOUND`.
 */
function parseUrl(request: HttpRequest): URL {
  const target = readTarget(request.url ?? "");
  const url = target && URL.parse(`http://node.invalid${target.path}?${target.query}`);
  const isHidden = url?.pathname === METRICS_PATH && request.url?.split("?", 1).join("") !== METRICS_PATH;
  if (!url || isHidden) throw new NodeError("NOT_FOUND", "there is nothing here");
  return url;
}

/** Name of a request in metrics and logs: never a path, which may hold the id of a slot. */
function methodName(path: string, request: HttpRequest): string {
  if (path === "/healthz" || path === METRICS_PATH) return path.slice(1);
  if (path === WELL_KNOWN_PATH) return "well-known";
  if (!`${path}/`.startsWith(SLOTS_PATH)) return "other"; // Without an id the path ends before the slash.
  switch (request.method) {
    case "PUT":
      return "slots.put";
    case "GET":
      return "slots.get";
    case "HEAD":
      return "slots.head";
    default:
      return "slots.other";
  }
}
