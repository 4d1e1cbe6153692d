import assert from "node:assert/strict";
import { utf8 } from "@latchkey/mls";
import type { IndexedIdentifier } from "../../storage/storage.ts";
import { identityUpdate, TOPIC, type StoreTest } from "./fixture.ts";

/** Cases of the identity logs and the key packages. */
export function describeIdentity(storeTest: StoreTest): void {
  const wallet = { kind: "ethereum", identifier: "0xabc" } as const;

  storeTest(
    "STORE an identity update is stored once, and only behind the expected one",
    async (_fixture, { identity }) => {
      assert.equal(await identity.append(identityUpdate("a", 0n, {})), "stored");
      assert.equal(await identity.append(identityUpdate("b", 0n, {})), "conflict");
      assert.equal(await identity.append(identityUpdate("a", 1n, {})), "duplicate");
      assert.equal(await identity.append(identityUpdate("b", 1n, {})), "stored");
      const texts = async (afterId: bigint) =>
        (await identity.read("inbox", afterId)).map((update) => Buffer.from(update.payload).toString());
      assert.deepEqual(await texts(0n), ["a", "b"]);
      assert.deepEqual(await texts(1n), ["b"]);
      assert.deepEqual(await identity.read("nobody", 0n), []);
    },
  );

  storeTest("STORE the index names the inbox joined last and forgets revoked ones", async (_fixture, { identity }) => {
    const find = async (identifier: IndexedIdentifier) => (await identity.findInboxes([identifier]))[0];
    assert.equal(await find(wallet), undefined);
    await identity.append(identityUpdate("a", 0n, { inboxId: "one", added: [wallet] }));
    await identity.append(identityUpdate("b", 0n, { inboxId: "two", added: [wallet] }));
    assert.equal(await find(wallet), "two");
    await identity.append(identityUpdate("c", 2n, { inboxId: "two", removed: [wallet] }));
    assert.equal(await find(wallet), "one");
    assert.equal(await find({ ...wallet, kind: "passkey" }), undefined);
    await identity.append(identityUpdate("d", 9n, { inboxId: "one", removed: [wallet] }));
    const other = { kind: "ethereum", identifier: "0xdef" } as const;
    assert.deepEqual(await identity.findInboxes([other, wallet, other, wallet]), [undefined, "one", undefined, "one"]);
    assert.deepEqual(await identity.findInboxes([]), []);
    assert.equal(await find(wallet), "one", "a conflict leaves the index as it was");
  });

  storeTest("STORE the latest key package of an installation wins and survives", async (fixture, { keyPackages }) => {
    assert.equal(await keyPackages.get(TOPIC), undefined);
    await keyPackages.put(TOPIC, utf8("first"));
    await keyPackages.put(TOPIC, utf8("second"));
    assert.deepEqual(await keyPackages.get(TOPIC), utf8("second"));
    assert.deepEqual(await (await fixture.reopen()).keyPackages.get(TOPIC), utf8("second"));
  });
}
