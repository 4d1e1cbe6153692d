import { LatchkeyError, type Check, type LatchkeyErrorOptions } from "@latchkey/mls";

/** Codes of the errors a node raises; how each is told to clients stands in `http/error-codes.ts`. */
export type NodeErrorCode =
  | "ARGUMENT_INVALID"
  | "REQUEST_INVALID"
  | "REQUEST_TOO_LARGE"
  | "RATE_LIMITED"
  | "NODE_BUSY"
  | "SLOTS_FULL"
  | "SLOT_FORBIDDEN"
  | "BLOB_EXPIRED"
  | "NOT_FOUND"
  | "METHOD_NOT_ALLOWED"
  | "IDENTITY_LOG_FULL"
  | "IDENTITY_CONFLICT"
  | "STORE_VERSION"
  | "STORE_LOCKED"
  | "STORE_FULL"
  | "STORE_DAMAGED"
  | "STORE_FAILED";

/** An error of the delivery node; `code` says which. */
export class NodeError extends LatchkeyError {
  declare readonly code: NodeErrorCode;

  constructor(code: NodeErrorCode, message: string, options: LatchkeyErrorOptions = {}) {
    super(code, message, options);
  }
}

/** The request breaks the API's rules (code `REQUEST_INVALID`): the same request never succeeds. */
export function invalidRequest(message: string): NodeError {
  return new NodeError("REQUEST_INVALID", message);
}

/** Throws `REQUEST_TOO_LARGE` when a list or a field of a request is beyond its bound. */
export function requireAtMost(what: string, actual: number, limit: number, unit = "bytes"): void {
  if (actual > limit) {
    throw new NodeError("REQUEST_TOO_LARGE", `${what}: ${actual} ${unit}, the limit is ${limit}; send less at once`);
  }
}

/** Applies the check of an argument of a public call; what it throws is an error of this package. */
export function checked<T>(requirement: Check<T>, value: unknown, name: string): T {
  try {
    return requirement(value, name);
  } catch (error) {
    if (!(error instanceof LatchkeyError)) throw error;
    throw new NodeError("ARGUMENT_INVALID", error.message, { scope: "caller", data: error.data, cause: error });
  }
}
