import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { toHex } from "@latchkey/mls";
import { hex } from "../test-inboxes.ts";
import { decodeMembershipEntry, encodeMembershipEntry, membershipInsert } from "./membership.ts";

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
      sequenceId: 2n ** 64n - 1n,
      failedInstallations: ["11".repeat(32), "22".repeat(32)],
      admittedViaExternalGroupId: hex(SLOT),
    };
    assert.deepEqual(decodeMembershipEntry(encodeMembershipEntry(entry)), entry);
  });

  test("an entry of an unknown version, an empty one and garbage are refused", () => {
    for (const bytes of [hex("1200"), hex(""), hex("ff")]) {
      assert.throws(() => decodeMembershipEntry(bytes), { code: "DECODE" });
    }
  });
});
