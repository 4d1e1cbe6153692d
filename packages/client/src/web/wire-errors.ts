import { LatchkeyError } from "@latchkey/mls";
import { ClientError, ERRORS, asLatchkeyError, type ErrorCode } from "../errors.ts";
import type { WireError } from "./protocol.ts";

/** Facts that a message can carry: no functions, no errors. */
function plain(data: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const kinds = new Set(["string", "number", "bigint", "boolean"]);
  return Object.fromEntries(Object.entries(data).filter(([, value]) => kinds.has(typeof value)));
}

/** An error as a message to the page; what is no error of the family is a DEFECT. */
export function toWire(error: unknown): WireError {
  const { code, message, data, retryable } = asLatchkeyError(error);
  return { code: code as ErrorCode, message, data: plain(data), retryable };
}

/** The error that a message carries. */
export function fromWire({ code, message, data, retryable }: WireError): LatchkeyError {
  if (code !== undefined && Object.hasOwn(ERRORS, code)) {
    return new ClientError(code, message, { data, retryable, scope: ERRORS[code].scope });
  }
  return new LatchkeyError(code ?? "DEFECT", message, { data, retryable, scope: "message" });
}
