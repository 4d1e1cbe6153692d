import type { IncomingMessage } from "node:http";
import { constants, type Http2ServerRequest } from "node:http2";
import type { universalResponseToNodeResponse } from "@connectrpc/connect-node";
import type { Lease } from "../quota.ts";

/** Who sends a request, and the request's place among those that are running. */
export interface Caller {
  /** Key of the client's address. */
  readonly peer: string;
  readonly running: Lease;
}

/** A request of either HTTP version. */
export type HttpRequest = IncomingMessage | Http2ServerRequest;

/** An answer of either HTTP version. */
export type HttpResponse = Parameters<typeof universalResponseToNodeResponse>[1];

/** Answers with JSON, without a body when the request was a HEAD. */
export function sendJson(request: HttpRequest, response: HttpResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" });
  if (request.method === "HEAD") response.end();
  else response.end(JSON.stringify(body));
}

/** Ends a request that takes too long or too much, without further answer. */
export function abortRequest(request: HttpRequest): void {
  if (!("stream" in request)) request.destroy();
  // With NO_ERROR the stream would wait until the rest of the answer was taken.
  else request.stream.close(request.stream.writableFinished ? constants.NGHTTP2_NO_ERROR : constants.NGHTTP2_CANCEL);
}

/** Whether the client has taken back a request, or has gone. */
export function isGone(request: HttpRequest): boolean {
  return "stream" in request ? request.stream.closed || request.stream.destroyed : request.destroyed;
}

/** Gives up an answer that is not taken in time. */
export function boundTime(request: HttpRequest, response: HttpResponse, ms: number): void {
  const timer = setTimeout(abortRequest, ms, request);
  response.once("close", () => clearTimeout(timer));
}

/** Writes a part of an answer and resolves when the client's system has taken it; rejects when the client has gone. */
export async function written(response: HttpResponse, part: Uint8Array, gone: AbortSignal): Promise<void> {
  gone.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<undefined>();
  const stop = (): void => reject(gone.reason as Error);
  gone.addEventListener("abort", stop);
  response.write(part, () => resolve(undefined));
  await promise.finally(() => gone.removeEventListener("abort", stop));
}
