import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import {
  encodeRequiredCapabilities,
  EXTENSION_TYPE,
  groupContextBytes,
  PROPOSAL_TYPE,
  utf8,
  type GroupContext,
  type LeafNode,
} from "@latchkey/mls";
import { nodeCrypto } from "@latchkey/mls/node";
import { applyAppDataUpdates, mergeAppData } from "../app-data/apply.ts";
import { COMPONENT } from "../app-data/component.ts";
import { membershipDelta } from "../app-data/membership.ts";
import { groupStateHash } from "../invite/blob.ts";
import { enablePolicy, policyUpdate, revokePolicy, rotatePolicyKey, type PolicySettings } from "../invite/policy.ts";
import { ExternalCommitPolicyEntrySchema } from "../proto.ts";
import { XMTP_CIPHER_SUITE, XMTP_PROTOCOL_VERSION } from "../protocol.ts";
import {
  hex,
  NEXT_PROTOCOL_VERSION,
  present,
  seed,
  TEST_TIME_NS,
  testAppData,
  testInbox,
  testLeaf,
  testTree,
  updateProposal,
} from "../testing/inboxes.ts";
import { checkJoinable, type JoinableInput } from "./joinable.ts";

const suite = nodeCrypto.suite(XMTP_CIPHER_SUITE);
const admin = await testInbox(1);
const adminLeaf = testLeaf(admin.inboxId, present(admin.keys[0]));
const joiner = await testInbox(2);

/** A group that can be joined, and the invite to it. */
function joinable(settings: PolicySettings = {}): JoinableInput {
  const policy = enablePolicy(nodeCrypto, settings);
  const appData = testAppData({ creatorInboxId: admin.inboxId, creatorSequenceId: 1n });
  appData.set(COMPONENT.externalCommitPolicy, policyUpdate(policy));
  const symmetricKey = present(policy.symmetricKey).material;
  return {
    ...groupOf({ appData }),
    payload: { servicePointer: undefined, externalGroupId: policy.externalGroupId, symmetricKey },
    inboxId: joiner.inboxId,
    nowNs: TEST_TIME_NS,
  };
}

function groupOf(options: {
  appData: ReadonlyMap<number, Uint8Array>;
  context?: Partial<GroupContext>;
  leaves?: readonly LeafNode[];
  expiresAtNs?: bigint;
}): Pick<JoinableInput, "info" | "blob"> {
  const context: GroupContext = {
    version: 1,
    cipherSuite: XMTP_CIPHER_SUITE,
    groupId: new Uint8Array(16),
    epoch: 5n,
    treeHash: new Uint8Array(32),
    confirmedTranscriptHash: new Uint8Array(32),
    extensions: [],
    ...options.context,
  };
  const contextBytes = groupContextBytes(context);
  const members = () => testTree(...(options.leaves ?? [adminLeaf]));
  return {
    info: { context, contextBytes, appData: options.appData, members },
    blob: {
      epoch: 5n,
      groupStateHash: groupStateHash(suite, contextBytes),
      expiresAtNs: options.expiresAtNs ?? 0n,
    },
  };
}

function expectCode(code: string, rule: string, input: JoinableInput): void {
  assert.throws(() => checkJoinable(input), { name: "JoinError", code, rule });
}

/** The same invite into a group whose app data is changed. */
function changed(input: JoinableInput, componentId: number, value: Uint8Array): JoinableInput {
  return { ...input, ...groupOf({ appData: new Map(input.info.appData).set(componentId, value) }) };
}

describe("before anything is sent (REV-05)", () => {
  test("a group that can be joined gives its state and policy", () => {
    const input = joinable({ maxUses: 1, expiresAtNs: TEST_TIME_NS + 1n, expireInNs: 5n });
    const { state, policy } = checkJoinable({ ...input, epochStartNs: TEST_TIME_NS });
    assert.deepEqual(policy.externalGroupId, input.payload.externalGroupId);
    assert.equal(state.members.size, 1);
  });

  test("X82-15 INVITE_NO_CANDIDATE: the blob is of another epoch or state", () => {
    const input = joinable();
    const { blob } = input;
    expectCode("INVITE_NO_CANDIDATE", "EpochMismatch", { ...input, blob: { ...blob, epoch: 6n } });
    const other = { ...blob, groupStateHash: seed(1) };
    expectCode("INVITE_NO_CANDIDATE", "GroupStateHashMismatch", { ...input, blob: other });
  });

  test("X82-03 INVITE_DISABLED: the switch is off, or was never on", () => {
    const input = joinable();
    const off = policyUpdate(revokePolicy(undefined));
    expectCode("INVITE_DISABLED", "ExternalCommitNotAllowed", changed(input, COMPONENT.externalCommitPolicy, off));
    const appData = testAppData({ creatorInboxId: admin.inboxId, creatorSequenceId: 1n });
    expectCode("INVITE_DISABLED", "ExternalCommitNotAllowed", { ...input, ...groupOf({ appData }) });
  });

  test("X82-05, X82-07, REV-06 INVITE_ROTATED: the slot id or the key is another one now", () => {
    const input = joinable();
    const policy = enablePolicy(nodeCrypto);
    const newSlot = changed(input, COMPONENT.externalCommitPolicy, policyUpdate(policy));
    expectCode("INVITE_ROTATED", "ExternalGroupIdMismatch", newSlot);
    const { externalGroupId } = policy;
    const old = { ...newSlot.payload, externalGroupId };
    const newKey = changed(input, COMPONENT.externalCommitPolicy, policyUpdate(rotatePolicyKey(nodeCrypto, policy)));
    expectCode("INVITE_ROTATED", "SymmetricKeyMismatch", { ...newKey, payload: old });
  });

  test("REV-06 INVITE_ROTATED: a policy that has no key lets nobody in, not even with an empty one", () => {
    const input = joinable();
    const { externalGroupId } = input.payload;
    const value = create(ExternalCommitPolicyEntrySchema, {
      version: { case: "v1", value: { allowExternalCommit: true, externalGroupId } },
    });
    const keyless = changed(input, COMPONENT.externalCommitPolicy, toBinary(ExternalCommitPolicyEntrySchema, value));
    expectCode("INVITE_ROTATED", "SymmetricKeyMismatch", keyless);
    const payload = { ...input.payload, symmetricKey: new Uint8Array(0) };
    expectCode("INVITE_ROTATED", "SymmetricKeyMismatch", { ...keyless, payload });
  });

  test("X82-08, X82-21 INVITE_EXPIRED: the policy has ended, or the blob has", () => {
    expectCode("INVITE_EXPIRED", "ExternalCommitInviteExpired", joinable({ expiresAtNs: TEST_TIME_NS }));
    const input = joinable();
    const blob = { ...input.blob, expiresAtNs: TEST_TIME_NS };
    expectCode("INVITE_EXPIRED", "Expired", { ...input, blob });
  });

  test("X82-21 INVITE_STALE: the epoch is older than the invite allows; worth another try", () => {
    const input = { ...joinable({ expireInNs: 10n }), epochStartNs: TEST_TIME_NS - 11n };
    assert.throws(() => checkJoinable(input), { code: "INVITE_STALE", retryable: true });
    checkJoinable({ ...input, epochStartNs: TEST_TIME_NS - 10n });
    const shortest = { ...joinable({ expireInNs: 1n }), epochStartNs: TEST_TIME_NS - 2n };
    assert.throws(() => checkJoinable(shortest), { code: "INVITE_STALE" });
  });

  test("X82-21 no age is too old where the invite has no limit, or where the age is not known", () => {
    checkJoinable({ ...joinable(), epochStartNs: 0n });
    checkJoinable(joinable({ expireInNs: 10n }));
  });

  test("X82-11 INVITE_EXHAUSTED: no uses left", () => {
    const input = joinable({ maxUses: 1 });
    const admittedViaExternalGroupId = input.payload.externalGroupId;
    const entry = { sequenceId: 1n, failedInstallations: [], admittedViaExternalGroupId };
    const delta = membershipDelta([{ op: "insert", inboxId: "77".repeat(32), entry }]);
    const update = updateProposal(COMPONENT.groupMembership, delta);
    const appData = mergeAppData(input.info.appData, applyAppDataUpdates(input.info.appData, [update]));
    expectCode("INVITE_EXHAUSTED", "ExternalCommitMaxUsesExhausted", { ...input, ...groupOf({ appData }) });
  });

  test("X82-18 ALREADY_MEMBER: in the membership, or in the tree only; whatever the policy says", () => {
    const input = joinable({ expiresAtNs: 1n });
    const rule = "ExternalCommitJoinerAlreadyMember";
    expectCode("ALREADY_MEMBER", rule, { ...input, inboxId: admin.inboxId });
    const leaves = [adminLeaf, testLeaf(joiner.inboxId, present(joiner.keys[0]))];
    const inTree = groupOf({ appData: input.info.appData, leaves });
    expectCode("ALREADY_MEMBER", rule, { ...input, ...inTree });
  });

  test("GROUP_UNSUPPORTED: legacy form, other suite, direct messages, newer protocol", () => {
    const input = joinable();
    const { appData } = input.info;
    assert.throws(() => checkJoinable({ ...input, ...groupOf({ appData: new Map() }) }), { code: "GROUP_UNSUPPORTED" });
    const noMembership = new Map(appData);
    noMembership.delete(COMPONENT.groupMembership);
    expectCode("GROUP_UNSUPPORTED", "GroupNotMigrated", { ...input, ...groupOf({ appData: noMembership }) });
    const suite1 = groupOf({ appData, context: { cipherSuite: 1 } });
    expectCode("GROUP_UNSUPPORTED", "CipherSuite", { ...input, ...suite1 });
    const dm = changed(input, COMPONENT.conversationType, hex("00000002"));
    expectCode("GROUP_UNSUPPORTED", "ConversationType", dm);
    const newer = changed(input, COMPONENT.minSupportedProtocolVersion, utf8("99.0.0"));
    expectCode("GROUP_UNSUPPORTED", "ProtocolVersionTooLow", newer);
  });

  test("a protocol floor of this very version can be joined, the next patch cannot", () => {
    const input = joinable();
    const floor = (version: string) => changed(input, COMPONENT.minSupportedProtocolVersion, utf8(version));
    checkJoinable(floor(XMTP_PROTOCOL_VERSION));
    expectCode("GROUP_UNSUPPORTED", "ProtocolVersionTooLow", floor(NEXT_PROTOCOL_VERSION));
  });

  test("RFC 9420 §7.2: what everybody supports may be required and is not listed", () => {
    const input = joinable();
    const { appData } = input.info;
    const data = encodeRequiredCapabilities({
      extensionTypes: [1, 2, 3, 4, 5, EXTENSION_TYPE.appDataDictionary],
      proposalTypes: [1, 2, 3, 4, 5, 6, 7, PROPOSAL_TYPE.app_data_update],
      credentialTypes: [1],
    });
    const context = { extensions: [{ type: EXTENSION_TYPE.requiredCapabilities, data }] };
    checkJoinable({ ...input, ...groupOf({ appData, context }) });
  });

  test("GROUP_UNSUPPORTED: capabilities that the group requires or its members lack", () => {
    const input = joinable();
    const { appData } = input.info;
    for (const required of [
      { extensionTypes: [EXTENSION_TYPE.lastResort, 0xfff0], proposalTypes: [], credentialTypes: [] },
      { extensionTypes: [1], proposalTypes: [7, 9], credentialTypes: [] },
    ]) {
      const data = encodeRequiredCapabilities(required);
      const context = { extensions: [{ type: EXTENSION_TYPE.requiredCapabilities, data }] };
      expectCode("GROUP_UNSUPPORTED", "RequiredCapabilities", { ...input, ...groupOf({ appData, context }) });
    }
    for (const lack of [{ proposals: [7] }, { extensions: [] }]) {
      const old = { ...adminLeaf, capabilities: { ...adminLeaf.capabilities, ...lack } };
      expectCode("GROUP_UNSUPPORTED", "MemberCapabilities", { ...input, ...groupOf({ appData, leaves: [old] }) });
    }
  });
});
