import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { formatTime, parseDurationNs, printable, printableLine, quoted, redact } from "./text.ts";

const KEY = "0123456789abcdef".repeat(4);

describe("redact", () => {
  test("takes the secret out of a link and keeps what is harmless", () => {
    assert.equal(
      redact(`cannot use https://latchkey.link/i#ChAKDgoMaHR0cHM6Ly9leGFtcGxl here`),
      "cannot use https://latchkey.link/i#… here",
    );
  });

  test("takes keys and full ids out, in hex and base64url, with and without prefix", () => {
    for (const secret of [KEY, `0x${KEY}`, KEY.toUpperCase(), "Ab-_".repeat(10)]) {
      assert.equal(redact(`bad: ${secret}.`), "bad: ….");
    }
  });

  test("leaves words, short ids, paths and addresses alone", () => {
    const text = "group 1a2b3c4d… at http://127.0.0.1:5556/v1/slots in /home/some-body/.latchkey/wallet.key";
    assert.equal(redact(text), text);
  });
});

test("quoted shows an argument on one line, at most 60 characters and without secrets", () => {
  assert.equal(quoted("team"), '"team"');
  assert.equal(quoted(`0x${KEY}`), '"…"');
  assert.equal(quoted("two\nlines"), '"two lines"');
  assert.equal(quoted("word ".repeat(40)).length, 62);
});

test("printable shows text of strangers without anything that drives a terminal or reorders text", () => {
  assert.equal(printable("a\u001b[2Jb\u0007c\rd\u202ee"), "a\ufffd[2Jb\ufffdc\ufffdd\ufffde");
  assert.equal(printable("two\nlines, ünïcödé 🔑"), "two\nlines, ünïcödé 🔑");
  assert.equal(printableLine("two\nlines"), "two lines");
});

test("durations are read in w, d, h, m and s; nothing else is one", () => {
  const second = 1_000_000_000n;
  assert.equal(parseDurationNs("7d"), 604_800n * second);
  assert.equal(parseDurationNs("2w"), 1_209_600n * second);
  assert.equal(parseDurationNs("90m"), 5_400n * second);
  assert.equal(parseDurationNs("45s"), 45n * second);
  for (const wrong of ["", "7", "d", "-1d", "1.5h", "0s", "7 d", "1y", "9999999s"]) {
    assert.equal(parseDurationNs(wrong), undefined, wrong);
  }
});

test("times are written in UTC to the second", () => {
  assert.equal(formatTime(1_800_000_000_123_456_789n), "2027-01-15 08:00:00 UTC");
});
