import { test, type TestContext } from "node:test";
import {
  asLeafIndex,
  decodeMlsMessage,
  encodeMlsMessage,
  EXTENSION_TYPE,
  utf8,
  verifyGroupInfo,
  type Proposal,
} from "@latchkey/mls";
import { nodeCrypto } from "@latchkey/mls/node";
import { appDataUpdate, COMPONENT, encodeMapDelta, INBOX_ID_KEY, membershipDelta } from "@latchkey/xmtp";
import {
  allRefuse,
  allRefuseEach,
  byValue,
  forgeExternalCommit,
  keyPackageOf,
  rawExternalCommit,
  type RawJoin,
  type RawUpdate,
} from "./forge.ts";
import { withoutKeyPackage } from "./key-packages.ts";
import { mlsOf, openSlot, publishRaw, World, type Device } from "./support.ts";

/** A group with an invite in force, and a stranger who has opened its blob. */
async function doorstep(t: TestContext) {
  const world = await World.start(t);
  const { admin, member, adminGroup, memberGroup } = await world.group();
  const invite = await adminGroup.createInvite();
  await memberGroup.sync();
  const joiner = await world.device("joiner");
  const groupInfo = await openSlot(joiner, invite.payload, world.node.url);
  const members: readonly Device[] = [admin, member];
  return { world, admin, member, members, joiner, groupInfo, groupId: adminGroup.id };
}

type Doorstep = Awaited<ReturnType<typeof doorstep>>;

/** A raw commit for each variation, with the rule it has to be refused by. */
async function refuseVariations(
  { members, groupId, joiner, groupInfo }: Doorstep,
  variations: readonly (readonly [RawJoin, string])[],
): Promise<void> {
  const messages = [];
  for (const [join, rule] of variations) {
    messages.push([await rawExternalCommit(joiner, groupInfo, join), rule] as const);
  }
  await allRefuseEach(members, groupId, messages);
}

/** The joiner's own entry as a mutation. */
const ownEntry = (device: Device) => ({ op: "insert", inboxId: device.client.inboxId }) as const;

const externalProposal = { code: "MLS_INVALID", rule: "external-proposal" };
const externalInit = { code: "MLS_INVALID", rule: "external-init" };

/** An ExternalInit that nobody gets to open: the shape of the list is judged before. */
const INIT = byValue({ kind: "external_init", kemOutput: new Uint8Array(32) });

test("X82-09 an external commit that also renames the group, or only does so, is rejected", async (t) => {
  const rename: RawUpdate = { componentId: COMPONENT.groupName, update: utf8("mine now") };
  await refuseVariations(await doorstep(t), [
    [{ updates: (registration) => [registration, rename] }, "ExternalCommitAppDataUpdateMultiple"],
    [{ updates: () => [rename] }, "ExternalCommitAppDataUpdateWrongComponent"],
  ]);
});

test("X82-09 an external commit whose membership change is more or less than its own insert is rejected", async (t) => {
  const door = await doorstep(t);
  const { joiner, admin, members, groupId, groupInfo } = door;
  const entry = { sequenceId: 1n, failedInstallations: [], admittedViaExternalGroupId: new Uint8Array(16) };
  const delta = (...mutations: Parameters<typeof membershipDelta>[0]) => ({
    updates: () => [{ componentId: COMPONENT.groupMembership, update: membershipDelta(mutations) }],
  });
  const own = { ...ownEntry(joiner), entry };
  const malformed = encodeMapDelta(INBOX_ID_KEY, [{ op: "insert", key: joiner.client.inboxId, value: utf8("\u00ff") }]);
  const raw = (update: Uint8Array) => ({ updates: () => [{ componentId: COMPONENT.groupMembership, update }] });
  const outOfScope = "ExternalCommitAppDataUpdateOutOfScope";
  await refuseVariations(door, [
    [delta(), outOfScope],
    [delta(own, { op: "delete", inboxId: admin.client.inboxId }), outOfScope],
    [delta(own, { ...own, inboxId: "99".repeat(32) }), outOfScope],
    [delta({ ...own, inboxId: "99".repeat(32) }), outOfScope],
    [delta({ ...own, op: "update" }), outOfScope],
    [delta({ op: "delete", inboxId: admin.client.inboxId }), outOfScope],
    [raw(utf8("\u00ff")), "ExternalCommitAppDataUpdatePayloadMalformed"],
    [raw(malformed), "GroupMembershipEntryMalformed"],
    [{ tag: new Uint8Array(0) }, "ExternalCommitAdmittedViaTagMismatch"],
    [{ tag: new Uint8Array(16) }, "ExternalCommitAdmittedViaTagMismatch"],
    [{ updates: () => [] }, "ExternalCommitAppDataUpdateMissing"],
  ]);
  const remove: Proposal = {
    kind: "app_data_update",
    componentId: COMPONENT.groupMembership,
    operation: { kind: "remove" },
  };
  const removal = await forgeExternalCommit(joiner, groupInfo, [INIT, byValue(remove)]);
  await allRefuse(members, groupId, removal, outOfScope);
});

test("X82-10 an external commit that adds a key package of another inbox is rejected", async (t) => {
  const door = await doorstep(t);
  const friend = await door.world.device("friend");
  const adds = [await keyPackageOf(friend)];
  await refuseVariations(door, [[{ adds }, "CrossInboxAddInExternalCommit"]]);
});

test("X82-22 an external commit with a PSK proposal is rejected", async (t) => {
  const { members, groupId, joiner, groupInfo } = await doorstep(t);
  const psks = [{ kind: "external", pskId: utf8("door"), nonce: new Uint8Array(32) } as const];
  const commit = await rawExternalCommit(joiner, groupInfo, { psks });
  await allRefuse(members, groupId, commit, externalProposal);
});

test("SEC-04 an external commit that removes a member is rejected, be it another or its own inbox", async (t) => {
  const { world, members, member, groupId, joiner, groupInfo } = await doorstep(t);
  // Without a key package nobody lets it in by itself.
  const { device: tablet } = await withoutKeyPackage(world, "tablet", member.signer);
  const messages = [];
  for (const [device, leaf] of [
    [joiner, 0],
    [joiner, 1],
    [tablet, 1],
  ] as const) {
    const commit = await rawExternalCommit(device, groupInfo, { resync: asLeafIndex(leaf) });
    messages.push([commit, externalProposal] as const);
  }
  await allRefuseEach(members, groupId, messages);
});

test("X82-09 an external commit with any other kind of proposal is rejected before it is tried", async (t) => {
  const { members, groupId, joiner, groupInfo } = await doorstep(t);
  const info = await verifyGroupInfo({ crypto: nodeCrypto }, groupInfo);
  const { leafNode } = await keyPackageOf(joiner);
  const others: readonly Proposal[] = [
    { kind: "self_remove" },
    { kind: "group_context_extensions", extensions: info.context.extensions },
    { kind: "update", leafNode: { ...leafNode, source: { kind: "update" } } },
    { kind: "reinit", groupId: utf8("other"), version: 1, cipherSuite: 3, extensions: [] },
    { kind: "app_ephemeral", componentId: COMPONENT.groupMembership, data: utf8("x") },
  ];
  const messages = [];
  for (const other of others) {
    messages.push([await forgeExternalCommit(joiner, groupInfo, [INIT, byValue(other)]), externalProposal] as const);
  }
  await allRefuseEach(members, groupId, messages);
});

test("X82-09 an external commit has exactly one ExternalInit, refers to no proposal, and brings a path", async (t) => {
  const { members, member, groupId, joiner, groupInfo } = await doorstep(t);
  const registration = byValue(appDataUpdate(COMPONENT.groupMembership, membershipDelta([])));
  await allRefuseEach(members, groupId, [
    [await forgeExternalCommit(joiner, groupInfo, [registration]), externalInit],
    [await forgeExternalCommit(joiner, groupInfo, [INIT, INIT, registration]), externalInit],
    [
      await forgeExternalCommit(joiner, groupInfo, [INIT, { kind: "reference", reference: new Uint8Array(32) }]),
      { code: "MLS_INVALID", rule: "proposal-reference" },
    ],
  ]);

  // A member's genuine proposal, which everybody keeps, and which an outsider then commits.
  const { message, reference } = await mlsOf(member, groupId).createUpdate();
  await publishRaw(member, message);
  const referring = await forgeExternalCommit(joiner, groupInfo, [
    INIT,
    registration,
    { kind: "reference", reference },
  ]);
  const [admin] = members;
  if (admin === undefined) throw new Error("no admin");
  await allRefuse([admin], groupId, referring, { code: "MLS_INVALID", rule: "external-by-reference" });
});

test("X82-09 an external commit without a path is rejected", async (t) => {
  const { members, groupId, joiner, groupInfo } = await doorstep(t);
  const pathless = await forgeExternalCommit(joiner, groupInfo, [INIT], { path: false });
  await allRefuse(members, groupId, pathless, { code: "MLS_INVALID", rule: "path-required" });
});

test("SEC-02 a joiner that leaves one of its installations out silently is rejected", async (t) => {
  const door = await doorstep(t);
  const { world, joiner } = door;
  await world.device("laptop", { signer: joiner.signer });
  await refuseVariations(door, [[{}, "ExternalCommitInstallationMissing"]]);
});

test("SEC-02 a joiner that lists as failed what is not missing is rejected", async (t) => {
  const door = await doorstep(t);
  const claims = [[door.joiner.client.installationId], ["77".repeat(32)]];
  await refuseVariations(
    door,
    claims.map((failedInstallations) => [{ failedInstallations }, "ExternalCommitFailedInstallationsInvalid"]),
  );
});

test("SEC-08 an external commit that changes the app data by GroupContextExtensions is rejected", async (t) => {
  const { members, groupId, joiner, groupInfo } = await doorstep(t);
  const info = await verifyGroupInfo({ crypto: nodeCrypto }, groupInfo);
  const extensions = info.context.extensions.filter(({ type }) => type !== EXTENSION_TYPE.appDataDictionary);
  const change: Proposal = { kind: "group_context_extensions", extensions };
  const commit = await forgeExternalCommit(joiner, groupInfo, [INIT, byValue(change)]);
  await allRefuse(members, groupId, commit, externalProposal);
});

test("SEC-06 a confirmation tag that is cut, empty, too long or wrong never matches", async (t) => {
  const { members, groupId, joiner, groupInfo } = await doorstep(t);
  const genuine = decodeMlsMessage(await rawExternalCommit(joiner, groupInfo));
  if (genuine.wireFormat !== "public_message") throw new Error("not a PublicMessage");
  const { message } = genuine;
  const tag = message.auth.confirmationTag ?? new Uint8Array(0);
  const wrong = tag.slice();
  wrong[0] = (wrong[0] ?? 0) ^ 1;
  const tags = [tag.slice(0, -1), tag.slice(0, 1), new Uint8Array(0), Uint8Array.of(...tag, 0), wrong];
  await allRefuseEach(
    members,
    groupId,
    tags.map((confirmationTag) => [
      encodeMlsMessage({
        wireFormat: "public_message",
        message: { ...message, auth: { ...message.auth, confirmationTag } },
      }),
      { code: "MLS_INVALID", rule: "confirmation-tag" },
    ]),
  );
});
