import assert from "node:assert/strict";
import { test } from "node:test";
import { ERRORS, LatchkeyError } from "@latchkey/client";
import { cliError, EXIT, exitOf } from "./errors.ts";

function statusOf(error: unknown, aborted = false): number {
  return EXIT[exitOf(error, aborted)].status;
}

test("exit status 2 for errors that ask for another command line", () => {
  for (const code of ["USAGE", "NOT_INITIALISED", "GROUP_UNKNOWN", "FILE_UNREADABLE", "KEY_FILE_INVALID"] as const) {
    assert.equal(statusOf(cliError(code, "…")), 2, code);
  }
});

test("exit status 3 for what will never work, 4 for what may work later, as the error itself says", () => {
  assert.equal(statusOf(new LatchkeyError("INVITE_EXPIRED", "…")), 3);
  assert.equal(statusOf(new LatchkeyError("STORE_VERSION", "…")), 3);
  assert.equal(statusOf(new LatchkeyError("JOIN_LOST", "…", { retryable: true })), 4);
  assert.equal(statusOf(new LatchkeyError("RATE_LIMITED", "…", { retryable: true })), 4);
  for (const code of ["STORE_FULL", "NODE_UNREACHABLE", "INVITE_UNKNOWN_SLOT"] as const) {
    assert.equal(statusOf(new LatchkeyError(code, "…", { retryable: ERRORS[code].retryable })), 4, code);
  }
});

test("exit status 130 when the user stopped it, 1 for everything unforeseen", () => {
  assert.equal(statusOf(new LatchkeyError("JOIN_ABORTED", "…")), 130);
  assert.equal(statusOf(new Error("stopped"), true), 130);
  assert.equal(statusOf(new TypeError("oops")), 1);
  assert.equal(statusOf(new LatchkeyError("MLS_STATE", "…")), 1);
});

test("an error that came before Ctrl-C keeps its own status", () => {
  assert.equal(statusOf(new LatchkeyError("INVITE_EXPIRED", "…"), true), 3);
});
