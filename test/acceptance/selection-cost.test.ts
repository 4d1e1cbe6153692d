import assert from "node:assert/strict";
import { test } from "node:test";
import type { CipherSuite, CryptoProvider } from "@latchkey/mls";
import { decodeInvitePayload, encodeGroupInfoHints } from "@latchkey/xmtp";
import { presentBlob } from "./blobs.ts";
import { publishGarbage } from "./garbage.ts";
import { mlsOf, readLog, World } from "./support.ts";

/** A provider that counts what it is asked for. */
function counting(crypto: CryptoProvider, counts: { hashes: number; signatures: number }): CryptoProvider {
  const counted = (suite: CipherSuite) =>
    new Proxy(suite, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name);
        if (typeof value !== "function") return value;
        return (...args: unknown[]): unknown => {
          if (name === "hash") counts.hashes++;
          if (name === "verify") counts.signatures++;
          if (name === "verifyBatch") counts.signatures += (args[0] as unknown[]).length;
          return Reflect.apply(value, target, args);
        };
      },
    });
  return { ...crypto, suite: (id) => counted(crypto.suite(id)) };
}

/** A joiner whose service holds what it is told, and what looking at the invite costs it. */
async function measured(world: World, url: string) {
  const counts = { hashes: 0, signatures: 0 };
  let served: readonly Uint8Array[] = [];
  const joiner = await world.device("joiner", {
    wrap: (environment) => ({
      ...environment,
      crypto: counting(environment.crypto, counts),
      slots: { ...environment.slots, fetch: async () => ({ blobs: served, tag: undefined, waiting: undefined }) },
    }),
  });
  return async (blobs: readonly Uint8Array[]) => {
    served = blobs;
    Object.assign(counts, { hashes: 0, signatures: 0 });
    const { name } = await joiner.client.conversations.previewInvite(url);
    return { name, ...counts };
  };
}

test("X82-14 of eight blobs that open only the one that is used is verified: no signature, no hash of a tree for the others", async (t) => {
  const world = await World.start(t);
  const { admin, adminGroup } = await world.group();
  const invite = await adminGroup.createInvite();
  const { symmetricKey: key } = decodeInvitePayload(invite.payload);
  const blobs: Uint8Array[] = [];
  for (let count = 0; count < 8; count++) {
    await adminGroup.updateName(`name ${count}`);
    blobs.push(await presentBlob(admin, adminGroup.id, { key }));
  }
  const cost = await measured(world, invite.url);
  await cost(blobs.slice(-1)); // From here on the members' identity logs are known.
  const one = await cost(blobs.slice(-1));
  assert.equal(one.name, "name 7");
  assert.ok(one.signatures >= 3 && one.hashes > 0);
  assert.deepEqual(await cost(blobs), one);
  assert.deepEqual(await cost(blobs.toReversed()), one);
});

test("X82-14 of eight blobs of one state the one is used whose signer has read furthest, at the price of one", async (t) => {
  const world = await World.start(t);
  const { admin, adminGroup } = await world.group();
  const invite = await adminGroup.createInvite();
  const { symmetricKey: key } = decodeInvitePayload(invite.payload);
  const troll = await world.device("troll");
  const blobs: Uint8Array[] = [];
  for (let count = 0; count < 8; count++) {
    // Only the last of them was made behind what its signer knows to be refused.
    if (count === 7) {
      await publishGarbage(troll, invite.payload, world.node.url, "private");
    } else await adminGroup.send(`message ${count}`);
    await adminGroup.sync();
    const logCursor = (await readLog(admin, adminGroup.id)).at(-1)?.id;
    const extensions = encodeGroupInfoHints({ logCursor });
    const groupInfo = await mlsOf(admin, adminGroup.id).exportGroupInfo({ extensions });
    blobs.push(await presentBlob(admin, adminGroup.id, { key, groupInfo }));
  }
  const cost = await measured(world, invite.url);
  await cost(blobs.slice(-1));
  const one = await cost(blobs.slice(-1));
  assert.ok(one.signatures >= 3 && one.hashes > 0);
  assert.deepEqual(await cost(blobs), one);
  assert.deepEqual(await cost(blobs.toReversed()), one);
  await assert.rejects(cost(blobs.slice(0, 7)), { code: "INVITE_STALE" });
});
