import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { toHex } from "@latchkey/mls";
import { hex } from "../testing/inboxes.ts";
import { INBOX_ID_KEY } from "./keys.ts";
import {
  changedInboxes,
  decodeMembershipEntry,
  encodeMembershipEntry,
  membershipDelta,
  membershipInsert,
  readMembership,
  type MembershipMutation,
} from "./membership.ts";
import { applyMapDelta, decodeMapDelta } from "./tls-map.ts";

const INBOX = "5a".repeat(32);
const SLOT = "c1".repeat(16);

describe("GROUP_MEMBERSHIP", () => {
  test("XIP-82: the joiner's registration has the bytes of the worked example", () => {
    const delta = membershipInsert({ inboxId: INBOX, sequenceId: 1n, externalGroupId: hex(SLOT) });
    const entry = `0a14 0801 1a10${SLOT}`;
    assert.equal(toHex(delta), `39 00 00${INBOX} 16 ${entry}`.replaceAll(" ", ""));
    assert.equal(delta.length, 58);
  });

  test("an entry is read back as it was written", () => {
    const entry = {
      sequenceId: 2n ** 63n - 1n,
      failedInstallations: ["11".repeat(32), "22".repeat(32)],
      admittedViaExternalGroupId: hex(SLOT),
    };
    assert.deepEqual(decodeMembershipEntry(encodeMembershipEntry(entry)), entry);
    for (const sequenceId of [2n ** 63n, 2n ** 64n - 1n]) {
      const bytes = encodeMembershipEntry({ ...entry, sequenceId });
      assert.throws(() => decodeMembershipEntry(bytes), { name: "DecodeError", rule: "SequenceIdOutOfRange" });
    }
  });

  test("changed inboxes are those that a change names, and no others", () => {
    const [ann, bob, cat, dan] = [INBOX, "6b".repeat(32), "7c".repeat(32), "8d".repeat(32)] as const;
    const entry = (sequenceId: bigint) => ({
      sequenceId,
      failedInstallations: [],
      admittedViaExternalGroupId: hex(SLOT),
    });
    const write = (component: Uint8Array | undefined, ...mutations: MembershipMutation[]) =>
      applyMapDelta(INBOX_ID_KEY, component, decodeMapDelta(INBOX_ID_KEY, membershipDelta(mutations)));
    const before = write(
      undefined,
      ...[ann, bob, cat].map((inboxId) => ({ op: "insert", inboxId, entry: entry(1n) }) as const),
    );
    // As this process wrote it, and as it comes from elsewhere.
    for (const component of [before, before.slice()]) {
      const after = write(
        component,
        { op: "delete", inboxId: ann },
        { op: "update", inboxId: cat, entry: entry(2n) },
        { op: "insert", inboxId: dan, entry: entry(1n) },
      );
      assert.deepEqual(changedInboxes(readMembership(component), readMembership(after)), [ann, cat, dan]);
    }
  });

  test("an entry of an unknown version, an empty one and garbage are refused", () => {
    for (const bytes of [hex("1200"), hex(""), hex("ff")]) {
      assert.throws(() => decodeMembershipEntry(bytes), { code: "DECODE" });
    }
  });
});
