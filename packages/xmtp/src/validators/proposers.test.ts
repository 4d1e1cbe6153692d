import { describe, test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { encodeAppDataDictionary, encodeRequiredCapabilities, EXTENSION_TYPE, type Proposal } from "@latchkey/mls";
import { COMPONENT } from "../app-data/component.ts";
import { COMPONENT_ID_KEY } from "../app-data/keys.ts";
import { basePolicy } from "../app-data/policy-rules.ts";
import { encodeMapDelta } from "../app-data/tls-map.ts";
import { superAdminListDelta } from "../app-data/updates.ts";
import {
  ComponentMetadataSchema,
  ComponentType,
  MetadataPolicySchema,
  MetadataPolicy_MetadataBasePolicy as Base,
} from "../proto.ts";
import { addProposal, present, removeProposal, testTree, updateProposal } from "../testing/inboxes.ts";
import {
  addGuest,
  admin,
  appData,
  apply,
  asNative,
  entry,
  expectRule,
  FRIEND,
  friend,
  guest,
  guestAdds,
  judge,
  leaf,
  membership,
  SLOT,
} from "../testing/member-commits.ts";

const byReference = true;
const rule = "InsufficientPermissions";
const [ours, theirs] = [leaf(admin), asNative(leaf(admin))];
const phone = leaf(friend);
const stolen = leaf(friend, 1);
/** The friend's second installation is revoked by the third update of its log. */
const afterRevocation = [
  removeProposal(2),
  membership({ op: "update", inboxId: friend.inboxId, entry: entry(3n, SLOT) }),
];
/** The friend proposes and commits what only admins may do to inboxes. */
const byFriend = { committer: FRIEND, byReference };

describe("NAT-02 Adds and Removes in messages of their own, beside a client of XMTP's own library", () => {
  const mixed = testTree(theirs, phone, stolen);
  const besideFriend = testTree(ours, asNative(phone), stolen);

  test("InsufficientPermissions: the leaf of a revoked installation, by a member who may remove no inbox", () => {
    expectRule(rule, afterRevocation, { ...byFriend, members: mixed });
    judge(afterRevocation, { committer: FRIEND, members: mixed });
    judge(afterRevocation, { byReference, members: besideFriend });
  });

  test("the proposer's own leaf is not counted: no other client would have refused it", () => {
    judge(afterRevocation, { ...byFriend, members: testTree(ours, phone, stolen) });
    judge(afterRevocation, { ...byFriend, members: besideFriend });
    expectRule(rule, afterRevocation, { ...byFriend, members: testTree(ours, asNative(phone), asNative(stolen)) });
  });

  test("InsufficientPermissions: a leaf of a super admin, by whomever", () => {
    const promote = superAdminListDelta([{ op: "insert", inboxId: friend.inboxId }]);
    const withTwo = apply(appData, [updateProposal(COMPONENT.superAdminList, promote)]);
    expectRule(rule, afterRevocation, { byReference, members: besideFriend, appData: withTwo });
    judge(afterRevocation, { members: besideFriend, appData: withTwo });
  });

  test("InsufficientPermissions: an installation that its owner registered, by a member who may add no inbox", () => {
    const before = apply(appData, [membership({ op: "insert", inboxId: guest.inboxId, entry: entry(1n) })]);
    const members = testTree(theirs, phone, leaf(guest));
    const late = [
      addProposal(guest.inboxId, present(guest.keys[1])),
      membership({ op: "update", inboxId: guest.inboxId, entry: entry(2n) }),
    ];
    expectRule(rule, late, { ...byFriend, members, appData: before });
    judge(late, { committer: FRIEND, members, appData: before });
    judge(late, { byReference, members: testTree(ours, asNative(phone), leaf(guest)), appData: before });
  });
});

describe("NAT-02 inboxes that come and go, beside a client of XMTP's own library", () => {
  const mixed = { members: testTree(theirs, phone, stolen) };
  const gone = membership({ op: "delete", inboxId: friend.inboxId });

  test("ProposerNotFound: without an Add or a Remove of a leaf of theirs", () => {
    expectRule("ProposerNotFound", [addGuest], mixed);
    judge([...guestAdds, addGuest], mixed);
    expectRule("ProposerNotFound", [gone], { members: testTree(theirs) });
    judge([addGuest]);
    judge([gone], { members: testTree(ours) });
  });

  test("InsufficientPermissions: the Adds or Removes are of somebody else than the change of the membership", () => {
    const sender = { kind: "member", leafIndex: present(mixed.members[FRIEND]).leafIndex } as const;
    const founder = { kind: "member", leafIndex: present(mixed.members[0]).leafIndex } as const;
    const proposals = [...guestAdds, addGuest].map((proposal) => {
      return { proposal, byReference: proposal === addGuest, sender: proposal === addGuest ? founder : sender };
    });
    const borrowed = { committer: FRIEND, change: { proposals } };
    expectRule(rule, [...guestAdds, addGuest], { ...mixed, ...borrowed });
    judge([...guestAdds, addGuest], borrowed);
  });

  test("InsufficientPermissions: a policy with conditions allows nobody", () => {
    const base = basePolicy(Base.ALLOW);
    const any = create(MetadataPolicySchema, { kind: { case: "anyCondition", value: { policies: [base] } } });
    const permissions = { insertPolicy: any, updatePolicy: base, deletePolicy: base };
    const componentType = ComponentType.TLS_MAP_INBOX_ID_BYTES;
    const value = toBinary(ComponentMetadataSchema, create(ComponentMetadataSchema, { componentType, permissions }));
    const delta = encodeMapDelta(COMPONENT_ID_KEY, [{ op: "update", key: COMPONENT.groupMembership, value }]);
    const conditional = apply(appData, [updateProposal(COMPONENT.componentRegistry, delta)]);
    expectRule(rule, [...guestAdds, addGuest], { ...mixed, appData: conditional });
    judge([...guestAdds, addGuest], { appData: conditional });
  });

  test("UnexpectedInstallationAdded: GroupContextExtensions hide the change of the membership", () => {
    const { appDataDictionary, requiredCapabilities } = EXTENSION_TYPE;
    const required = { extensionTypes: [appDataDictionary], proposalTypes: [], credentialTypes: [] };
    const extensions = [
      { type: requiredCapabilities, data: encodeRequiredCapabilities(required) },
      { type: appDataDictionary, data: encodeAppDataDictionary(appData) },
    ];
    const gce: Proposal = { kind: "group_context_extensions", extensions };
    expectRule("UnexpectedInstallationAdded", [gce, ...guestAdds, addGuest], { ...mixed, extensions });
    judge([gce, ...guestAdds, addGuest], { extensions });
    const removal = [gce, removeProposal(1), removeProposal(2), gone];
    expectRule("UnexpectedInstallationsRemoved", removal, { ...mixed, extensions });
    judge(removal, { extensions });
  });
});
