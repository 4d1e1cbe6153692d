import assert from "node:assert/strict";
import { test } from "node:test";
import { applyIdentityUpdate } from "./apply-update.ts";
import { createInboxUpdate } from "./build-update.ts";
import { deviceLinkText, deviceLinkUpdate, type DeviceLink } from "./device-link.ts";
import { localWallet } from "./eip191.ts";
import { deriveInboxId } from "./identifier.ts";
import { InstallationKey } from "./installation-key.ts";

const NS = 1_800_000_000_000_000_000n;
const seed = (value: number) => new Uint8Array(32).fill(value);
const owner = localWallet(seed(1));
const oldKey = new InstallationKey(seed(2));
const newKey = new InstallationKey(seed(3));
const newWallet = localWallet(seed(4));
const inboxId = deriveInboxId(owner.identifier, 1n);

async function ownInbox() {
  const update = await createInboxUpdate({ wallet: owner, nonce: 1n, installation: oldKey, timestampNs: NS });
  return applyIdentityUpdate(undefined, update);
}

const link = (address: string | undefined): DeviceLink => ({
  inboxId,
  timestampNs: NS,
  installationKey: newKey.publicKey,
  address,
});

test("a wallet of the inbox adds a linked installation itself: no address is made", async () => {
  const text = deviceLinkText(link(undefined));
  const update = deviceLinkUpdate(link(undefined), {
    installation: newKey.sign(text),
    adder: { bytes: await owner.signMessage(text) },
  });
  const state = applyIdentityUpdate(await ownInbox(), update);
  assert.deepEqual(state.installations(), [oldKey.id, newKey.id]);
  assert.deepEqual([...state.members.keys()].length, 3);
  assert.equal(text.split("\n").filter((line) => line.startsWith("- ")).length, 1);
});

test("an installation adds an address, and that the installation, in one update under one text", async () => {
  const text = deviceLinkText(link(newWallet.identifier));
  const update = deviceLinkUpdate(link(newWallet.identifier), {
    installation: newKey.sign(text),
    address: await newWallet.signMessage(text),
    adder: { bytes: oldKey.sign(text), publicKey: oldKey.publicKey },
  });
  const state = applyIdentityUpdate(await ownInbox(), update);
  assert.deepEqual(state.installations(), [oldKey.id, newKey.id]);
  assert.equal(state.member({ kind: "ethereum", value: newWallet.identifier })?.addedBy?.value, oldKey.id);
  assert.equal(text.split("\n").filter((line) => line.startsWith("- ")).length, 2);
  // Revoking the address undoes all of it.
  assert.deepEqual(state.withoutMember({ kind: "ethereum", value: newWallet.identifier }).installations(), [oldKey.id]);
});

test("without the address an installation cannot add an installation", async () => {
  const text = deviceLinkText(link(undefined));
  const update = deviceLinkUpdate(link(undefined), {
    installation: newKey.sign(text),
    adder: { bytes: oldKey.sign(text), publicKey: oldKey.publicKey },
  });
  const before = await ownInbox();
  assert.throws(() => applyIdentityUpdate(before, update), { code: "IDENTITY_MEMBER_NOT_ALLOWED" });
});

test("signatures over another text of a link count for nothing", async () => {
  const text = deviceLinkText({ ...link(undefined), timestampNs: NS + 1_000_000_000n });
  const update = deviceLinkUpdate(link(undefined), {
    installation: newKey.sign(text),
    adder: { bytes: await owner.signMessage(text) },
  });
  const before = await ownInbox();
  assert.throws(() => applyIdentityUpdate(before, update));
});
