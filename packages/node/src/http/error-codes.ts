import { Code, ConnectError } from "@connectrpc/connect";
import { LatchkeyError } from "@latchkey/mls";
import { NodeError, type NodeErrorCode } from "../errors.ts";
import { sendJson, type HttpRequest, type HttpResponse } from "./exchange.ts";

/** How each error is told to clients: the status of RPCs and the status of plain HTTP. */
const STATUS: Record<NodeErrorCode, { readonly rpc: Code; readonly http: number }> = {
  REQUEST_INVALID: { rpc: Code.InvalidArgument, http: 400 },
  REQUEST_TOO_LARGE: { rpc: Code.InvalidArgument, http: 413 },
  BLOB_EXPIRED: { rpc: Code.InvalidArgument, http: 400 },
  METHOD_NOT_ALLOWED: { rpc: Code.Unimplemented, http: 405 },
  NOT_FOUND: { rpc: Code.NotFound, http: 404 },
  RATE_LIMITED: { rpc: Code.ResourceExhausted, http: 429 },
  NODE_BUSY: { rpc: Code.Unavailable, http: 503 },
  SLOT_FORBIDDEN: { rpc: Code.PermissionDenied, http: 403 },
  SLOTS_FULL: { rpc: Code.Unavailable, http: 507 },
  IDENTITY_LOG_FULL: { rpc: Code.FailedPrecondition, http: 409 },
  IDENTITY_CONFLICT: { rpc: Code.Aborted, http: 409 },
  ARGUMENT_INVALID: { rpc: Code.Internal, http: 500 },
  STORE_VERSION: { rpc: Code.Internal, http: 500 },
  STORE_LOCKED: { rpc: Code.Internal, http: 500 },
  STORE_FULL: { rpc: Code.Unavailable, http: 507 },
  STORE_DAMAGED: { rpc: Code.Internal, http: 500 },
  STORE_FAILED: { rpc: Code.Internal, http: 500 },
};

/** A store that says when to come again is away for a moment, as the whole node would be. */
function statusOf({ code, retryAfterMs }: NodeError): (typeof STATUS)[NodeErrorCode] {
  return code === "STORE_FAILED" && retryAfterMs !== undefined ? STATUS.NODE_BUSY : STATUS[code];
}

/** Header of error answers that carries `LatchkeyError.code`, finer than the status. */
export const ERROR_HEADER = "x-latchkey-error";

/** Seconds for `Retry-After`, at least 1. */
function retryAfterSeconds(error: LatchkeyError): string | undefined {
  return error.retryAfterMs === undefined ? undefined : String(Math.max(1, Math.ceil(error.retryAfterMs / 1_000)));
}

/**
 * What a client is told about a failed RPC. Errors of the protocol packages mean that the client sent something
 * illegal; anything unknown is INTERNAL without a word about its cause.
 */
export function toConnectError(error: unknown): ConnectError {
  if (error instanceof ConnectError) return error;
  if (!(error instanceof LatchkeyError)) return new ConnectError("internal error", Code.Internal);
  const code = error instanceof NodeError ? statusOf(error).rpc : Code.InvalidArgument;
  const metadata = new Headers({ [ERROR_HEADER]: error.code });
  const retryAfter = retryAfterSeconds(error);
  if (retryAfter !== undefined) metadata.set("retry-after", retryAfter);
  return new ConnectError(error.message, code, metadata);
}

/** The answer of plain HTTP to a request that fails. */
export interface HttpError {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: { readonly code: string; readonly message: string };
}

/** What a client is told about a failed plain HTTP request. */
export function toHttpError(error: unknown): HttpError {
  if (!(error instanceof NodeError)) {
    return { status: 500, headers: {}, body: { code: "INTERNAL", message: "internal error" } };
  }
  const retryAfter = retryAfterSeconds(error);
  const headers = { [ERROR_HEADER]: error.code, ...(retryAfter === undefined ? {} : { "retry-after": retryAfter }) };
  return { status: statusOf(error).http, headers, body: { code: error.code, message: error.message } };
}

/** Answers a request that fails. */
export function sendHttpError(request: HttpRequest, response: HttpResponse, error: HttpError): void {
  for (const [name, value] of Object.entries(error.headers)) response.setHeader(name, value);
  sendJson(request, response, error.status, error.body);
}
