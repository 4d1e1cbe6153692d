import assert from "node:assert/strict";
import { test } from "node:test";
import { fromHex, MlsGroup } from "@latchkey/mls";
import { nodeCrypto } from "@latchkey/mls/node";
import { installationLeaf, oneshotExtensions, welcomeMessages, XMTP_CIPHER_SUITE } from "@latchkey/xmtp";
import { keyPackageOf } from "./forge.ts";
import { strangersGroup } from "./strangers-group.ts";
import { configOf, epochOf, groupOf, textsOf, World, type Device } from "./support.ts";

const DAY_NS = 86_400_000_000_000n;

/** Sends what a parted installation sends, whoever does it and whatever its state is. */
async function ask(from: Device, to: Device, groupId: string): Promise<void> {
  const { inboxId } = from.client;
  const group = await MlsGroup.create(configOf(from), {
    cipherSuite: XMTP_CIPHER_SUITE,
    groupId: nodeCrypto.randomBytes(16),
    extensions: oneshotExtensions({
      creatorInboxId: inboxId,
      members: new Map([[inboxId, 1n]]),
      failedInstallations: [],
      request: { groupId: fromHex(groupId), latestCommitId: 0n },
    }),
    leaf: installationLeaf(inboxId),
    lifetime: { notBefore: 0n, notAfter: 2n ** 40n },
  });
  const keyPackage = await keyPackageOf(to);
  const { welcome } = await group.createCommit({ proposals: [{ kind: "add", keyPackage }] });
  assert.ok(welcome !== undefined);
  const suite = nodeCrypto.suite(XMTP_CIPHER_SUITE);
  await to.environment.transport.sendWelcomeMessages(
    await welcomeMessages(suite, { welcome, messageCursor: 0n }, [keyPackage]),
  );
}

test("TRU-10 a request to be added again is answered once a day, for a leaf of the group, by a super admin's client", async (t) => {
  const world = await World.start(t);
  const { admin, member, adminGroup, memberGroup } = await world.group();
  const stranger = await world.device("stranger");
  const { id } = adminGroup;
  const begin = adminGroup.epoch;
  const syncs = async () => {
    for (const device of [admin, member, admin]) await device.client.conversations.sync();
  };
  await ask(stranger, admin, id);
  await ask(admin, member, id);
  await syncs();
  assert.deepEqual([adminGroup.epoch, memberGroup.epoch], [begin, begin], "neither a stranger nor a plain member");
  assert.deepEqual(admin.client.conversations.listUnsupported(), []);
  // A member in good order asks as well: it is added again, and comes back by the Welcome of a super admin.
  await ask(member, admin, id);
  await syncs();
  assert.equal(adminGroup.epoch, begin + 1n);
  assert.deepEqual(epochOf(memberGroup), epochOf(adminGroup));
  await adminGroup.send("welcome back");
  await memberGroup.sync();
  assert.deepEqual([memberGroup.status, textsOf(memberGroup)], ["confirmed", ["welcome back"]]);
  for (let again = 0; again < 3; again++) {
    await ask(member, admin, id);
    await syncs();
  }
  assert.equal(adminGroup.epoch, begin + 1n);
  // As if all of that had been a day ago.
  admin.environment.store.transaction(({ readds }) => {
    for (const row of readds.list()) {
      readds.put({ ...row, requestedAtNs: row.requestedAtNs - DAY_NS, doneAtNs: row.doneAtNs - DAY_NS });
    }
  });
  await ask(member, admin, id);
  await syncs();
  assert.equal(adminGroup.epoch, begin + 2n);
});

test("TRU-10 a Welcome replaces no group in good order, whoever signs it", async (t) => {
  const world = await World.start(t);
  const { admin, member, adminGroup, memberGroup } = await world.group();
  await adminGroup.send("true");
  await memberGroup.sync();
  const before = epochOf(memberGroup);
  // The super admin itself makes another group of the same id.
  await strangersGroup(admin, adminGroup.id, [member], "another");
  await member.client.conversations.sync();
  const view = groupOf(member, adminGroup.id);
  assert.deepEqual(
    [epochOf(view), view.name, view.status, textsOf(view)],
    [before, "Reading circle", "confirmed", ["true"]],
  );
  const [conflict] = await member.client.conversations.conflicts();
  assert.deepEqual(
    conflict?.claims.map(({ isShown }) => isShown),
    [true, false],
  );
});
