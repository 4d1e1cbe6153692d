import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { Client, type Environment } from "@latchkey/client";
import { generatedSigner } from "@latchkey/client/node";
import { fromHex } from "@latchkey/mls";
import {
  addAccountUpdate,
  addInstallationUpdate,
  InstallationKey,
  revokeInstallationUpdate,
  type WalletSigner,
} from "@latchkey/xmtp";
import { failsWith, groupOf, World, type Device } from "./support.ts";

/** A wallet that counts how often it is asked. */
function countedWallet(): { readonly signer: WalletSigner; readonly asked: string[] } {
  const wallet = generatedSigner();
  const asked: string[] = [];
  const signMessage = (text: string) => {
    asked.push(text);
    return wallet.signMessage(text);
  };
  return { signer: { identifier: wallet.identifier, signMessage }, asked };
}

const nowNs = () => BigInt(Date.now()) * 1_000_000n;

/** An inbox with all the installations that it may have; the first one is a device, the others are keys. */
async function fullInbox(t: TestContext) {
  const world = await World.start(t);
  const wallet = countedWallet();
  const phone = await world.device("phone", { signer: wallet.signer });
  const { inboxId } = phone.client;
  const keys: InstallationKey[] = [];
  for (let index = 1; index < 10; index++) {
    const installation = new InstallationKey(new Uint8Array(32).fill(index));
    keys.push(installation);
    const update = { wallet: wallet.signer, inboxId, installation, timestampNs: nowNs() };
    await phone.environment.transport.publishIdentityUpdate(await addInstallationUpdate(update));
  }
  return { world, wallet, phone, keys };
}

test("DEV-11 the eleventh device is refused before the wallet is asked, with what can be revoked", async (t) => {
  const { world, wallet, phone, keys } = await fullInbox(t);
  wallet.asked.length = 0;
  const error = await failsWith(
    world.device("eleventh", { signer: wallet.signer }),
    "NOT_PERMITTED",
    "TooManyInstallations",
  );
  assert.deepEqual(wallet.asked, []);
  const { installations } = error.data as { installations: { id: string; lastSeenNs: bigint | undefined }[] };
  assert.deepEqual(
    new Set(installations.map(({ id }) => id)),
    new Set([phone.client.installationId, ...keys.map(({ id }) => id)]),
  );
  // The only one with a key package was seen, and is the last to be thought of.
  const last = installations.at(-1);
  assert.equal(last?.id, phone.client.installationId);
  assert.ok(last.lastSeenNs !== undefined && nowNs() - last.lastSeenNs < 60_000_000_000n);
  assert.match(error.message, new RegExp(`${keys[0]?.id.slice(0, 8) ?? ""}… \\(last seen never\\)`));

  // Without an installation of its own it makes room, and is in then.
  const { transport, clock } = phone.environment;
  const [oldest] = keys;
  assert.ok(oldest !== undefined);
  const { installations: known } = await Client.inboxState(wallet.signer.identifier, { transport, clock });
  assert.equal(known.length, 10);
  const revoked = await Client.revokeInstallations(wallet.signer, [oldest.id], { transport, clock });
  assert.deepEqual(revoked, [{ kind: "installation", id: oldest.id, because: "asked", by: undefined }]);
  const eleventh = await world.device("eleventh", { signer: wallet.signer });
  assert.equal(eleventh.client.inboxId, phone.client.inboxId);
  assert.equal((await eleventh.client.installations()).length, 10);
});

test("DEV-11 devices that register at the same moment: never more than ten, the others are told what to revoke", async (t) => {
  const { world, wallet, phone, keys } = await fullInbox(t);
  await phone.client.revokeInstallations(keys.slice(0, 2).map(({ id }) => id));
  const names = ["a", "b", "c", "d"];
  const tries = names.map((name) => world.device(name, { signer: wallet.signer }));
  const outcomes = await Promise.allSettled(tries);
  const refused = tries.filter((_, index) => outcomes[index]?.status === "rejected");
  assert.equal(refused.length, 2);
  for (const refusal of refused) await failsWith(refusal, "NOT_PERMITTED", "TooManyInstallations");
});

test("DEV-12 only the recovery identifier revokes: another signer is refused by name before it is asked", async (t) => {
  const world = await World.start(t);
  const owner = countedWallet();
  const phone = await world.device("phone", { signer: owner.signer });
  const laptop = await world.device("laptop", { signer: owner.signer });
  const other = countedWallet();
  await phone.client.addAccount(other.signer);
  const { recoveryIdentifier, accounts } = await phone.client.inboxState();
  assert.equal(recoveryIdentifier, owner.signer.identifier);
  assert.deepEqual(
    accounts.map(({ identifier, addedBy }) => [identifier, addedBy]),
    [
      [owner.signer.identifier, undefined],
      [other.signer.identifier, phone.client.installationId],
    ],
  );
  owner.asked.length = 0;
  other.asked.length = 0;
  const { transport, clock } = phone.environment;
  const id = laptop.client.installationId;
  const calls = [
    () => phone.client.revokeInstallations([id], { signer: other.signer }),
    () => phone.client.revokeAllOtherInstallations({ signer: other.signer }),
    () => phone.client.changeRecovery(other.signer.identifier, { signer: other.signer }),
    () => phone.client.removeAccount(other.signer.identifier, { signer: other.signer }),
    () => Client.revokeInstallations(other.signer, [id], { transport, clock }),
  ];
  for (const call of calls) {
    const error = await failsWith(call(), "NOT_RECOVERY");
    assert.equal(error.data["recoveryIdentifier"], owner.signer.identifier);
    assert.ok(error.message.includes(owner.signer.identifier.slice(0, 6)));
  }
  assert.deepEqual([owner.asked, other.asked], [[], []]);

  // The signer alone is enough, wherever it is: no installation takes part.
  const revoked = await Client.revokeInstallations(owner.signer, [id], { transport, clock });
  assert.deepEqual(
    revoked.map((member) => member.id),
    [id],
  );
  assert.equal(owner.asked.length, 1);
  const left = await phone.client.installations();
  assert.deepEqual(
    left.map((each) => [each.id, each.isThis]),
    [[phone.client.installationId, true]],
  );
  // Again: it is done already, and nobody is asked.
  assert.deepEqual(await phone.client.revokeInstallations([id]), []);
  assert.equal(owner.asked.length, 1);
  await failsWith(phone.client.revokeInstallations(["ab".repeat(32)]), "ARGUMENT_INVALID");

  await phone.client.changeRecovery(other.signer.identifier);
  await failsWith(phone.client.changeRecovery(owner.signer.identifier), "NOT_RECOVERY");
  await phone.client.changeRecovery(owner.signer.identifier, { signer: other.signer });
  assert.equal((await phone.client.inboxState()).recoveryIdentifier, owner.signer.identifier);
});

test("DEV-12 a registered installation opens without a signer; what needs a signature asks for one", async (t) => {
  const world = await World.start(t);
  const { admin, member, adminGroup } = await world.group();
  const laptop = await world.device("laptop", { signer: admin.signer });
  admin.client.close();
  admin.environment = world.environment(admin.dbPath, admin.clock);
  admin.client = await Client.create(undefined, admin.environment);
  const group = groupOf(admin, adminGroup.id);
  await group.send("without a wallet");
  await groupOf(member, group.id).sync();
  const id = laptop.client.installationId;
  assert.deepEqual(
    (await admin.client.previewRevocation([id])).map((gone) => gone.id),
    [id],
  );
  await failsWith(admin.client.revokeInstallations([id]), "SIGNER_MISSING");
  await admin.client.revokeInstallations([id], { signer: admin.signer });
  await failsWith(Client.create(undefined, world.environment(world.path("new.db"), admin.clock)), "SIGNER_MISSING");
});

/** A device that came in by an address of its own, which another installation added, as linking does without a signer. */
async function linked(world: World, name: string, by: Device): Promise<Device> {
  const signer = generatedSigner();
  await by.client.addAccount(signer);
  return world.device(name, { signer });
}

function publish({ transport }: Environment, update: Parameters<Environment["transport"]["publishIdentityUpdate"]>[0]) {
  return transport.publishIdentityUpdate(update);
}

test("DEV-13 a linked device that was stolen and revoked: nothing that it had adds anything any more", async (t) => {
  const world = await World.start(t);
  const phone = await world.device("phone");
  const stolen = await linked(world, "stolen", phone);
  const { inboxId } = phone.client;
  assert.equal(stolen.client.inboxId, inboxId);
  // The thief prepared an address and a device of their own.
  const prepared = generatedSigner();
  await stolen.client.addAccount(prepared);
  const spy = await world.device("spy", { signer: prepared });
  const named = [
    stolen.client.installationId,
    spy.client.installationId,
    stolen.signer.identifier,
    prepared.identifier,
  ];
  const planned = await phone.client.previewRevocation([stolen.client.installationId]);
  assert.deepEqual(new Set(planned.map(({ id }) => id)), new Set(named));
  const revoked = await phone.client.revokeInstallations([stolen.client.installationId]);
  assert.deepEqual(revoked, planned);
  const { accounts, installations } = await phone.client.inboxState();
  assert.deepEqual(
    [...accounts.map(({ identifier }) => identifier), ...installations.map(({ id }) => id)],
    [phone.signer.identifier, phone.client.installationId],
  );

  // Wallet, address and installation key: the node refuses whatever they sign.
  const key = (device: Device) => {
    const row = device.environment.store.identity.get("self");
    assert.ok(row !== undefined);
    return new InstallationKey(row.signaturePrivateKey);
  };
  const fresh = () => new InstallationKey(fromHex("77".repeat(32)));
  const timestampNs = nowNs();
  const { environment } = stolen;
  for (const wallet of [stolen.signer, prepared]) {
    const update = await addInstallationUpdate({ wallet, inboxId, installation: fresh(), timestampNs });
    await assert.rejects(publish(environment, update), { code: "NODE_REJECTED" });
  }
  for (const device of [stolen, spy]) {
    const update = await addAccountUpdate({
      installation: key(device),
      wallet: generatedSigner(),
      inboxId,
      timestampNs,
    });
    await assert.rejects(publish(environment, update), { code: "NODE_REJECTED" });
    await assert.rejects(device.client.addAccount(generatedSigner()), { code: "IDENTITY_MISSING_EXISTING_MEMBER" });
  }
  const installationId = phone.client.installationId;
  const revenge = await revokeInstallationUpdate({ wallet: stolen.signer, inboxId, installationId, timestampNs });
  await assert.rejects(publish(environment, revenge), { code: "NODE_REJECTED" });
  // An address that was cast out registers an inbox of its own and none of this one.
  const again = await world.device("again", { signer: prepared });
  assert.notEqual(again.client.inboxId, inboxId);
});

test("DEV-13 the device that revokes stays, with the address it came in by, and so does what it names", async (t) => {
  const world = await World.start(t);
  const old = await world.device("old");
  const phone = await linked(world, "phone", old);
  const laptop = await linked(world, "laptop", old);
  const recovery = { signer: old.signer };
  const gone = await phone.client.previewRevocation([old.client.installationId]);
  assert.deepEqual(
    new Set(gone.map(({ id }) => id)),
    new Set([old.client.installationId, laptop.client.installationId, laptop.signer.identifier]),
  );
  const keep = [laptop.client.installationId];
  const revoked = await phone.client.revokeInstallations([old.client.installationId], { ...recovery, keep });
  assert.deepEqual(
    revoked.map(({ id }) => id),
    [old.client.installationId],
  );
  await failsWith(phone.client.removeAccount(phone.signer.identifier, recovery), "NOT_PERMITTED");
  const others = await phone.client.revokeAllOtherInstallations(recovery);
  assert.deepEqual(
    new Set(others.map(({ id }) => id)),
    new Set([laptop.client.installationId, laptop.signer.identifier]),
  );
  assert.deepEqual(
    (await phone.client.installations()).map(({ id }) => id),
    [phone.client.installationId],
  );
});
