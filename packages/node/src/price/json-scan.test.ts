import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { utf8 } from "@latchkey/mls";
import { scanJson } from "./json-scan.ts";

describe("the price of a JSON text", () => {
  test("TRU-19 names and values count, inside of texts nothing does", () => {
    scanJson(utf8('{"groupId":"AAAA","pagingInfo":{"limit":10}}'), 8);
    scanJson(utf8(JSON.stringify({ text: '[{,:"\\'.repeat(1_000) })), 3);
    assert.throws(() => scanJson(utf8(`[${"0,".repeat(100)}0]`), 100), { code: "REQUEST_TOO_LARGE" });
    assert.throws(() => scanJson(utf8(`{"a":[${"{},".repeat(100)}{}]}`), 100), { code: "REQUEST_TOO_LARGE" });
  });

  test("REQUEST_INVALID: nesting deeper than requests have, and numbers that take long to read", () => {
    for (const text of [
      "[".repeat(1_000),
      '{"a":'.repeat(1_000),
      "9".repeat(1_000),
      `"${"9".repeat(1_000)}"`,
      `"${String.raw`\u0039`.repeat(1_000)}"`,
    ]) {
      assert.throws(() => scanJson(utf8(text), 10_000), { code: "REQUEST_INVALID" }, text.slice(0, 20));
    }
    scanJson(utf8(`{"idCursor":"18446744073709551615","data":"${Buffer.alloc(10_000).toString("base64")}"}`), 5);
  });
});
