import assert from "node:assert/strict";
import { test } from "node:test";
import { findExtension, fromHex, utf8 } from "@latchkey/mls";
import { oneshotExtensions, readOneshot } from "./oneshot.ts";

const INBOX = "ab".repeat(32);

function extensions() {
  return oneshotExtensions({
    creatorInboxId: INBOX,
    members: new Map([[INBOX, 7n]]),
    failedInstallations: ["cd".repeat(32)],
    request: { groupId: fromHex("0102"), latestCommitId: 2n ** 40n },
  });
}

test("a request to be added again is read from the group that is the message", () => {
  assert.deepEqual(readOneshot(extensions()), { request: { groupId: fromHex("0102"), latestCommitId: 2n ** 40n } });
});

test("the protected metadata is as XMTP's clients write it: length, type 4, creator, the request", () => {
  const data = findExtension(extensions(), 0xf000) ?? new Uint8Array(0);
  const request = "0a0b" + "0a020102" + "10808080808020";
  const metadata = "0804" + "1a40" + Buffer.from(INBOX).toString("hex") + "2a0d" + request;
  const hex = Buffer.from(data).toString("hex");
  assert.equal(hex.slice(4), metadata);
  assert.equal(Number.parseInt(hex.slice(0, 4), 16), 0x4000 + metadata.length / 2);
  assert.deepEqual(
    extensions().map(({ type }) => type),
    [0xf000, 0xff00, 0xff01, 0xff02, 0x0003],
  );
});

test("DECODE: what is no metadata; other groups are no message", () => {
  assert.equal(readOneshot([]), undefined);
  assert.throws(() => readOneshot([{ type: 0xf000, data: utf8("\u0003abc") }]), { code: "DECODE" });
  // A group, as most are.
  assert.equal(readOneshot([{ type: 0xf000, data: fromHex("020801") }]), undefined);
  // A message of another kind.
  assert.deepEqual(readOneshot([{ type: 0xf000, data: fromHex("020804") }]), { request: undefined });
});
