import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeMlsMessage, type ContentKind } from "@latchkey/mls";
import { nodeCrypto } from "@latchkey/mls/node";
import { CLIENT_LIMITS } from "../limits.ts";
import type { Envelope, Transport } from "../transport/transport.ts";
import { LogScan, type ScanStart } from "./log-scan.ts";

const GROUP_ID = new Uint8Array(16).fill(7);
const PAGE = 10_000;

function message(contentKind: ContentKind, epoch: bigint): Uint8Array {
  const none = new Uint8Array(0);
  const body = { groupId: GROUP_ID, epoch, contentKind, authenticatedData: none };
  return encodeMlsMessage({
    wireFormat: "private_message",
    message: { ...body, encryptedSenderData: none, ciphertext: none },
  });
}

/** A log as a node serves it, of envelopes with the ids from 1 to `length` but for those that are left out. */
function scanOf(length: number, dataAt: (id: number) => Uint8Array | undefined, start: ScanStart) {
  let asked = 0;
  const queryGroupMessages: Transport["queryGroupMessages"] = ({ afterId }) => {
    asked++;
    const items: Envelope[] = [];
    let id = Number(afterId);
    while (id < length && items.length < PAGE) {
      const data = dataAt(++id);
      if (data !== undefined) items.push({ id: BigInt(id), createdNs: BigInt(id), data });
    }
    return Promise.resolve({ items, complete: id === length });
  };
  const scan = new LogScan({ transport: { queryGroupMessages }, crypto: nodeCrypto }, GROUP_ID, start);
  return { scan, asked: () => asked };
}

test("SEC-12 of commits without end a bounded number is remembered, and of each epoch the first one always", async () => {
  const { maxSeenCommits } = CLIENT_LIMITS;
  const flood = message("commit", 7n);
  const next = message("commit", 8n);
  const dataAt = (id: number) => (id <= maxSeenCommits + 5 ? flood : next);
  const { scan } = scanOf(maxSeenCommits + 8, dataAt, { fromEpoch: 7n, afterId: 0n });
  await scan.advance();
  assert.equal(scan.commits(7n).length, maxSeenCommits);
  assert.deepEqual(
    scan.commits(8n).map(({ id }) => id),
    [BigInt(maxSeenCommits + 6)],
  );
  assert.equal(scan.openEpoch, 9n);
});

test("SEC-11 a log without end is not read without end: GROUP_UNSUPPORTED", async () => {
  const { maxLogScan } = CLIENT_LIMITS;
  const data = message("application", 7n);
  const { scan, asked } = scanOf(2 * maxLogScan, () => data, { fromEpoch: 7n, afterId: 0n });
  await assert.rejects(scan.advance(), { code: "GROUP_UNSUPPORTED" });
  assert.equal(asked(), maxLogScan / PAGE + 1);
});

test("SEC-12 a hint is followed when the log holds it, and otherwise the log is read from its beginning", async () => {
  const dataAt = (id: number) => (id === 5 ? undefined : message("commit", BigInt(id)));
  for (const [afterId, seen] of [
    [4n, [6n, 7n, 8n]],
    [5n, [1n, 2n, 3n, 4n, 6n, 7n, 8n]],
    [9n, [1n, 2n, 3n, 4n, 6n, 7n, 8n]],
  ] as const) {
    const { scan } = scanOf(8, dataAt, { fromEpoch: 0n, afterId, hinted: true });
    await scan.advance();
    const epochs = [0n, 1n, 2n, 3n, 4n, 5n, 6n, 7n, 8n].filter((epoch) => scan.commits(epoch).length > 0);
    assert.deepEqual(epochs, seen, `hint ${afterId}`);
    assert.equal(scan.cursor, 8n);
  }
});
