import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { CIPHER_SUITE } from "../crypto/provider.ts";
import { isHpkePublicKey } from "../crypto/hpke.ts";
import { signWithLabel } from "../crypto/labels.ts";
import { keyPackageToBeSigned, type KeyPackage } from "../messages/key-package.ts";
import { signLeafNode } from "../messages/leaf-node.ts";
import { nodeCrypto } from "../node/index.ts";
import { webCrypto } from "../web/index.ts";
import { keyPackageBundle, verifyKeyPackage } from "./key-packages.ts";
import { createExternalCommit } from "./mls-group.ts";
import { protect, signContent } from "./protect.ts";
import { byValue, forgeMemberCommit, stateOf } from "../testing/forge.ts";
import {
  deliver,
  GROUP_ID,
  groupOf,
  keyPackageFor,
  LEAF,
  newConfig,
  SUITE,
  type TestMember,
} from "../testing/groups.ts";
import { assertRefused, assertUnchanged } from "../testing/refusal.ts";
import { verifyGroupInfo } from "./verify-group-info.ts";

const suite = nodeCrypto.suite(SUITE);

/** Keys to which nothing can be encrypted: too short, too long, or of an order that gives no secret. */
const UNUSABLE: readonly [string, Uint8Array][] = [
  ["empty", new Uint8Array(0)],
  ["a byte too short", new Uint8Array(31).fill(9)],
  ["a byte too long", new Uint8Array(33).fill(9)],
  ["all zero", new Uint8Array(32)],
  ["of low order", Uint8Array.of(1, ...new Uint8Array(31))],
];

/** A key package whose owner signed such a key. */
async function signedWith(change: { initKey?: Uint8Array; encryptionKey?: Uint8Array }): Promise<KeyPackage> {
  const config = await newConfig("eve");
  const { keyPackage } = await keyPackageFor(config);
  const { privateKey } = config.identity.signatureKeyPair;
  const { initKey = keyPackage.initKey, encryptionKey = keyPackage.leafNode.encryptionKey } = change;
  const leafNode = await signLeafNode(suite, privateKey, { ...keyPackage.leafNode, encryptionKey });
  const unsigned = { ...keyPackage, initKey, leafNode };
  const content = keyPackageToBeSigned(unsigned);
  return { ...unsigned, signature: await signWithLabel(suite, privateKey, "KeyPackageTBS", content) };
}

describe("a key that nothing can be encrypted to is refused, or nobody could commit any more (RFC 9420 §10)", () => {
  for (const [name, key] of UNUSABLE) {
    test(`public-key: ${name}, as encryption or init key of a new member`, async () => {
      const [ann, bob] = (await groupOf(["ann", "bob"])) as [TestMember, TestMember];
      for (const keyPackage of [await signedWith({ encryptionKey: key }), await signedWith({ initKey: key })]) {
        const add = byValue({ kind: "add", keyPackage });
        const message = await forgeMemberCommit(ann, (legal) => ({ ...legal, proposals: [add] }));
        await assertRefused(bob, message, "public-key");
        const commit = { proposals: [{ kind: "add", keyPackage }] as const };
        await assertUnchanged(ann, (group) => group.createCommit(commit), { rule: "public-key" });
        const { bytes } = keyPackageBundle(nodeCrypto, keyPackage, key, key);
        await assert.rejects(verifyKeyPackage(nodeCrypto, bytes, { cipherSuite: SUITE }), { rule: "public-key" });
        const info = await verifyGroupInfo(ann.config, await ann.group.exportGroupInfo());
        const join = createExternalCommit(await newConfig("zoe"), info, { leaf: LEAF, adds: [keyPackage] });
        await assert.rejects(join, { code: "MLS_INVALID", rule: "public-key" });
      }
    });
  }

  test("public-key: as new key of a committer", async () => {
    const [ann, bob] = (await groupOf(["ann", "bob"])) as [TestMember, TestMember];
    const { privateKey } = ann.config.identity.signatureKeyPair;
    const own = ann.group.leaf(ann.group.ownLeafIndex);
    assert.ok(own !== undefined);
    const position = { groupId: GROUP_ID, leafIndex: ann.group.ownLeafIndex };
    const source = { kind: "commit", parentHash: new Uint8Array(0) } as const;
    const leafNode = await signLeafNode(
      suite,
      privateKey,
      { ...own, source, encryptionKey: new Uint8Array(32) },
      position,
    );
    const forged = await forgeMemberCommit(ann, (legal) => ({
      ...legal,
      path: { leafNode, nodes: legal.path?.nodes ?? [] },
    }));
    await assertRefused(bob, forged, "public-key");
  });

  test("public-key: by an Update that a commit refers to", async () => {
    const [ann, bob, cat] = (await groupOf(["ann", "bob", "cat"])) as [TestMember, TestMember, TestMember];
    const own = cat.group.leaf(cat.group.ownLeafIndex);
    assert.ok(own !== undefined);
    const position = { groupId: GROUP_ID, leafIndex: cat.group.ownLeafIndex };
    const { privateKey } = cat.config.identity.signatureKeyPair;
    const update = { ...own, source: { kind: "update" }, encryptionKey: new Uint8Array(32) } as const;
    const leafNode = await signLeafNode(suite, privateKey, update, position);
    const state = stateOf(cat);
    const content = { kind: "proposal", proposal: { kind: "update", leafNode } } as const;
    const { message } = protect(state, await signContent(state, "public_message", content, new Uint8Array(0)));
    const { reference } = await deliver(ann, message, "proposal");
    await deliver(bob, message, "proposal");
    const forged = await forgeMemberCommit(ann, (legal) => ({
      ...legal,
      proposals: [{ kind: "reference", reference }],
    }));
    await assertRefused(bob, forged, "public-key");
    const { committed } = await ann.group.createCommit();
    assert.deepEqual(committed, []);
  });
});

test("every suite of every provider tells usable public keys from others", async () => {
  for (const provider of [nodeCrypto, webCrypto]) {
    for (const id of Object.values(CIPHER_SUITE)) {
      const each = provider.suite(id);
      const key = await each.dhPublicKey(new Uint8Array(each.hpkePrivateKeyLength).fill(1));
      assert.equal(await isHpkePublicKey(each, key), true);
      assert.equal(await isHpkePublicKey(each, key.subarray(1)), false);
      assert.equal(await isHpkePublicKey(each, new Uint8Array(key.length)), false);
    }
  }
});
