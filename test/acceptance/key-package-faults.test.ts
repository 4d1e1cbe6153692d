import assert from "node:assert/strict";
import { test } from "node:test";
import { EXTENSION_TYPE, PROPOSAL_TYPE } from "@latchkey/mls";
import type { KeyPackageFault } from "@latchkey/client";
import { installationCapabilities } from "@latchkey/xmtp";
import { keyPackageOf } from "./forge.ts";
import { makeKeyPackage, NATIVE_CAPABILITIES, servedKeyPackages, type MadeKeyPackage } from "./key-packages.ts";
import { epochOf, failsWith, groupOf, mlsOf, World, type Device } from "./support.ts";

const without = (extension: number, proposal?: number) => ({
  ...installationCapabilities,
  extensions: installationCapabilities.extensions.filter((type) => type !== extension),
  proposals: installationCapabilities.proposals.filter((type) => type !== proposal),
});

/** Key packages that cannot be used in a group of the one whose leaf key is copied. */
function faults(copied: Uint8Array): [KeyPackageFault, string | undefined, MadeKeyPackage | null][] {
  return [
    ["missing", undefined, null],
    ["expired", "lifetime", { notAfter: -60n }],
    ["not_last_resort", undefined, { extensions: [] }],
    ["unsupported", "required-capabilities", { capabilities: without(EXTENSION_TYPE.appDataDictionary) }],
    ["unsupported", "required-capabilities", { capabilities: without(0, PROPOSAL_TYPE.app_data_update) }],
    ["unsupported", "leaf-credential", { capabilities: { ...installationCapabilities, credentials: [2] } }],
    ["key_in_use", "unique-encryption-key", { encryptionKey: copied }],
  ];
}

function encryptionKeyOf(device: Device, groupId: string): Uint8Array {
  const [leaf] = [...mlsOf(device, groupId).members()];
  assert.ok(leaf !== undefined);
  return leaf.leafNode.encryptionKey;
}

test("TRU-13 whoever has no key package that can be used keeps nobody else out, and is named with the reason", async (t) => {
  const world = await World.start(t);
  const served = new Map<string, Uint8Array | null>();
  const admin = await world.device("admin", { wrap: servedKeyPackages(served) });
  const people: Device[] = [];
  for (let i = 0; i < 8; i++) people.push(await world.device(`person ${i}`));
  const [honest, ...others] = people;
  assert.ok(honest !== undefined);
  const { conversations } = admin.client;
  const group = await conversations.createGroup([], { name: "Reading circle" });
  const cases = faults(encryptionKeyOf(admin, group.id));
  const expected = new Map<string, unknown>();
  for (const [index, [fault, rule, made]] of cases.entries()) {
    const person = others[index];
    assert.ok(person !== undefined);
    const { inboxId, installationId } = person.client;
    served.set(installationId, made === null ? null : await makeKeyPackage(person, made));
    expected.set(inboxId, [{ installationId, fault, rule }]);
  }
  const inboxIds = people.map(({ client }) => client.inboxId);
  const named = ({ notAdded }: { notAdded: readonly { inboxId: string; unusable: unknown }[] }) =>
    new Map(notAdded.map(({ inboxId, unusable }) => [inboxId, unusable]));

  const addition = await group.addMembers(inboxIds);
  assert.deepEqual(addition.added, [honest.client.inboxId]);
  assert.deepEqual(named(addition), expected);
  assert.deepEqual(group.lastAddition, addition);

  // A copied key is none in a group whose leaf it was not copied from.
  served.delete(others.at(-1)?.client.installationId ?? "");
  const made = await conversations.createGroup(inboxIds);
  assert.equal(made.lastAddition.added.length, 2);
  assert.equal(made.lastAddition.notAdded.length, cases.length - 1);
  await honest.client.conversations.sync();
  for (const { id } of [group, made]) assert.equal(groupOf(honest, id).isActive, true);

  // Nobody at all, or all or nothing: an error that names them, and no commit.
  const before = epochOf(group);
  const [first] = others;
  assert.ok(first !== undefined);
  const refused = await failsWith(group.addMembers([first.client.inboxId]), "KEY_PACKAGE_MISSING");
  assert.deepEqual(refused.data["installations"], [
    {
      inbox: `${first.client.inboxId.slice(0, 8)}…`,
      installation: `${first.client.installationId.slice(0, 8)}…`,
      fault: "missing",
    },
  ]);
  await failsWith(group.addMembers(inboxIds, { allOrNothing: true }), "KEY_PACKAGE_MISSING");
  const groups = conversations.list().length;
  await failsWith(conversations.createGroup(inboxIds, { allOrNothing: true }), "KEY_PACKAGE_MISSING");
  assert.deepEqual(epochOf(group), before);
  assert.equal(conversations.list().length, groups);
});

test("TRU-13 of two key packages with one key in a commit the first is taken", async (t) => {
  const world = await World.start(t);
  const served = new Map<string, Uint8Array | null>();
  const admin = await world.device("admin", { wrap: servedKeyPackages(served) });
  const [one, two] = [await world.device("one"), await world.device("two")];
  const { encryptionKey } = (await keyPackageOf(one)).leafNode;
  served.set(two.client.installationId, await makeKeyPackage(two, { encryptionKey }));
  const group = await admin.client.conversations.createGroup([one.client.inboxId, two.client.inboxId]);
  const [left] = group.lastAddition.notAdded;
  assert.deepEqual(
    [group.lastAddition.added, left?.inboxId, left?.unusable[0]?.fault],
    [[one.client.inboxId], two.client.inboxId, "key_in_use"],
  );
});

test("TRU-13 an own device that cannot be used here is left out of a join, of a new group and of an update", async (t) => {
  const world = await World.start(t);
  const { admin, adminGroup } = await world.group();
  const invite = await adminGroup.createInvite();
  const served = new Map<string, Uint8Array | null>();
  const wrap = servedKeyPackages(served);
  const phone = await world.device("phone", { wrap });
  const { signer } = phone;
  const laptops = [await world.device("stolen", { signer }), await world.device("old", { signer })] as const;
  const copied = encryptionKeyOf(admin, adminGroup.id);
  served.set(laptops[0].client.installationId, await makeKeyPackage(laptops[0], { encryptionKey: copied }));
  const capabilities = without(EXTENSION_TYPE.appDataDictionary);
  served.set(laptops[1].client.installationId, await makeKeyPackage(laptops[1], { capabilities }));
  const faultsIn = (members: ReturnType<typeof adminGroup.members>) =>
    members.find(({ inboxId }) => inboxId === phone.client.inboxId)?.leftOut.map(({ fault }) => fault);

  const { conversations } = phone.client;
  const strict = await failsWith(conversations.joinByInvite(invite.url, { allOrNothing: true }), "KEY_PACKAGE_MISSING");
  assert.match(strict.message, /key_in_use/);
  const { group } = await conversations.joinByInvite(invite.url);
  await adminGroup.sync();
  assert.deepEqual(epochOf(group), epochOf(adminGroup));
  assert.deepEqual(faultsIn(group.members()), ["key_in_use", "unsupported"]);

  const own = await conversations.createGroup([admin.client.inboxId]);
  assert.deepEqual(faultsIn(own.members()), ["unsupported"]);
  assert.equal(own.installationCount, 3);

  // Two more are registered: one can come in, the other one cannot.
  const bad = await world.device("bad tablet", { signer });
  served.set(bad.client.installationId, await makeKeyPackage(bad, { extensions: [] }));
  await world.device("good tablet", { signer });
  await own.updateInstallations();
  assert.equal(own.installationCount, 4);
  assert.deepEqual(faultsIn(own.members())?.sort(), ["not_last_resort", "unsupported"]);
});

test("TRU-13 whoever cannot follow joins by invite is not added while the group has one, unless told to", async (t) => {
  const world = await World.start(t);
  const { adminGroup } = await world.group();
  await adminGroup.createInvite();
  const native = await world.device("native");
  await native.environment.transport.uploadKeyPackage(
    await makeKeyPackage(native, { capabilities: NATIVE_CAPABILITIES }),
  );
  const refused = await failsWith(adminGroup.addMembers([native.client.inboxId]), "KEY_PACKAGE_MISSING");
  assert.match(refused.message, /no_external_commits/);
  assert.deepEqual((await adminGroup.addMembers([native.client.inboxId], { force: true })).added, [
    native.client.inboxId,
  ]);
});
