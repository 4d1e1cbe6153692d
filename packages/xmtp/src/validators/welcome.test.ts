import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { MLS_LIMITS, utf8, type AppData, type LeafNode } from "@latchkey/mls";
import { applyAppDataUpdates, mergeAppData } from "../app-data/apply.ts";
import { COMPONENT } from "../app-data/component.ts";
import { INBOX_ID_KEY } from "../app-data/keys.ts";
import { encodeMembershipEntry, membershipDelta } from "../app-data/membership.ts";
import { encodeTlsMap } from "../app-data/tls-map.ts";
import { present, resolverOf, testAppData, testInbox, testLeaf, testTree, updateProposal } from "../testing/inboxes.ts";
import { membershipIdentities } from "./required-identities.ts";
import { validateWelcome, type WelcomedGroup } from "./welcome.ts";

const NO_TAG = new Uint8Array(0);
const admin = await testInbox(1);
const friend = await testInbox(2, 2);
const identity = resolverOf(admin, friend);
const born = testAppData({ creatorInboxId: admin.inboxId, creatorSequenceId: 1n });

function appDataWith(failedInstallations: readonly string[] = [], sequenceId = 2n) {
  const entry = { sequenceId, failedInstallations, admittedViaExternalGroupId: new Uint8Array(0) };
  const delta = membershipDelta([{ op: "insert", inboxId: friend.inboxId, entry }]);
  return mergeAppData(born, applyAppDataUpdates(born, [updateProposal(COMPONENT.groupMembership, delta)]));
}

const adminLeaf = testLeaf(admin.inboxId, present(admin.keys[0]));
const [first, second] = friend.keys.map((key) => testLeaf(friend.inboxId, key));
const leaves = [adminLeaf, present(first), present(second)];

function groupWith(appData = appDataWith(), members: readonly LeafNode[] = leaves, epoch = 1n): WelcomedGroup {
  return { epoch, appData, members: () => testTree(...members) };
}

function expectRule(rule: string, { appData, members, epoch }: Partial<GroupParts>): void {
  const run = () => validateWelcome(groupWith(appData, members, epoch), identity);
  assert.throws(run, { code: "COMMIT_REJECTED", rule });
}

interface GroupParts {
  readonly appData: AppData;
  readonly members: readonly LeafNode[];
  readonly epoch: bigint;
}

describe("the membership a Welcome leads to", () => {
  test("TRU-13 every installation is a leaf, or is missing: listed as failed, or unsaid as by libxmtp", () => {
    for (const count of [3, 2, 1]) validateWelcome(groupWith(appDataWith(), leaves.slice(0, count)), identity);
    const failed = appDataWith([present(friend.keys[1]).id]);
    validateWelcome(groupWith(failed, leaves.slice(0, 2)), identity);
    assert.deepEqual(
      new Set(membershipIdentities(failed)),
      new Set([
        { inboxId: admin.inboxId, sequenceId: 1n },
        { inboxId: friend.inboxId, sequenceId: 2n },
      ]),
    );
  });

  test("TRU-02 an inbox at no update has no installations: it is not looked up, and a leaf of it is one too many", () => {
    const none = appDataWith([], 0n);
    validateWelcome(groupWith(none, leaves.slice(0, 1)), identity);
    assert.deepEqual(membershipIdentities(none), [{ inboxId: admin.inboxId, sequenceId: 1n }]);
    expectRule("InvalidGroupMembership", { appData: none, members: leaves.slice(0, 2) });
  });

  test("InvalidGroupMembership: a leaf too many, an unknown inbox, a leaf that is nobody's", async () => {
    const rule = "InvalidGroupMembership";
    const stranger = await testInbox(3);
    const key = present(stranger.keys[0]);
    expectRule(rule, { members: [...leaves, testLeaf(friend.inboxId, key)] });
    expectRule(rule, { members: [...leaves, testLeaf(stranger.inboxId, key)] });
    expectRule(rule, {
      members: [...leaves, { ...adminLeaf, credential: { kind: "x509", certificates: [] } }],
    });
  });

  test("TRU-01 what the bytes decide comes first: the epoch, sequence ids, and more members than leaves", () => {
    expectRule("EpochOutOfRange", { epoch: 1n << 62n });
    for (const sequenceId of [1n << 63n, (1n << 64n) - 1n]) {
      expectRule("SequenceIdOutOfRange", { appData: appDataWith([], sequenceId) });
    }
    const entry = encodeMembershipEntry({
      sequenceId: 1n,
      failedInstallations: [],
      admittedViaExternalGroupId: NO_TAG,
    });
    const many = Array.from({ length: MLS_LIMITS.maxLeaves + 1 }, (_, i): [string, Uint8Array] => [
      i.toString(16).padStart(64, "0"),
      entry,
    ]);
    const members = encodeTlsMap(INBOX_ID_KEY, new Map(many));
    expectRule("TooManyMembers", { appData: new Map(born).set(COMPONENT.groupMembership, members) });
  });

  test("MissingIdentityUpdate: the log does not hold exactly the recorded point", () => {
    expectRule("MissingIdentityUpdate", { appData: appDataWith([], 7n) });
  });

  test("GroupNotMigrated, ComponentSource, ProtocolVersionTooLow: groups this build cannot read", () => {
    expectRule("GroupNotMigrated", { appData: new Map() });
    const broken = new Map(appDataWith()).set(COMPONENT.groupMembership, new Uint8Array([0xff]));
    expectRule("ComponentSource", { appData: broken });
    const newer = new Map(appDataWith()).set(COMPONENT.minSupportedProtocolVersion, utf8("99.0.0"));
    expectRule("ProtocolVersionTooLow", { appData: newer });
    const noVersion = new Map(appDataWith()).set(COMPONENT.minSupportedProtocolVersion, utf8("soon"));
    expectRule("ComponentSource", { appData: noVersion });
  });
});
