import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { LatchkeyError } from "@latchkey/mls";
import { IDENTITY_RULES } from "@latchkey/xmtp";
import { clientError, codeOf, ERRORS, isRetryable, unlessRefused, type ErrorCode } from "./errors.ts";

const page = readFileSync(new URL("../../../docs/errors.md", import.meta.url), "utf8");

/** The cells of the table row that begins with a code. */
function row(code: string): string[] {
  const line = page.split("\n").find((text) => text.startsWith(`| \`${code}\` `));
  return (line ?? "").split(/(?<!\\)\|/).map((cell) => cell.trim());
}

test("REV-07 docs/errors.md says of every code what the code says", () => {
  for (const [code, { meaning, action, retryable }] of Object.entries(ERRORS)) {
    assert.deepEqual(row(code).slice(2, 5), [meaning, action, retryable ? "yes" : "no"], code);
  }
  for (const [code, rule] of Object.entries(IDENTITY_RULES)) assert.equal(row(code)[2], `\`${rule}\``, code);
});

test("REV-07 an error is retryable as its code says, unless the place that throws knows better", () => {
  for (const [code, { retryable }] of Object.entries(ERRORS)) {
    const error = clientError(code as ErrorCode, "text");
    assert.ok(error instanceof LatchkeyError);
    assert.equal(isRetryable(error), retryable);
    assert.equal(codeOf(error), code);
  }
  assert.equal(clientError("STORE_FAILED", "text", { retryable: true }).retryable, true);
  assert.equal(isRetryable(new Error("other")), false);
  assert.equal(codeOf("other"), undefined);
});

test("REV-07 a check that fails says that bytes are no good, a defect of the program does not", async () => {
  assert.equal(await unlessRefused(Promise.resolve("good")), "good");
  const refused: Promise<string> = Promise.reject(clientError("INVITE_MALFORMED", "text"));
  assert.equal(await unlessRefused(refused), undefined);
  await assert.rejects(unlessRefused(Promise.reject(new TypeError("a defect"))), TypeError);
});
