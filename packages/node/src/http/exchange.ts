import type { IncomingMessage } from "node:http";
import type { Http2ServerRequest } from "node:http2";
import type { universalResponseToNodeResponse } from "@connectrpc/connect-node";

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
  if ("stream" in request) request.stream.close();
  else request.destroy();
}
