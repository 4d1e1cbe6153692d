import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { utf8, type LeafNode, type Proposal } from "@latchkey/mls";
import { nodeCrypto } from "@latchkey/mls/node";
import { COMPONENT } from "../app-data/component.ts";
import { INBOX_ID_KEY } from "../app-data/keys.ts";
import {
  encodeMembershipEntry,
  membershipDelta,
  membershipInsert,
  type MembershipMutation,
} from "../app-data/membership.ts";
import { decodeTlsMap, encodeMapDelta, encodeTlsMap } from "../app-data/tls-map.ts";
import { enablePolicy, policyUpdate, revokePolicy, type PolicySettings } from "../invite/policy.ts";
import { MlsCredentialSchema } from "../proto.ts";
import {
  addProposal,
  hex,
  leavesOf,
  present,
  removeProposal,
  resolverOf,
  TEST_TIME_NS,
  testAppData,
  testCommit,
  testInbox,
  testLeaf,
  testTree,
  updateProposal,
} from "../testing/inboxes.ts";
import type { TreeMember } from "./common.ts";
import { validateExternalCommit, type ExternalCommitInput } from "./external-commit.ts";

const admin = await testInbox(1);
const joiner = await testInbox(2, 3);
const [phone, laptop] = joiner.keys.map((key) => testLeaf(joiner.inboxId, key));
const phoneLeaf = present(phone);
const members = testTree(testLeaf(admin.inboxId, present(admin.keys[0])));
const leaves = leavesOf(members);
const identity = resolverOf(admin, joiner);
const settledIdentity = () => undefined;
const INIT: Proposal = { kind: "external_init", kemOutput: new Uint8Array(32) };
const EMPTY = new Uint8Array(0);

function groupWith(settings: PolicySettings = {}) {
  const policy = enablePolicy(nodeCrypto, settings);
  const appData = testAppData({ creatorInboxId: admin.inboxId, creatorSequenceId: 1n });
  appData.set(COMPONENT.externalCommitPolicy, policyUpdate(policy));
  return { policy, appData };
}

const { policy, appData } = groupWith();
const { externalGroupId } = policy;

/** The joiner's registration, by default as it has to be. */
function registration(change: Partial<Parameters<typeof membershipInsert>[0]> = {}): Proposal {
  const entry = { inboxId: joiner.inboxId, sequenceId: 3n, externalGroupId, ...change };
  return updateProposal(COMPONENT.groupMembership, membershipInsert(entry));
}

const SIBLINGS = joiner.keys.slice(1).map((key) => addProposal(joiner.inboxId, key));

interface Variation extends Partial<Omit<ExternalCommitInput, "commit" | "leaves">> {
  readonly members?: readonly TreeMember[];
  readonly proposals?: readonly Proposal[];
  readonly leaf?: LeafNode;
  readonly byReference?: boolean;
}

/** The judgement of a join that is good unless it is varied. */
function judge({
  proposals = [...SIBLINGS, INIT, registration()],
  leaf = phoneLeaf,
  byReference,
  ...rest
}: Variation = {}) {
  const state = { appData, members, ...rest };
  const reference = byReference === undefined ? {} : { byReference };
  const commit = testCommit({ ...state, committer: leaf, proposals, ...reference });
  const times = { envelopeTimeNs: TEST_TIME_NS, epochStartNs: TEST_TIME_NS };
  validateExternalCommit({ commit, identity, settledIdentity, leaves: leavesOf(state.members), ...times, ...state });
}

function expectRule(rule: string, variation: Variation): void {
  assert.throws(() => judge(variation), { code: "COMMIT_REJECTED", rule });
}

/** Group data whose policy is the given bytes. */
function withPolicy(bytes: Uint8Array) {
  return new Map(appData).set(COMPONENT.externalCommitPolicy, bytes);
}

/** Group data with further membership entries. */
function withMembers(data: ReadonlyMap<number, Uint8Array>, ...entries: readonly (readonly [string, Uint8Array])[]) {
  const membership = decodeTlsMap(INBOX_ID_KEY, data.get(COMPONENT.groupMembership));
  for (const [inboxId, tag] of entries) {
    const entry = { sequenceId: 1n, failedInstallations: [], admittedViaExternalGroupId: tag };
    membership.set(inboxId, encodeMembershipEntry(entry));
  }
  return new Map(data).set(COMPONENT.groupMembership, encodeTlsMap(INBOX_ID_KEY, membership));
}

describe("external commit, the checks of XIP-82 in their order", () => {
  test("X82-01, X82-02 a join with and without siblings is accepted", () => {
    judge();
    judge({ proposals: [INIT, registration({ sequenceId: 1n })] });
  });

  test("check 4 ExternalCommitInviteStale: without an age limit any epoch will do, with one its age is exact", () => {
    const later = { envelopeTimeNs: TEST_TIME_NS + 2n, epochStartNs: TEST_TIME_NS };
    judge({ ...later });
    for (const [limit, isStale] of [
      [1n, true],
      [2n, false],
    ] as const) {
      const { appData: data, policy: limited } = groupWith({ expireInNs: limit });
      const proposals = [...SIBLINGS, INIT, registration({ externalGroupId: limited.externalGroupId })];
      const join = { ...later, appData: data, proposals };
      if (isStale) expectRule("ExternalCommitInviteStale", join);
      else judge(join);
    }
  });

  test("check 8 ExternalCommitByReferenceProposalsForbidden: one of several is enough", () => {
    const proposals = [...SIBLINGS, INIT, registration()];
    const commit = testCommit({ appData, members, committer: phoneLeaf, proposals });
    const [first, ...rest] = commit.proposals;
    const input = {
      commit: { ...commit, proposals: [{ ...present(first), byReference: true }, ...rest] },
      appData,
      leaves,
      identity,
      settledIdentity,
      envelopeTimeNs: TEST_TIME_NS,
      epochStartNs: TEST_TIME_NS,
    };
    assert.throws(() => validateExternalCommit(input), { rule: "ExternalCommitByReferenceProposalsForbidden" });
  });

  test("check 1 ExternalCommitNotNewMemberCommit: a member's commit is not judged as a join", () => {
    const commit = testCommit({ appData, members, committer: 0, proposals: [INIT, registration()] });
    const input = {
      commit,
      appData,
      leaves,
      identity,
      settledIdentity,
      envelopeTimeNs: TEST_TIME_NS,
      epochStartNs: TEST_TIME_NS,
    };
    assert.throws(() => validateExternalCommit(input), { rule: "ExternalCommitNotNewMemberCommit" });
  });

  test("check 2 X82-03 ExternalCommitNotAllowed: off, never enabled, or of an unknown version", () => {
    expectRule("ExternalCommitNotAllowed", { appData: withPolicy(policyUpdate(revokePolicy(policy))) });
    const never = testAppData({ creatorInboxId: admin.inboxId, creatorSequenceId: 1n });
    expectRule("ExternalCommitNotAllowed", { appData: never });
    expectRule("ExternalCommitNotAllowed", { appData: withPolicy(hex("1200")) });
  });

  test("check 2 ComponentSource: an unreadable policy fails closed; a legacy group has none", () => {
    expectRule("ComponentSource", { appData: withPolicy(hex("ff")) });
    expectRule("GroupNotMigrated", { appData: new Map() });
  });

  test("check 3 X82-20 ExternalCommitInviteExpired: by envelope time, equality passes", () => {
    const group = groupWith({ expiresAtNs: TEST_TIME_NS });
    const proposals = [...SIBLINGS, INIT, registration({ externalGroupId: group.policy.externalGroupId })];
    judge({ appData: group.appData, proposals });
    const late = { appData: group.appData, proposals, envelopeTimeNs: TEST_TIME_NS + 1n };
    expectRule("ExternalCommitInviteExpired", late);
  });

  test("check 4 X82-20 ExternalCommitInviteStale: age of the epoch by envelope time, equality passes, never negative", () => {
    const group = groupWith({ expireInNs: 10n });
    const proposals = [...SIBLINGS, INIT, registration({ externalGroupId: group.policy.externalGroupId })];
    const base = { appData: group.appData, proposals };
    judge({ ...base, epochStartNs: TEST_TIME_NS - 10n });
    judge({ ...base, epochStartNs: TEST_TIME_NS + 100n });
    expectRule("ExternalCommitInviteStale", { ...base, epochStartNs: TEST_TIME_NS - 11n });
  });

  test("check 5 ExternalCommitMissingPathLeaf: no leaf, or one whose credential is none", () => {
    const commit = {
      ...testCommit({ appData, members, committer: phoneLeaf, proposals: [INIT] }),
      pathLeaf: undefined,
    };
    const input = {
      commit,
      appData,
      leaves,
      identity,
      settledIdentity,
      envelopeTimeNs: TEST_TIME_NS,
      epochStartNs: TEST_TIME_NS,
    };
    assert.throws(() => validateExternalCommit(input), { rule: "ExternalCommitMissingPathLeaf" });
    const nobody = { ...phoneLeaf, credential: { kind: "basic", identity: hex("ff") } as const };
    expectRule("ExternalCommitMissingPathLeaf", { leaf: nobody });
  });

  test("check 6 InboxValidationFailed: the credential names something else than an inbox id", () => {
    const identityBytes = toBinary(MlsCredentialSchema, create(MlsCredentialSchema, { inboxId: "alice" }));
    const leaf = { ...phoneLeaf, credential: { kind: "basic", identity: identityBytes } as const };
    expectRule("InboxValidationFailed", { leaf });
  });

  test("check 6 X82-18 ExternalCommitJoinerAlreadyMember: in the tree, or in the membership only", () => {
    const inTree = testTree(present(members[0]).leafNode, testLeaf(joiner.inboxId, present(joiner.keys[2])));
    expectRule("ExternalCommitJoinerAlreadyMember", { members: inTree });
    expectRule("ExternalCommitJoinerAlreadyMember", { appData: withMembers(appData, [joiner.inboxId, EMPTY]) });
  });

  test("check 7 X82-11, X82-12, X82-16 ExternalCommitMaxUsesExhausted: members tagged with the present slot count", () => {
    const group = groupWith({ maxUses: 1 });
    const slot = group.policy.externalGroupId;
    const proposals = [...SIBLINGS, INIT, registration({ externalGroupId: slot })];
    const used = withMembers(group.appData, ["77".repeat(32), slot]);
    expectRule("ExternalCommitMaxUsesExhausted", { appData: used, proposals });
    judge({ appData: group.appData, proposals });
    judge({
      appData: withMembers(group.appData, ["77".repeat(32), EMPTY], ["78".repeat(32), hex("01020304")]),
      proposals,
    });
  });

  test("check 8 ExternalCommitByReferenceProposalsForbidden", () => {
    expectRule("ExternalCommitByReferenceProposalsForbidden", { byReference: true });
  });

  test("check 9 ExternalCommitMissingExternalInit, ExternalCommitMultipleExternalInit", () => {
    expectRule("ExternalCommitMissingExternalInit", { proposals: [registration()] });
    expectRule("ExternalCommitMultipleExternalInit", { proposals: [INIT, INIT, registration()] });
  });

  test("check 10 ResyncExternalCommitNotSupported: no SelfRemove", () => {
    expectRule("ResyncExternalCommitNotSupported", { proposals: [INIT, { kind: "self_remove" }, registration()] });
  });

  test("check 11 ExternalCommitGceForbidden: no GroupContextExtensions", () => {
    const gce: Proposal = { kind: "group_context_extensions", extensions: [] };
    expectRule("ExternalCommitGceForbidden", { proposals: [gce, INIT, registration()] });
  });

  test("check 12 SEC-04, X82-22 ExternalCommitUnsupportedProposalType: no Remove, PSK, Update, ReInit or ephemeral data", () => {
    const others: Proposal[] = [
      removeProposal(0),
      { kind: "psk", psk: { kind: "external", pskId: EMPTY, nonce: EMPTY } },
      { kind: "update", leafNode: phoneLeaf },
      { kind: "reinit", groupId: EMPTY, version: 1, cipherSuite: 3, extensions: [] },
      { kind: "app_ephemeral", componentId: 0x8003, data: EMPTY },
    ];
    for (const other of others) {
      expectRule("ExternalCommitUnsupportedProposalType", { proposals: [INIT, other, registration()] });
    }
  });

  test("check 13 X82-09 ExternalCommitAppDataUpdateMissing, …Multiple: a second update renames the group", () => {
    const rename = updateProposal(COMPONENT.groupName, utf8("mine now"));
    expectRule("ExternalCommitAppDataUpdateMissing", { proposals: [INIT] });
    expectRule("ExternalCommitAppDataUpdateMultiple", { proposals: [INIT, registration(), rename] });
  });

  test("check 14 X82-10 CrossInboxAddInExternalCommit: a key package of another inbox", () => {
    const foreign = addProposal(admin.inboxId, present(joiner.keys[1]));
    expectRule("CrossInboxAddInExternalCommit", { proposals: [foreign, INIT, registration()] });
  });

  test("check 15 X82-09 ExternalCommitAppDataUpdateWrongComponent", () => {
    const rename = updateProposal(COMPONENT.groupName, utf8("mine now"));
    expectRule("ExternalCommitAppDataUpdateWrongComponent", { proposals: [...SIBLINGS, INIT, rename] });
  });

  test("check 16 ExternalCommitAppDataUpdateOutOfScope: removing the membership", () => {
    const operation = { kind: "remove" } as const;
    const remove: Proposal = { kind: "app_data_update", componentId: COMPONENT.groupMembership, operation };
    expectRule("ExternalCommitAppDataUpdateOutOfScope", { proposals: [...SIBLINGS, INIT, remove] });
  });

  test("check 17 ExternalCommitAppDataUpdatePayloadMalformed: no delta, or bytes behind it", () => {
    for (const payload of ["ff", "0000"]) {
      const update = updateProposal(COMPONENT.groupMembership, hex(payload));
      expectRule("ExternalCommitAppDataUpdatePayloadMalformed", { proposals: [...SIBLINGS, INIT, update] });
    }
  });

  test("check 18 ExternalCommitAppDataUpdateOutOfScope: exactly one insert, of the joiner's own entry", () => {
    const entry = { sequenceId: 3n, failedInstallations: [], admittedViaExternalGroupId: externalGroupId };
    const own: MembershipMutation = { op: "insert", inboxId: joiner.inboxId, entry };
    const deltas: MembershipMutation[][] = [
      [],
      [own, { op: "insert", inboxId: "99".repeat(32), entry }],
      [own, { op: "delete", inboxId: admin.inboxId }],
      [{ op: "insert", inboxId: "99".repeat(32), entry }],
      [{ op: "update", inboxId: joiner.inboxId, entry }],
      [{ op: "delete", inboxId: admin.inboxId }],
    ];
    for (const delta of deltas) {
      const update = updateProposal(COMPONENT.groupMembership, membershipDelta(delta));
      expectRule("ExternalCommitAppDataUpdateOutOfScope", { proposals: [...SIBLINGS, INIT, update] });
    }
  });

  test("check 19 GroupMembershipEntryMalformed: garbage, or an entry of another version", () => {
    for (const value of ["ff", "1200"]) {
      const delta = encodeMapDelta(INBOX_ID_KEY, [{ op: "insert", key: joiner.inboxId, value: hex(value) }]);
      const update = updateProposal(COMPONENT.groupMembership, delta);
      expectRule("GroupMembershipEntryMalformed", { proposals: [...SIBLINGS, INIT, update] });
    }
  });

  test("check 20 ExternalCommitAdmittedViaTagMismatch: untagged, or tagged with another slot", () => {
    for (const other of [EMPTY, hex("01020304")]) {
      const proposals = [...SIBLINGS, INIT, registration({ externalGroupId: other })];
      expectRule("ExternalCommitAdmittedViaTagMismatch", { proposals });
    }
  });

  test("the checks run in their order: a commit that breaks all fails by the first that is left", () => {
    const group = groupWith({ expiresAtNs: 1n, maxUses: 1 });
    const foreign = addProposal(admin.inboxId, present(admin.keys[0]));
    const proposals: Proposal[] = [foreign, removeProposal(0), registration({ externalGroupId: EMPTY })];
    const broken = { appData: group.appData, proposals, byReference: true };
    expectRule("ExternalCommitInviteExpired", broken);
    expectRule("ExternalCommitByReferenceProposalsForbidden", { ...broken, envelopeTimeNs: 1n });
    expectRule("ExternalCommitMissingExternalInit", { ...broken, envelopeTimeNs: 1n, byReference: false });
  });
});

describe("external commit, who really joins", () => {
  test("SEC-01 ExternalCommitNotAnInstallation: a stranger's key under the joiner's inbox, as joiner or as sibling", async () => {
    const stranger = await testInbox(9);
    const key = present(stranger.keys[0]);
    expectRule("ExternalCommitNotAnInstallation", { leaf: testLeaf(joiner.inboxId, key) });
    const proposals = [...SIBLINGS, addProposal(joiner.inboxId, key), INIT, registration()];
    expectRule("ExternalCommitNotAnInstallation", { proposals });
  });

  test("SEC-01 an installation that is not in the log yet at the recorded point is refused", () => {
    const proposals = [INIT, registration({ sequenceId: 1n })];
    expectRule("ExternalCommitNotAnInstallation", { proposals, leaf: present(laptop) });
  });

  test("SEC-01 MissingIdentityUpdate: the recorded point does not exist, or is another inbox's", () => {
    expectRule("MissingIdentityUpdate", { proposals: [...SIBLINGS, INIT, registration({ sequenceId: 9n })] });
    expectRule("MissingIdentityUpdate", { identity: () => admin.states[0] });
  });

  test("IDN-03 ExternalCommitInstallationRevoked: the joiner or a sibling was revoked two minutes before", async () => {
    const revoked = await testInbox(2, 3, 1);
    const settled = (sequenceId: bigint) => () => {
      return { inboxId: joiner.inboxId, sequenceId, state: present(revoked.states[Number(sequenceId) - 1]) };
    };
    judge({ settledIdentity: settled(3n) });
    expectRule("ExternalCommitInstallationRevoked", { settledIdentity: settled(4n) });
    const failedInstallations = [present(joiner.keys[1]).id];
    const proposals = [...SIBLINGS.slice(1), INIT, registration({ failedInstallations })];
    judge({ settledIdentity: settled(4n), proposals });
  });

  test("SEC-02 ExternalCommitInstallationMissing: an installation left out silently", () => {
    expectRule("ExternalCommitInstallationMissing", { proposals: [...SIBLINGS.slice(1), INIT, registration()] });
  });

  test("SEC-02, REV-08 an installation listed as failed may be missing", () => {
    const failedInstallations = [present(joiner.keys[1]).id];
    judge({ proposals: [...SIBLINGS.slice(1), INIT, registration({ failedInstallations })] });
  });

  test("TRU-03 ExternalCommitTooManyInstallations: an inbox with 257 installations joins by no external commit", () => {
    const state = present(joiner.states.at(-1));
    const withInstallations = (count: number) => {
      let grown = state;
      for (let index = state.installations().length; index < count; index++) {
        const value = index.toString(16).padStart(64, "0");
        const identifier = { kind: "installation" as const, value };
        grown = grown.withMember({ identifier, addedBy: undefined, clientTimestampNs: undefined, chainId: undefined });
      }
      return () => grown;
    };
    expectRule("ExternalCommitTooManyInstallations", { identity: withInstallations(257) });
    expectRule("ExternalCommitInstallationMissing", { identity: withInstallations(256) });
  });

  test("ExternalCommitFailedInstallationsInvalid: strangers, joined ones and repetitions are not failed installations", () => {
    const rule = "ExternalCommitFailedInstallationsInvalid";
    const missing = present(joiner.keys[1]).id;
    for (const failedInstallations of [["ab".repeat(32)], [present(joiner.keys[0]).id], [missing, missing]]) {
      const proposals = [...SIBLINGS.slice(1), INIT, registration({ failedInstallations })];
      expectRule(rule, { proposals });
    }
  });
});
