import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { LatchkeyError } from "@latchkey/client";
import { jsonLine, Output } from "./output.ts";
import { wantsColour } from "./style.ts";

function collect(isTTY = false) {
  const written: string[] = [];
  return { isTTY, write: (text: string) => written.push(text), text: () => written.join("") };
}

const RETRYABLE = new LatchkeyError("NODE_UNREACHABLE", "no answer", { retryable: true, retryAfterMs: 2_500 });

describe("Output for people", () => {
  test("prints results on standard output, progress and errors on standard error", () => {
    const [stdout, stderr] = [collect(), collect()];
    const out = new Output(false, stdout, stderr, {});
    out.line("a line");
    out.progress("fetching");
    out.result({ json: { n: 1 }, human: (style) => style.bold("done") });
    out.failure(RETRYABLE);
    assert.equal(stdout.text(), "a line\ndone\n");
    assert.equal(stderr.text(), "· fetching\n✗ no answer\n  NODE_UNREACHABLE; may work later, try again in 3 s\n");
  });

  test("colours each stream only when it is a terminal", () => {
    const [stdout, stderr] = [collect(true), collect()];
    const out = new Output(false, stdout, stderr, {});
    out.result({ json: {}, human: (style) => style.bold("done") });
    out.failure(RETRYABLE);
    assert.equal(stdout.text(), "\u001b[1mdone\u001b[22m\n");
    assert.ok(!stderr.text().includes("\u001b"));
  });
});

describe("Output with --json", () => {
  test("prints the result as one object with ok: true and nothing else, uncoloured even on a terminal", () => {
    const [stdout, stderr] = [collect(true), collect(true)];
    const out = new Output(true, stdout, stderr, {});
    out.line("a line");
    out.progress("fetching");
    out.warn("careful");
    out.result({ json: { timeNs: 1_800_000_000_123_456_789n }, human: () => "done" });
    assert.equal(stdout.text(), '{"ok":true,"timeNs":"1800000000123456789"}\n');
    assert.equal(stderr.text(), "");
  });

  test("prints an error as one object with code, message, retryable and retryAfterMs", () => {
    const stdout = collect();
    const out = new Output(true, stdout, collect(), {});
    out.failure(RETRYABLE);
    assert.deepEqual(JSON.parse(stdout.text()), {
      ok: false,
      error: { code: "NODE_UNREACHABLE", message: "no answer", retryable: true, retryAfterMs: 2_500 },
    });
  });

  test("names the broken rule, and hides what could be a key in any message", () => {
    const stdout = collect();
    const out = new Output(true, stdout, collect(), {});
    out.failure(new LatchkeyError("COMMIT_REJECTED", `bad ${"ab".repeat(32)}`, { rule: "ExternalCommitNotAllowed" }));
    assert.equal(
      stdout.text(),
      '{"ok":false,"error":{"code":"COMMIT_REJECTED","message":"bad …","retryable":false,"retryAfterMs":null,"rule":"ExternalCommitNotAllowed"}}\n',
    );
  });

  test("calls an error of no family UNEXPECTED and shows neither stack nor cause", () => {
    const stdout = collect();
    new Output(true, stdout, collect(), {}).failure(new TypeError("x is not a function", { cause: "secret" }));
    assert.deepEqual(JSON.parse(stdout.text()), {
      ok: false,
      error: { code: "UNEXPECTED", message: "x is not a function", retryable: false, retryAfterMs: null },
    });
  });
});

test("colours are wanted on a terminal, unless NO_COLOR is set or the terminal is dumb", () => {
  assert.equal(wantsColour(true, {}), true);
  assert.equal(wantsColour(false, {}), false);
  assert.equal(wantsColour(true, { NO_COLOR: "1" }), false);
  assert.equal(wantsColour(true, { NO_COLOR: "" }), true);
  assert.equal(wantsColour(true, { TERM: "dumb" }), false);
});

test("jsonLine writes 64-bit integers as strings", () => {
  assert.equal(jsonLine({ id: 9_007_199_254_740_993n, list: [1n] }), '{"id":"9007199254740993","list":["1"]}');
});
