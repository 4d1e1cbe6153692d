import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  encodeAppDataDictionary,
  encodeRequiredCapabilities,
  EXTENSION_TYPE,
  utf8,
  type Extension,
  type Proposal,
} from "@latchkey/mls";
import { nodeCrypto } from "@latchkey/mls/node";
import { COMPONENT } from "../app-data/component.ts";
import { COMPONENT_ID_KEY, INBOX_ID_KEY } from "../app-data/keys.ts";
import type { MembershipEntry, MembershipMutation } from "../app-data/membership.ts";
import { encodeMapDelta, type MapMutation } from "../app-data/tls-map.ts";
import { adminListDelta, registerExternalCommitPolicy, stringUpdate } from "../app-data/updates.ts";
import { enablePolicy, policyUpdate } from "../invite/policy.ts";
import {
  ComponentMetadataSchema,
  ComponentType,
  ExternalCommitPolicyEntrySchema,
  MetadataPolicy_MetadataBasePolicy as Base,
} from "../proto.ts";
import { create, toBinary } from "@bufbuild/protobuf";
import { basePolicy } from "../app-data/policy-rules.ts";
import {
  addProposal,
  hex,
  NEXT_PROTOCOL_VERSION,
  present,
  removeProposal,
  testLeaf,
  testTree,
  updateProposal,
} from "../testing/inboxes.ts";
import { XMTP_PROTOCOL_VERSION } from "../protocol.ts";
import {
  addGuest,
  admin,
  appData,
  apply,
  born,
  entry,
  expectRule,
  FRIEND,
  friend,
  guest,
  guestAdds,
  judge,
  leaf,
  members,
  membership,
  NO_TAG,
  remove,
  SLOT,
} from "../testing/member-commits.ts";

const rename = updateProposal(COMPONENT.groupName, stringUpdate("New name"));

describe("member commits that are accepted", () => {
  test("an empty commit, a rename by an admin, adding and removing an inbox with all its installations", () => {
    judge([], { pathLeaf: leaf(admin) });
    judge([rename]);
    judge([...guestAdds, addGuest]);
    judge([removeProposal(1), removeProposal(2), membership({ op: "delete", inboxId: friend.inboxId })]);
  });

  test("X82-19 a rewrite for a revoked installation carries the tag through", () => {
    const update = membership({ op: "update", inboxId: friend.inboxId, entry: entry(3n, SLOT) });
    judge([removeProposal(2), update]);
    judge([removeProposal(2), update], { committer: FRIEND });
  });

  test("REV-08 an installation listed as failed is added later by its own inbox", () => {
    const failed = apply(born, [
      membership({ op: "insert", inboxId: friend.inboxId, entry: entry(2n, SLOT, [present(friend.keys[1]).id]) }),
    ]);
    const tree = testTree(leaf(admin), leaf(friend));
    const update = membership({ op: "update", inboxId: friend.inboxId, entry: entry(2n, SLOT) });
    const add = addProposal(friend.inboxId, present(friend.keys[1]));
    judge([add, update], { appData: failed, members: tree, committer: FRIEND });
  });

  test("an expected installation whose key package was unusable may be missing", () => {
    judge([...guestAdds.slice(1), addGuest]);
  });

  test("a super admin may replace a leaf by a fresh one of the same installation", () => {
    const add = addProposal(friend.inboxId, present(friend.keys[0]));
    judge([removeProposal(1), add]);
    expectRule(
      "UnexpectedInstallationsRemoved",
      [removeProposal(2), addProposal(friend.inboxId, present(friend.keys[1]))],
      {
        committer: FRIEND,
      },
    );
  });

  test("a leaf may take the key of another installation of its inbox", () => {
    judge([], { committer: FRIEND, members: members.slice(0, 2), pathLeaf: leaf(friend, 1) });
  });
});

describe("framing and senders", () => {
  test("REV-11 UnsupportedMessageType: a member's commit in a PublicMessage", () => {
    expectRule("UnsupportedMessageType", [rename], { change: { wireFormat: "public_message" } });
  });

  test("ActorNotMember: joiners, blank leaves, proposals of strangers, leaves without an inbox", () => {
    const stranger = { proposal: rename, sender: { kind: "external", senderIndex: 0 } as const, byReference: true };
    expectRule("ActorNotMember", [], { change: { sender: { kind: "new_member_commit" } } });
    expectRule("ActorNotMember", [], { committer: 7 });
    expectRule("ActorNotMember", [], { change: { proposals: [stranger] } });
    const nobody = { ...leaf(admin), credential: { kind: "basic", identity: hex("ff") } as const };
    expectRule("ActorNotMember", [rename], { members: testTree(nobody) });
  });

  test("NoPSKSupport, UnsupportedProposalType: proposals that XMTP does not use", () => {
    expectRule("NoPSKSupport", [{ kind: "psk", psk: { kind: "external", pskId: NO_TAG, nonce: NO_TAG } }]);
    const unsupported: Proposal[] = [
      { kind: "reinit", groupId: NO_TAG, version: 1, cipherSuite: 3, extensions: [] },
      { kind: "external_init", kemOutput: NO_TAG },
      { kind: "app_ephemeral", componentId: 1, data: NO_TAG },
      { kind: "self_remove" },
    ];
    for (const proposal of unsupported) expectRule("UnsupportedProposalType", [proposal]);
  });

  test("a proposal counts with the rights of its author, not of the committer", () => {
    const byFriend = {
      proposal: rename,
      sender: { kind: "member", leafIndex: present(members[1]).leafIndex } as const,
    };
    const change = { proposals: [{ ...byFriend, byReference: true }] };
    expectRule("InsufficientPermissions", [rename], { change }, "Denied");
  });

  test("GroupNotMigrated, ComponentSource: states that cannot be read", () => {
    expectRule("GroupNotMigrated", [], { appData: new Map() });
    expectRule("ComponentSource", [], { appData: new Map(appData).set(COMPONENT.superAdminList, hex("01")) });
  });
});

describe("group context extensions", () => {
  const dictionary: Extension = { type: EXTENSION_TYPE.appDataDictionary, data: encodeAppDataDictionary(appData) };
  const gce = (...extensions: Extension[]): Proposal => ({ kind: "group_context_extensions", extensions });
  const required = (...extensionTypes: number[]): Extension => ({
    type: EXTENSION_TYPE.requiredCapabilities,
    data: encodeRequiredCapabilities({ extensionTypes, proposalTypes: [], credentialTypes: [] }),
  });
  const whole = required(EXTENSION_TYPE.appDataDictionary);
  const extensions = [whole, dictionary];

  test("a super admin may change them, others may not", () => {
    judge([gce(whole, dictionary)], { extensions });
    expectRule("InsufficientPermissions", [gce(whole, dictionary)], { extensions, committer: FRIEND });
  });

  test("SEC-08 AppDataChangedByGce: the dictionary stays byte for byte", () => {
    expectRule("AppDataChangedByGce", [gce()], { extensions });
    expectRule("AppDataChangedByGce", [gce({ ...dictionary, data: hex("00") })], { extensions });
  });

  test("ExtensionNotRequired: what the context holds beyond MLS is required of every leaf", () => {
    expectRule("ExtensionNotRequired", [gce(dictionary)], { extensions });
    expectRule("ExtensionNotRequired", [gce(required(), dictionary)], { extensions });
    expectRule("ExtensionNotRequired", [gce({ ...whole, data: hex("ff") }, dictionary)], { extensions });
    const other = { type: EXTENSION_TYPE.lastResort, data: NO_TAG };
    expectRule("ExtensionNotRequired", [gce(whole, dictionary, other)], { extensions });
    const { appDataDictionary, lastResort } = EXTENSION_TYPE;
    judge([gce(required(appDataDictionary, lastResort), dictionary, other)], { extensions });
    judge([gce(whole, dictionary, { type: EXTENSION_TYPE.externalSenders, data: NO_TAG })], { extensions });
  });

  test("LegacyExtensionReintroduced: the form before app data does not come back", () => {
    expectRule("LegacyExtensionReintroduced", [gce(dictionary, { type: 0xff01, data: NO_TAG })], { extensions });
  });
});

describe("app-data writes", () => {
  test("InsufficientPermissions: registry policies decide, by the lists from before the commit", () => {
    expectRule("InsufficientPermissions", [rename], { committer: FRIEND }, "Denied");
    expectRule("InsufficientPermissions", [addGuest], { committer: FRIEND }, "Denied");
    expectRule("InsufficientPermissions", [remove(COMPONENT.groupName)], { committer: FRIEND }, "Denied");
    const promote = updateProposal(COMPONENT.adminList, adminListDelta([{ op: "insert", inboxId: friend.inboxId }]));
    expectRule("InsufficientPermissions", [promote, rename], { committer: FRIEND }, "Denied");
    judge([rename], { appData: apply(appData, [promote]), committer: FRIEND });
  });

  test("InsufficientPermissions: fixed, immutable and unregistered components", () => {
    const register = updateProposal(COMPONENT.componentRegistry, registerExternalCommitPolicy());
    const unregistered = new Map(appData).set(COMPONENT.componentRegistry, hex("00"));
    expectRule("InsufficientPermissions", [register], { appData: unregistered, committer: FRIEND }, "SuperAdminOnly");
    const conversation = updateProposal(COMPONENT.conversationType, hex("00000002"));
    expectRule("InsufficientPermissions", [conversation], {}, "Immutable");
    expectRule("InsufficientPermissions", [remove(COMPONENT.creatorInboxId)], {}, "Immutable");
  });

  test("a policy can be written only after its registration, by a later commit", () => {
    const unregistered = new Map(appData).set(COMPONENT.componentRegistry, hex("00"));
    const register = updateProposal(COMPONENT.componentRegistry, registerExternalCommitPolicy());
    const enable = updateProposal(COMPONENT.externalCommitPolicy, policyUpdate(enablePolicy(nodeCrypto)));
    assert.throws(() => judge([register, enable], { appData: unregistered }), {
      rule: "InsufficientPermissions",
      data: { componentId: COMPONENT.externalCommitPolicy, reason: "NoRegistryEntry" },
    });
    judge([register], { appData: unregistered });
    judge([enable], { appData: apply(unregistered, [register]) });
  });

  test("ComponentPayloadMalformed: a payload that is none of its component", () => {
    const update = updateProposal(COMPONENT.groupMembership, hex("ff"));
    expectRule("ComponentPayloadMalformed", [update], { newAppData: appData });
  });

  test("InvalidRegistryChange: entries that are out of range, fixed, incomplete or too open", () => {
    const names = ["insertPolicy", "updatePolicy", "deletePolicy"];
    const entry = (policy: Base, given: readonly string[]) => {
      const permissions = Object.fromEntries(given.map((name) => [name, basePolicy(policy)]));
      const metadata = create(ComponentMetadataSchema, { componentType: ComponentType.BYTES, permissions });
      return toBinary(ComponentMetadataSchema, metadata);
    };
    const full = (policy: Base) => entry(policy, names);
    const good = full(Base.ALLOW);
    const withoutOne = names.map((left): MapMutation<number> => {
      const given = names.filter((name) => name !== left);
      return { op: "insert", key: 0xc001, value: entry(Base.ALLOW, given) };
    });
    const steps: MapMutation<number>[] = [
      { op: "insert", key: 0x0001, value: good },
      { op: "insert", key: 0xff00, value: good },
      { op: "insert", key: COMPONENT.superAdminList, value: good },
      { op: "insert", key: 0xc001, value: hex("ff") },
      { op: "insert", key: 0xc001, value: hex("0801") },
      ...withoutOne,
      { op: "update", key: COMPONENT.adminList, value: full(Base.ALLOW) },
      { op: "update", key: COMPONENT.creatorInboxId, value: good },
      { op: "delete", key: COMPONENT.conversationType },
    ];
    const delta = (step: MapMutation<number>) =>
      updateProposal(COMPONENT.componentRegistry, encodeMapDelta(COMPONENT_ID_KEY, [step]));
    for (const step of steps) expectRule("InvalidRegistryChange", [delta(step)], { newAppData: appData });
    expectRule("InvalidRegistryChange", [remove(COMPONENT.componentRegistry)], { newAppData: appData });
    judge([delta({ op: "insert", key: 0xc001, value: good })]);
    judge([delta({ op: "update", key: COMPONENT.adminList, value: full(Base.ALLOW_IF_ADMIN) })]);
    judge([delta({ op: "delete", key: COMPONENT.appData })]);
  });

  test("MinVersionDowngrade, MinVersionRemoveOnExistingFloor, ProtocolVersionTooLow: the floor only rises", () => {
    const floor = (version: string) => updateProposal(COMPONENT.minSupportedProtocolVersion, stringUpdate(version));
    judge([floor("1.11.5")]);
    expectRule("MinVersionDowngrade", [floor("1.10.0")]);
    expectRule("MinVersionDowngrade", [floor("newest")]);
    expectRule("MinVersionRemoveOnExistingFloor", [remove(COMPONENT.minSupportedProtocolVersion)]);
    judge([floor(XMTP_PROTOCOL_VERSION)]);
    expectRule("ProtocolVersionTooLow", [floor(NEXT_PROTOCOL_VERSION)]);
    const newer = new Map(appData).set(COMPONENT.minSupportedProtocolVersion, utf8("99.0.0"));
    expectRule("ProtocolVersionTooLow", [], { appData: newer });
    // What a newer build might take is not called forbidden by this one.
    expectRule("ProtocolVersionTooLow", [rename], { appData: newer, committer: FRIEND });
  });

  test("X82-26 the policy that a commit leaves behind must be well formed; an unknown version is not looked into", () => {
    const write = (bytes: Uint8Array) => [updateProposal(COMPONENT.externalCommitPolicy, bytes)];
    const entryOf = (value: { allowExternalCommit?: boolean; externalGroupId?: Uint8Array }) =>
      toBinary(
        ExternalCommitPolicyEntrySchema,
        create(ExternalCommitPolicyEntrySchema, { version: { case: "v1", value } }),
      );
    expectRule("PerInviteFieldNotCleared", write(entryOf({ externalGroupId: SLOT })));
    expectRule("MissingSymmetricKey", write(entryOf({ allowExternalCommit: true, externalGroupId: SLOT })));
    expectRule("ComponentPayloadMalformed", write(hex("ff")));
    judge(write(hex("1200")));
    judge([...write(hex("1200")), ...write(policyUpdate(enablePolicy(nodeCrypto)))]);
    expectRule("InsufficientPermissions", write(hex("1200")), { committer: FRIEND }, "Denied");
  });
});

describe("membership", () => {
  const update = (value: MembershipEntry) => membership({ op: "update", inboxId: friend.inboxId, entry: value });

  test("X82-19 AdmittedViaTagImmutable: set, cleared or changed, by the owner as well, and by delete and insert", () => {
    const rule = "AdmittedViaTagImmutable";
    expectRule(rule, [update(entry(2n))]);
    expectRule(rule, [update(entry(2n, hex("05060708")))], { committer: FRIEND });
    expectRule(rule, [membership({ op: "update", inboxId: admin.inboxId, entry: entry(1n, SLOT) })]);
    expectRule(rule, [...guestAdds, membership({ op: "insert", inboxId: guest.inboxId, entry: entry(2n, SLOT) })]);
    const again: MembershipMutation[] = [
      { op: "delete", inboxId: friend.inboxId },
      { op: "insert", inboxId: friend.inboxId, entry: entry(2n) },
    ];
    expectRule(rule, [membership(...again)]);
    judge([membership(present(again[0]), { op: "insert", inboxId: friend.inboxId, entry: entry(2n, SLOT) })]);
  });

  test("GroupMembershipEntryMalformed: an entry that cannot be read", () => {
    const delta = encodeMapDelta(INBOX_ID_KEY, [{ op: "insert", key: guest.inboxId, value: hex("ff") }]);
    expectRule("GroupMembershipEntryMalformed", [updateProposal(COMPONENT.groupMembership, delta)]);
  });

  test("SequenceIdDecreased: an inbox does not go back in its log", () => {
    expectRule("SequenceIdDecreased", [update(entry(1n, SLOT))]);
  });

  test("InsufficientPermissions: a super admin cannot be removed", () => {
    const both = updateProposal(COMPONENT.adminList, adminListDelta([{ op: "insert", inboxId: friend.inboxId }]));
    const state = apply(appData, [both]);
    const proposals = [removeProposal(0), membership({ op: "delete", inboxId: admin.inboxId })];
    expectRule("InsufficientPermissions", proposals, { appData: state, committer: FRIEND });
  });

  test("SubjectDoesNotExist: the committer's inbox, or that of an updated leaf, is not in the new membership", () => {
    const both = updateProposal(COMPONENT.adminList, adminListDelta([{ op: "insert", inboxId: friend.inboxId }]));
    const gone = membership({ op: "delete", inboxId: friend.inboxId });
    expectRule("SubjectDoesNotExist", [gone], { appData: apply(appData, [both]), committer: FRIEND });
    const updated = [{ leafIndex: present(members[1]).leafIndex, before: leaf(friend), after: leaf(friend) }];
    expectRule("SubjectDoesNotExist", [gone], { change: { updated } });
  });

  test("InboxValidationFailed: leaves that change their inbox, take a stranger's key, or commit though revoked", () => {
    expectRule("InboxValidationFailed", [], { pathLeaf: testLeaf(friend.inboxId, present(admin.keys[0])) });
    expectRule("InboxValidationFailed", [], { pathLeaf: testLeaf(admin.inboxId, present(guest.keys[0])) });
    const nobody = { ...leaf(admin), credential: { kind: "basic", identity: hex("ff") } as const };
    expectRule("InboxValidationFailed", [], { pathLeaf: nobody });
    expectRule("InboxValidationFailed", [update(entry(3n, SLOT))], { committer: 2 });
  });

  test("UnexpectedInstallationAdded: an inbox that was not added, a stranger's key, an installation revoked by now", () => {
    const rule = "UnexpectedInstallationAdded";
    expectRule(rule, guestAdds);
    expectRule(rule, [addProposal(friend.inboxId, present(guest.keys[0]))]);
    const tree = testTree(leaf(admin), leaf(friend));
    const late = [addProposal(friend.inboxId, present(friend.keys[1])), update(entry(3n, SLOT))];
    expectRule(rule, late, { members: tree });
  });

  test("UnexpectedInstallationsRemoved: a leaf that still belongs, one left behind, one listed as failed", () => {
    const rule = "UnexpectedInstallationsRemoved";
    expectRule(rule, [removeProposal(1)]);
    expectRule(rule, [removeProposal(1), membership({ op: "delete", inboxId: friend.inboxId })]);
    expectRule(rule, [update(entry(3n, SLOT))]);
    const failed = entry(3n, SLOT, [present(friend.keys[1]).id]);
    expectRule(rule, [removeProposal(2), update(failed)], { committer: FRIEND });
    judge([removeProposal(2), update(failed)]);
    judge([update(failed)], { committer: FRIEND });
  });

  test("MissingIdentityUpdate: a point of an identity log that does not exist", () => {
    expectRule("MissingIdentityUpdate", [
      ...guestAdds,
      membership({ op: "insert", inboxId: guest.inboxId, entry: entry(9n) }),
    ]);
  });
});
