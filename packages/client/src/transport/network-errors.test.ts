import assert from "node:assert/strict";
import { test } from "node:test";
import { Code, ConnectError } from "@connectrpc/connect";
import { LatchkeyError } from "@latchkey/mls";
import { networkError, retryAfterMs } from "./network-errors.ts";

function codeFor(code: Code): unknown {
  const error = networkError(new ConnectError("x", code), "Call", undefined);
  return error instanceof LatchkeyError ? [error.code, error.retryable] : error;
}

test("REV-07 statuses that refuse are NODE_REJECTED; all others leave the outcome open: NODE_UNREACHABLE", () => {
  const refusals = [Code.InvalidArgument, Code.PermissionDenied, Code.Unimplemented, Code.FailedPrecondition];
  for (const code of refusals) assert.deepEqual(codeFor(code), ["NODE_REJECTED", false]);
  const open = [Code.Unavailable, Code.DeadlineExceeded, Code.Internal, Code.Unknown, Code.Canceled, Code.Aborted];
  for (const code of open) assert.deepEqual(codeFor(code), ["NODE_UNREACHABLE", true]);
});

test("REV-07 a rate limit tells how long to wait", () => {
  const limited = new ConnectError("slow down", Code.ResourceExhausted, { "retry-after": "7" });
  const error = networkError(limited, "Call", undefined);
  assert.ok(error instanceof LatchkeyError);
  assert.deepEqual([error.code, error.retryAfterMs], ["RATE_LIMITED", 7_000]);
  const headers = { "retry-after": "4", "x-latchkey-error": "NODE_BUSY" };
  const busy = networkError(new ConnectError("later", Code.Unavailable, headers), "Call", undefined);
  assert.ok(busy instanceof LatchkeyError);
  assert.deepEqual([busy.code, busy.retryAfterMs, busy.data["nodeCode"]], ["NODE_UNREACHABLE", 4_000, "NODE_BUSY"]);
  assert.deepEqual(
    [null, "soon", "-1", "99999999"].map((header) => retryAfterMs(header)),
    [1_000, 1_000, 1_000, 3_600_000],
  );
});

test("an aborted call throws the reason of its signal, an error of the family passes as it is", () => {
  const reason = new Error("stopped");
  assert.equal(networkError(new Error("socket"), "Call", AbortSignal.abort(reason)), reason);
  const known = new LatchkeyError("CLIENT_CLOSED", "closed");
  assert.equal(networkError(known, "Call", undefined), known);
});
