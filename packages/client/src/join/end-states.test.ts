import assert from "node:assert/strict";
import { test } from "node:test";
import { clientError, ERRORS, type ErrorCode } from "../errors.ts";
import { INVITE_END_TEXTS, inviteEndOf } from "./end-states.ts";

test("DOR-06 every code leads to one end, and every end says what to do next", () => {
  for (const code of Object.keys(ERRORS) as ErrorCode[]) {
    const end = inviteEndOf(clientError(code, "x"));
    assert.ok(INVITE_END_TEXTS[end], code);
  }
  for (const [end, { text, next }] of Object.entries(INVITE_END_TEXTS)) {
    assert.match(text, /^[A-Z].{5,80}\.$/, end);
    assert.match(next, /^[A-Z].{5,80}\.$/, end);
  }
  assert.equal(inviteEndOf(new Error("x")), "not-supported");
});
