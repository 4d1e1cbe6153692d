import assert from "node:assert/strict";
import { test } from "node:test";
import { AssociationState, ethereumIdentifier } from "@latchkey/xmtp";
import { IdentityView, type ReadLog } from "./identity-view.ts";

const SECOND_NS = 1_000_000_000n;
const T = 1_700_000_000n * SECOND_NS;
const state = new AssociationState({
  inboxId: "inbox",
  members: new Map(),
  recoveryIdentifier: ethereumIdentifier(`0x${"00".repeat(20)}`),
  seenSignatures: new Set(),
  updateCount: 1,
  byteLength: 0,
  signatureCount: 0,
});

/** A log with updates of these ids, stamped so many seconds after the envelope. */
function view(stamps: readonly (readonly [bigint, number])[], fields: Partial<ReadLog> = {}): IdentityView {
  const states = stamps.map(([sequenceId, seconds]) => {
    return { sequenceId, serverTimestampNs: T + BigInt(seconds) * SECOND_NS, state };
  });
  return new IdentityView(new Map([["inbox", { states, completeNs: 0n, ...fields }]]));
}

const point = (sequenceId: bigint) => ({ inboxId: "inbox", sequenceId });

test("IDN-01 an update exists for an envelope when it was stamped up to 60 s later, and not a nanosecond after", () => {
  const { identity } = view([
    [1n, -100],
    [2n, 60],
    [3n, 61],
  ]).at(T);
  assert.deepEqual([identity("inbox", 1n), identity("inbox", 2n)], [state, state]);
  assert.deepEqual(
    [identity("inbox", 3n), identity("inbox", 9n), identity("other", 1n)],
    [undefined, undefined, undefined],
  );
  assert.equal(
    view([[2n, 60]])
      .at(T - 1n)
      .identity("inbox", 2n),
    undefined,
  );
});

test("IDN-02 a missing update is over by a later one, by a stamp that is too late, or by a log that is complete", () => {
  assert.equal(view([[5n, 0]]).isOver(point(4n), T), true, "ids of a log ascend");
  assert.equal(view([[5n, 61]]).isOver(point(5n), T), true);
  assert.equal(view([[5n, 0]]).isOver(point(6n), T), false);
  const completeNs = T + 60n * SECOND_NS;
  assert.equal(view([], { completeNs }).isOver(point(6n), T), false);
  assert.equal(view([], { completeNs: completeNs + 1n }).isOver(point(6n), T), true);
  assert.equal(new IdentityView(new Map()).isOver(point(6n), 0n), false, "a log that was not read says nothing");
});

test("IDN-02 two readings confirm what is below the last id, and what was due before both", () => {
  const confirmed = { completeNs: T + 61n * SECOND_NS, lastId: 5n };
  const read = view([[5n, 0]], { confirmed });
  assert.equal(read.isConfirmed(point(4n), T + 1_000n * SECOND_NS), true);
  assert.equal(read.isConfirmed(point(6n), T), true);
  assert.equal(read.isConfirmed(point(6n), T + SECOND_NS), false);
});

test("IDN-03 the last update that counts was stamped two minutes before; whether it is known depends on the reading", () => {
  const stamps = [
    [1n, -1_000],
    [2n, -120],
    [3n, -119],
  ] as const;
  assert.equal(view(stamps).at(T).settledIdentity("inbox")?.sequenceId, 2n);
  assert.equal(
    view(stamps)
      .at(T - 1n)
      .settledIdentity("inbox")?.sequenceId,
    1n,
  );
  assert.equal(view([]).at(T).settledIdentity("inbox"), undefined);
  const completeNs = T - 120n * SECOND_NS;
  assert.equal(view(stamps, { completeNs }).isSettled("inbox", T), false);
  assert.equal(view(stamps, { completeNs: completeNs + 1n }).isSettled("inbox", T), true);
});
