import assert from "node:assert/strict";
import { test } from "node:test";
import type { CipherSuite, CryptoProvider } from "@latchkey/mls";
import { decodeInvitePayload } from "@latchkey/xmtp";
import { presentBlob } from "./blobs.ts";
import { World } from "./support.ts";

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

test("XIP-14 of eight blobs that open only the one that is used is verified: no signature, no hash of a tree for the others", async (t) => {
  const world = await World.start(t);
  const { admin, adminGroup } = await world.group();
  const invite = await adminGroup.createInvite();
  const { symmetricKey: key } = decodeInvitePayload(invite.payload);
  const blobs: Uint8Array[] = [];
  for (let count = 0; count < 8; count++) {
    await adminGroup.updateName(`name ${count}`);
    blobs.push(await presentBlob(admin, adminGroup.id, { key }));
  }
  const counts = { hashes: 0, signatures: 0 };
  let served = blobs;
  const joiner = await world.device("joiner", {
    wrap: (environment) => ({
      ...environment,
      crypto: counting(environment.crypto, counts),
      slots: { ...environment.slots, fetch: async () => ({ blobs: served, tag: undefined, waiting: undefined }) },
    }),
  });
  const cost = async (list: Uint8Array[]) => {
    served = list;
    Object.assign(counts, { hashes: 0, signatures: 0 });
    const { name } = await joiner.client.conversations.previewInvite(invite.url);
    assert.equal(name, "name 7");
    return { ...counts };
  };

  await cost(blobs.slice(-1)); // From here on the members' identity logs are known.
  const one = await cost(blobs.slice(-1));
  assert.ok(one.signatures >= 3 && one.hashes > 0);
  assert.deepEqual(await cost(blobs), one);
  assert.deepEqual(await cost(blobs.toReversed()), one);
});
