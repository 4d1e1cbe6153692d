import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { encodeRequiredCapabilities, EXTENSION_TYPE } from "../messages/extension.ts";
import type { KeyPackage } from "../messages/key-package.ts";
import { PROPOSAL_TYPE } from "../messages/proposal.ts";
import { nodeCrypto } from "../node/index.ts";
import { asLeafIndex } from "../tree/math.ts";
import { createKeyPackage } from "./key-packages.ts";
import { groupOf, keyPackageFor, LEAF, LIFETIME, newConfig, SUITE } from "../testing/groups.ts";
import { tryAdds } from "./try-adds.ts";
import { verifyGroupInfo } from "./verify-group-info.ts";

const required = encodeRequiredCapabilities({
  extensionTypes: [EXTENSION_TYPE.appDataDictionary],
  proposalTypes: [],
  credentialTypes: [1],
});
const [ann, bob] = await groupOf(["ann", "bob"], [{ type: EXTENSION_TYPE.requiredCapabilities, data: required }]);
assert.ok(ann !== undefined && bob !== undefined);
const { group } = ann;
const bobsLeaf = group.leaf(asLeafIndex(1));
assert.ok(bobsLeaf !== undefined);

const fresh = async (): Promise<KeyPackage> => (await keyPackageFor(await newConfig("new"))).keyPackage;

function withLeaf(keyPackage: KeyPackage, change: Partial<KeyPackage["leafNode"]>): KeyPackage {
  return { ...keyPackage, leafNode: { ...keyPackage.leafNode, ...change } };
}

function withCapabilities(keyPackage: KeyPackage, change: Partial<KeyPackage["leafNode"]["capabilities"]>): KeyPackage {
  return withLeaf(keyPackage, { capabilities: { ...keyPackage.leafNode.capabilities, ...change } });
}

const rules = (...keyPackages: KeyPackage[]) => group.tryAdds({ keyPackages }).map((error) => error?.rule);

describe("tryAdds", () => {
  test("TRU-13 each rule that an Add breaks is named, and keeps no other key package out", async () => {
    const good = await Promise.all(Array.from({ length: 8 }, fresh));
    const [one, two, three, four, five, six, seven, eight] = good;
    assert.ok(one && two && three && four && five && six && seven && eight);
    const tried = [
      one,
      { ...two, cipherSuite: 1 },
      withCapabilities(three, { extensions: [] }),
      withLeaf(four, { extensions: [{ type: 0xf123, data: new Uint8Array(0) }] }),
      withCapabilities(five, { credentials: [2] }),
      withLeaf(six, { signatureKey: bobsLeaf.signatureKey }),
      withLeaf(seven, { encryptionKey: bobsLeaf.encryptionKey }),
      eight,
    ];
    assert.deepEqual(rules(...tried), [
      undefined,
      "key-package",
      "required-capabilities",
      "leaf-extension",
      "leaf-credential",
      "unique-signature-key",
      "unique-encryption-key",
      undefined,
    ]);
  });

  test("TRU-13 a key that two of them share is the second one's fault", async () => {
    const [one, two] = [await fresh(), await fresh()];
    const { signatureKey, encryptionKey } = one.leafNode;
    assert.deepEqual(rules(one, withLeaf(two, { signatureKey }), withLeaf(two, { encryptionKey }), two), [
      undefined,
      "unique-signature-key",
      "unique-encryption-key",
      undefined,
    ]);
    // One that is refused uses up nothing.
    assert.deepEqual(rules(withCapabilities(one, { extensions: [] }), one), ["required-capabilities", undefined]);
  });

  test("required-capabilities: proposals that the caller is going to use", async () => {
    const keyPackage = withCapabilities(await fresh(), { proposals: [] });
    const types = (proposalTypes: readonly number[]) =>
      group.tryAdds({ keyPackages: [keyPackage], proposalTypes }).map((error) => error?.rule);
    assert.deepEqual(types([PROPOSAL_TYPE.add, PROPOSAL_TYPE.group_context_extensions]), [undefined]);
    assert.deepEqual(types([PROPOSAL_TYPE.app_data_update]), ["required-capabilities"]);
  });

  test("a leaf that goes in the same commit makes room for its installation", async () => {
    const config = bob.config;
    const { keyPackage } = await createKeyPackage(config, { cipherSuite: SUITE, leaf: LEAF, lifetime: LIFETIME });
    assert.deepEqual(rules(keyPackage), ["unique-signature-key"]);
    const removed = [asLeafIndex(1)];
    assert.deepEqual(group.tryAdds({ keyPackages: [keyPackage], removed }), [undefined]);
    await group.createCommit({
      proposals: [
        { kind: "remove", removed: asLeafIndex(1) },
        { kind: "add", keyPackage },
      ],
    });
  });

  test("the same for a GroupInfo, and nothing changes by trying", async () => {
    const info = await verifyGroupInfo({ crypto: nodeCrypto }, await group.exportGroupInfo());
    const before = group.treeHash;
    const keyPackages = [await fresh(), withCapabilities(await fresh(), { extensions: [] })];
    assert.deepEqual(
      tryAdds(info, { keyPackages }).map((error) => error?.rule),
      [undefined, "required-capabilities"],
    );
    assert.deepEqual(info.tree.treeHash(), before);
    assert.equal(group.memberCount, 2);
  });
});
