import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { LatchkeyError, StateError } from "@latchkey/mls";
import { IDENTITY_RULES } from "@latchkey/xmtp";
import {
  clientError,
  codeOf,
  ERRORS,
  isRetryable,
  scopeOf,
  unlessRefused,
  verdictOf,
  type ErrorCode,
} from "./errors.ts";

const page = readFileSync(new URL("../../../docs/errors.md", import.meta.url), "utf8");

/** The cells of the table row that begins with a code. */
function row(code: string): string[] {
  const line = page.split("\n").find((text) => text.startsWith(`| \`${code}\` `));
  return (line ?? "").split(/(?<!\\)\|/).map((cell) => cell.trim());
}

test("REV-07 docs/errors.md says of every code what the code says", () => {
  for (const [code, { meaning, action, retryable, scope }] of Object.entries(ERRORS)) {
    assert.deepEqual(row(code).slice(2, 6), [meaning, action, retryable ? "yes" : "no", scope], code);
  }
  for (const [code, rule] of Object.entries(IDENTITY_RULES)) assert.equal(row(code)[2], `\`${rule}\``, code);
});

test("REV-07 an error is retryable and has the scope that its code says, unless the place that throws knows better", () => {
  for (const [code, { retryable, scope }] of Object.entries(ERRORS)) {
    const error = clientError(code as ErrorCode, "text");
    assert.ok(error instanceof LatchkeyError);
    assert.equal(isRetryable(error), retryable);
    assert.equal(codeOf(error), code);
    assert.equal(error.scope, scope);
  }
  assert.equal(clientError("STORE_FAILED", "text", { retryable: true }).retryable, true);
  assert.equal(clientError("NODE_REJECTED", "text", { scope: "message" }).scope, "message");
  assert.equal(isRetryable(new Error("other")), false);
  assert.equal(codeOf("other"), undefined);
});

test("REV-07 a check that fails says that bytes are no good, a node that is down does not", async () => {
  assert.equal(await unlessRefused(Promise.resolve("good")), "good");
  const refused: Promise<string> = Promise.reject(clientError("INVITE_MALFORMED", "text"));
  assert.equal(await unlessRefused(refused), undefined);
  const defect: Promise<string> = Promise.reject(new TypeError("a defect"));
  assert.equal(await unlessRefused(defect), undefined);
  const down: Promise<string> = Promise.reject(clientError("NODE_UNREACHABLE", "text"));
  await assert.rejects(unlessRefused(down), { code: "NODE_UNREACHABLE" });
});

test("what stops a log is told by where an error arose: no verdict is passed on what an abort or a defect interrupted", () => {
  const refused = clientError("NODE_REJECTED", "made of others' bytes", { scope: "message" });
  const undecided: readonly [unknown, string][] = [
    [clientError("NODE_REJECTED", "text"), "availability"],
    [clientError("STORE_FULL", "text"), "availability"],
    [new DOMException("stopped", "AbortError"), "availability"],
    [new StateError("text"), "defect"],
    [new TypeError("text"), "defect"],
    ["text", "defect"],
  ];
  for (const [error, scope] of undecided) {
    assert.equal(scopeOf(error), scope);
    assert.throws(
      () => verdictOf(error),
      (thrown) => thrown === error,
    );
  }
  assert.equal(verdictOf(refused), refused);
  assert.equal(scopeOf(refused, AbortSignal.abort()), "availability");
  assert.throws(() => verdictOf(refused, AbortSignal.abort()), { code: "NODE_REJECTED" });
});
