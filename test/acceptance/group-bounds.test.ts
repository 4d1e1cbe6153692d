import assert from "node:assert/strict";
import { test } from "node:test";
import { EXTENSION_TYPE, PROPOSAL_TYPE } from "@latchkey/mls";
import {
  appDataUpdate,
  applyAppDataUpdates,
  COMPONENT,
  decodeInvitePayload,
  FOLLOWS_EXTERNAL_COMMITS,
  installationCapabilities,
  installationLeaf,
  membershipDelta,
  readGroupState,
} from "@latchkey/xmtp";
import { allRefuseEach, keyPackageOf } from "./forge.ts";
import { makeKeyPackage } from "./key-packages.ts";
import { madeUpBlob } from "./made-up-state.ts";
import { epochOf, failsWith, mlsOf, NO_TRACES, openSlot, traces, World } from "./support.ts";

test("TRU-12 a member without role fills no entry, drops no capability, and stops neither changes nor joins", async (t) => {
  const world = await World.start(t);
  const { admin, member: rogue, adminGroup } = await world.group();
  const honest = await world.device("honest");
  await adminGroup.addMembers([honest.client.inboxId]);
  const invite = await adminGroup.createInvite();
  await honest.client.conversations.sync();
  await rogue.client.conversations.sync();
  const mls = mlsOf(rogue, adminGroup.id);
  const { inboxId } = rogue.client;
  const entry = readGroupState(mls.appData).members.get(inboxId);
  assert.ok(entry !== undefined);

  const made = Array.from({ length: 20_000 }, (_, index) => index.toString(16).padStart(64, "0"));
  const delta = membershipDelta([{ op: "update", inboxId, entry: { ...entry, failedInstallations: made } }]);
  const update = appDataUpdate(COMPONENT.groupMembership, delta);
  const text = appDataUpdate(COMPONENT.groupName, new TextEncoder().encode("x".repeat(200_000)));
  const changes = [update, text].map((proposal) =>
    mls.createCommit({ proposals: [proposal], references: [], appData: applyAppDataUpdates(mls.appData, [proposal]) }),
  );
  const { extensions, proposals } = installationCapabilities;
  const without = (list: readonly number[], dropped: number) => list.filter((type) => type !== dropped);
  const capabilities = installationCapabilities;
  const leaves = [
    { capabilities: { ...capabilities, proposals: without(proposals, PROPOSAL_TYPE.app_data_update) } },
    { capabilities: { ...capabilities, extensions: without(extensions, FOLLOWS_EXTERNAL_COMMITS) } },
    { extensions: [{ type: EXTENSION_TYPE.applicationId, data: new Uint8Array(20_000) }] },
  ].map((leaf) => mls.createCommit({ proposals: [], references: [], leaf: { ...installationLeaf(inboxId), ...leaf } }));
  // The engine of an honest member refuses the first of them itself: new groups require AppDataUpdate.
  const [dropped, ...legal] = leaves;
  assert.ok(dropped !== undefined);
  await failsWith(dropped, "MLS_INVALID", "required-capabilities");
  const rules = ["FailedInstallationsOutOfBounds", "ComponentTooLarge", "MissingCapability", "LeafTooLarge"];
  const commits = await Promise.all([...changes, ...legal]);
  assert.equal(commits.length, rules.length);
  const cases = commits.map(({ message }, index) => [message, rules[index] ?? ""] as const);
  await allRefuseEach([admin, honest], adminGroup.id, cases);

  await adminGroup.updateName("still writable");
  const joiner = await world.device("joiner");
  const { group } = await joiner.client.conversations.joinByInvite(invite.url);
  await adminGroup.sync();
  await adminGroup.createInvite();
  await group.sync();
  assert.deepEqual(epochOf(group), epochOf(adminGroup));
});

test("TRU-12 a joiner is told because of which member a group cannot be joined, before anything is sent", async (t) => {
  const world = await World.start(t);
  const { adminGroup } = await world.group();
  const invite = await adminGroup.createInvite();
  const [founder, old, joiner] = [
    await world.device("founder"),
    await world.device("old"),
    await world.device("joiner"),
  ];
  const { capabilities } = installationLeaf(old.client.inboxId);
  const proposals = capabilities.proposals.filter((type) => type !== PROPOSAL_TYPE.app_data_update);
  await old.environment.transport.uploadKeyPackage(
    await makeKeyPackage(old, { capabilities: { ...capabilities, proposals } }),
  );
  const genuine = await openSlot(founder, invite.payload, world.node.url);
  const { symmetricKey } = decodeInvitePayload(invite.payload);
  const made = { added: [await keyPackageOf(old)], later: 1 };
  const blob = await madeUpBlob(founder, genuine, symmetricKey, made);
  const error = await failsWith(
    joiner.client.joinGroupByExternalInvite(invite.payload, blob),
    "GROUP_UNSUPPORTED",
    "MemberCapabilities",
  );
  assert.deepEqual(error.data["inboxes"], [old.client.inboxId.slice(0, 8)]);
  assert.deepEqual(traces(joiner), NO_TRACES);
});
