import assert from "node:assert/strict";
import { createServer } from "node:http";
import { test, type TestContext } from "node:test";
import type { Group, Invite, Slot, SlotCredentials } from "@latchkey/client";
import { LatchkeyError, toHex } from "@latchkey/mls";
import { nodeCrypto } from "@latchkey/mls/node";
import { createNode } from "@latchkey/node";
import { XMTP_CIPHER_SUITE } from "@latchkey/xmtp";
import { keylessSlot, presentBlob, slotOf } from "./blobs.ts";
import { epochOf, failsWith, groupOf, World, type Device, type Wrap } from "./support.ts";

/** A device whose uploads never arrive while `broken()`. */
function withoutUploads(broken: () => boolean): Wrap {
  return (environment) => {
    const { slots } = environment;
    const upload: typeof slots.upload = async (...args) => {
      if (broken()) throw new LatchkeyError("NODE_UNREACHABLE", "no answer (made up by a test)", { retryable: true });
      return slots.upload(...args);
    };
    return { ...environment, slots: { ...slots, upload } };
  };
}

/** What a program of 0.1.0 shows at a slot: the credential of the present key in version 1, and no other. */
function version1({ credentials }: Slot): SlotCredentials {
  const [current] = credentials?.earlier ?? [];
  if (current === undefined) throw new Error("no credential of version 1");
  return { current, currentHash: nodeCrypto.suite(XMTP_CIPHER_SUITE).hash(current), earlier: [] };
}

/** Blobs of the group that nobody's key opens, as a vandal makes them. */
function junkOf(device: Device, groupId: string): Promise<Uint8Array> {
  return presentBlob(device, groupId, { key: nodeCrypto.randomBytes(32) });
}

async function refused(upload: Promise<unknown>): Promise<void> {
  const { data } = await failsWith(upload, "INVITE_SLOT_CLOSED");
  assert.equal(data["nodeCode"], "SLOT_FORBIDDEN");
}

test("X82-13 who knows the slot and not the key cannot write it; who has nothing but the link can", async (t) => {
  const world = await World.start(t);
  const { admin, adminGroup } = await world.group();
  const invite = await adminGroup.createInvite();
  const vandal = await world.device("vandal");
  const { slots } = vandal.environment;
  const slot = keylessSlot(invite.payload, world.node.url);
  for (let count = 0; count < 8; count++) await refused(slots.upload(slot, await junkOf(admin, adminGroup.id)));
  assert.equal((await slots.fetch(slot)).blobs?.length, 1);

  // A joiner leaves a fresh blob for the next one, with the members offline.
  const [first, second] = [await world.device("first"), await world.device("second")];
  await first.client.conversations.joinByInvite(invite.url);
  const { group } = await second.client.conversations.joinByInvite(invite.url);
  await adminGroup.sync();
  assert.deepEqual(epochOf(group), epochOf(adminGroup));
});

test("X82-05 with the key the credential of the slot is replaced: links from before can neither read nor write from then on", async (t) => {
  const world = await World.start(t);
  const { admin, adminGroup, memberGroup } = await world.group();
  const before = await adminGroup.createInvite();
  const after = await adminGroup.rotateInvite();
  assert.equal(after.externalGroupId, before.externalGroupId);
  const vandal = await world.device("vandal");
  await refused(
    vandal.environment.slots.upload(slotOf(before.payload, world.node.url), await junkOf(admin, adminGroup.id)),
  );

  // Members that follow, and joiners by the new link, write on.
  await memberGroup.updateName("Renamed");
  const joiner = await world.device("joiner");
  const { group } = await joiner.client.conversations.joinByInvite(after.url);
  const next = await world.device("next");
  assert.equal((await next.client.conversations.joinByInvite(after.url)).group.name, "Renamed");
  await group.sync();
});

test("X82-05 an admin that dies before its upload, twice: a member that saw the keys change puts the new credential in place", async (t) => {
  const world = await World.start(t);
  const { admin, member } = await world.group();
  let broken = false;
  await world.restart(
    admin,
    withoutUploads(() => broken),
  );
  const adminGroup = admin.client.conversations.list()[0];
  assert.ok(adminGroup !== undefined);
  const links = [await adminGroup.createInvite()];
  broken = true;
  for (let count = 0; count < 2; count++) {
    const rotated: Invite = await adminGroup.rotateInvite();
    assert.equal(
      rotated.uploadFailure?.code,
      "NODE_UNREACHABLE",
      "the key is replaced, and the caller learns the rest",
    );
    links.push(rotated);
  }
  await world.restart(member);
  const memberGroup = groupOf(member, adminGroup.id);
  await memberGroup.sync();
  await world.restart(member);

  await groupOf(member, adminGroup.id).refreshInvite();

  const joiner = await world.device("joiner");
  const url = links.at(-1)?.url ?? "";
  const { group } = await joiner.client.conversations.joinByInvite(url);
  assert.equal(group.isActive, true);
  const { slots } = joiner.environment;
  for (const old of links.slice(0, -1)) {
    await refused(slots.upload(slotOf(old.payload, world.node.url), await junkOf(admin, group.id)));
  }
});

/** A second admin in the group of the first; `beforeUpload` comes before each of the first one's uploads. */
async function twoAdmins(t: TestContext, beforeUpload: (slot: Slot, admins: Group[]) => Promise<void>) {
  const world = await World.start(t);
  const { admin, member, adminGroup, memberGroup } = await world.group();
  await adminGroup.promote(member.client.inboxId, "super_admin");
  await memberGroup.sync();
  const admins: Group[] = [];
  await world.restart(admin, (environment) => {
    const { slots } = environment;
    const upload: typeof slots.upload = async (slot, ...rest) => {
      await beforeUpload(slot, admins);
      await slots.upload(slot, ...rest);
    };
    return { ...environment, slots: { ...slots, upload } };
  });
  admins.push(groupOf(admin, adminGroup.id), memberGroup);
  return { world, first: groupOf(admin, adminGroup.id), second: memberGroup };
}

test("X82-05 two admins replace the key at the same moment: neither is told of a failure, and the link in force works", async (t) => {
  let armed = false;
  const { world, first, second } = await twoAdmins(t, async (_, [, other]) => {
    if (!armed) return;
    armed = false;
    // The other one is through before the blob of the first arrives.
    assert.equal((await other?.rotateInvite())?.uploadFailure, undefined);
  });
  await first.createInvite();
  armed = true;
  const { url, uploadFailure } = await first.rotateInvite();
  assert.equal(uploadFailure, undefined);
  assert.equal(url, second.invite?.url);
  const joiner = await world.device("joiner");
  assert.equal((await joiner.client.conversations.joinByInvite(url)).group.isActive, true);
});

test("X82-05 a blob that comes late to a second service, behind two new keys, does not lead its slot back to the old key", async (t) => {
  const seen: Slot[] = [];
  let state: "broken" | "armed" | "whole" = "broken";
  const { world, first } = await twoAdmins(t, async (slot, [own]) => {
    if (state === "broken") throw new LatchkeyError("NODE_UNREACHABLE", "made up by a test", { retryable: true });
    seen.push(slot);
    if (state === "whole") return;
    state = "whole";
    for (let count = 0; count < 2; count++) await own?.rotateInvite();
  });
  const service = await createNode({ dataDir: world.path("second service") });
  t.after(() => service.close());
  const invite = await first.createInvite({ refreshPointers: [world.node.url, service.url] });
  state = "armed";
  await first.refreshInvite();
  const old = toHex(slotOf(invite.payload, service.url).credentials?.current ?? new Uint8Array(0));
  const currentOf = ({ credentials }: Slot) => toHex(credentials?.current ?? new Uint8Array(0));
  const there = seen.filter(({ serviceUrl }) => serviceUrl === service.url);
  const late = there.findLast((slot) => currentOf(slot) === old);
  const newer = there.map(currentOf).filter((current) => current !== old);
  assert.ok(late?.credentials !== undefined && newer.length > 1);
  assert.ok(late.credentials.earlier.every((credential) => !newer.includes(toHex(credential))));
});

test("X82-13 a slot that a holder of the link has locked: changes of the group go on, members are told, a fresh slot helps", async (t) => {
  const world = await World.start(t);
  const { admin, adminGroup, memberGroup } = await world.group();
  const invite = await adminGroup.createInvite();
  assert.equal(invite.uploadFailure, undefined);
  await memberGroup.sync();
  const vandal = await world.device("vandal");
  const known = slotOf(invite.payload, world.node.url).credentials?.current;
  assert.ok(known !== undefined);
  const locked = {
    current: nodeCrypto.randomBytes(32),
    currentHash: nodeCrypto.randomBytes(32),
    earlier: [known],
  };
  const slot = { ...keylessSlot(invite.payload, world.node.url), credentials: locked };
  await vandal.environment.slots.upload(slot, await junkOf(admin, adminGroup.id));

  await memberGroup.updateName("Renamed all the same");
  assert.equal(memberGroup.invite?.uploadFailure?.code, "INVITE_SLOT_CLOSED");
  await failsWith(memberGroup.refreshInvite(), "INVITE_SLOT_CLOSED");
  const fresh = await adminGroup.rotateInvite();
  assert.equal(fresh.uploadFailure?.code, "INVITE_SLOT_CLOSED");
  const moved = await adminGroup.rotateInvite({ slot: true });
  assert.equal(moved.uploadFailure, undefined);
  const joiner = await world.device("joiner");
  assert.equal((await joiner.client.conversations.joinByInvite(moved.url)).group.name, "Renamed all the same");
  await memberGroup.sync();
  await memberGroup.refreshInvite();
  assert.equal(memberGroup.invite.uploadFailure, undefined);
});

test("X82-12 a slot that was begun without a credential stays open to programs that know none, and to those that do", async (t) => {
  const world = await World.start(t);
  const { admin, memberGroup } = await world.group();
  await world.restart(admin, (environment) => ({ ...environment, slotCredentials: false }));
  const adminGroup = groupOf(admin, memberGroup.id);
  const invite = await adminGroup.createInvite();
  await memberGroup.sync();
  await memberGroup.updateName("With a credential");
  await adminGroup.sync();
  await adminGroup.updateName("Without");
  const joiner = await world.device("joiner");
  assert.equal((await joiner.client.conversations.joinByInvite(invite.url)).group.name, "Without");
});

test("X82-01 blobs that are padded are of one size for groups of many sizes, and join as others do", async (t) => {
  const world = await World.start(t);
  const padding: Wrap = (environment) => ({ ...environment, padBlobs: true });
  const admin = await world.device("admin", { wrap: padding });
  const adminGroup = await admin.client.conversations.createGroup();
  const invite = await adminGroup.createInvite();
  for (const name of ["first", "second", "third"]) {
    const joiner = await world.device(name, { wrap: padding });
    await joiner.client.conversations.joinByInvite(invite.url);
  }
  const slot = keylessSlot(invite.payload, world.node.url);
  const { blobs = [] } = await admin.environment.slots.fetch(slot);
  const sizes = new Set(blobs.map(({ length }) => length));
  assert.ok(blobs.length >= 4);
  assert.ok(Math.max(...sizes) - Math.min(...sizes) <= 4, "epoch and expiry are numbers of different lengths");
});

test("TRU-15 a service uses the credential that it was shown at another service of the invite: refused there", async (t) => {
  const world = await World.start(t);
  const other = await createNode({ dataDir: world.path("other service") });
  t.after(() => other.close());
  const { admin, adminGroup } = await world.group();
  const shown = new Map<string, Slot>();
  await world.restart(admin, (environment) => {
    const { slots } = environment;
    const upload: typeof slots.upload = async (slot, ...rest) => {
      shown.set(slot.serviceUrl, slot);
      await slots.upload(slot, ...rest);
    };
    return { ...environment, slots: { ...slots, upload } };
  });
  const group = groupOf(admin, adminGroup.id);
  const invite = await group.createInvite({ refreshPointers: [world.node.url, other.url] });
  const atOther = shown.get(other.url);
  assert.ok(atOther?.credentials !== undefined);
  const { slots } = (await world.device("hostile service")).environment;
  await slots.upload(atOther, await junkOf(admin, group.id));
  // Neither that credential nor the one of version 1, which a refusal would have brought out, is of any use.
  await refused(slots.upload({ ...atOther, serviceUrl: world.node.url }, await junkOf(admin, group.id)));

  // A service that neither the invite nor the policy names is shown nothing: here the joiner's own.
  const puts: string[] = [];
  const own = createServer((request, response) => {
    if (request.method === "PUT") puts.push(request.headers.authorization ?? "");
    request.resume();
    response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => own.listen(0, "127.0.0.1", resolve));
  t.after(() => own.close());
  const address = own.address();
  assert.ok(address !== null && typeof address === "object");
  const inviteServiceUrl = `http://127.0.0.1:${address.port}`;
  const joiner = await world.device("joiner", { wrap: (environment) => ({ ...environment, inviteServiceUrl }) });
  const joined = await joiner.client.conversations.joinByInvite(invite.url);
  await joined.group.updateName("Renamed");
  await joined.group.refreshInvite({ deep: true });
  assert.deepEqual(puts, []);
  const next = await world.device("next");
  assert.equal((await next.client.conversations.joinByInvite(invite.url)).group.name, "Renamed");
});

test("TRU-15 a slot closed under version 1 is taken over and moved on, also when its key was replaced meanwhile", async (t) => {
  const world = await World.start(t);
  const { admin, adminGroup, memberGroup } = await world.group();
  let mode: "version 1" | "broken" | "present" = "version 1";
  await world.restart(admin, (environment) => {
    const { slots } = environment;
    const upload: typeof slots.upload = async (slot, ...rest) => {
      if (mode === "broken") throw new LatchkeyError("NODE_UNREACHABLE", "made up by a test", { retryable: true });
      await slots.upload(mode === "version 1" ? { ...slot, credentials: version1(slot) } : slot, ...rest);
    };
    return { ...environment, slots: { ...slots, upload } };
  });
  const group = groupOf(admin, adminGroup.id);
  const first = await group.createInvite();
  const slot = slotOf(first.payload, world.node.url);
  const old = { ...slot, credentials: version1(slot) };
  const { slots } = (await world.device("program of 0.1.0")).environment;
  await slots.upload(old, await junkOf(admin, group.id));
  mode = "present";
  await group.updateName("Moved on");
  assert.equal(group.invite?.uploadFailure, undefined);
  await refused(slots.upload(old, await junkOf(admin, group.id)));
  await memberGroup.sync();

  // The same with a database that remembers the key before as 0.1.0 did.
  mode = "version 1";
  const second = await group.rotateInvite({ slot: true });
  mode = "broken";
  const rotated = await group.rotateInvite();
  assert.equal(rotated.uploadFailure?.code, "NODE_UNREACHABLE");
  const { store } = admin.environment;
  const [row] = store.slotCredentials.list();
  assert.ok(row !== undefined);
  const { current } = version1(slotOf(second.payload, world.node.url));
  store.transaction((tables) =>
    tables.slotCredentials.put({ ...row, credentials: current, secrets: new Uint8Array(0) }),
  );
  await world.restart(admin);
  await groupOf(admin, group.id).refreshInvite();
  const joiner = await world.device("joiner");
  assert.equal((await joiner.client.conversations.joinByInvite(rotated.url)).group.name, "Moved on");
});
