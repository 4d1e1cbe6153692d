import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { encodeRequiredCapabilities, EXTENSION_TYPE } from "../messages/extension.ts";
import type { LeafNode } from "../messages/leaf-node.ts";
import { checkCredentialFits, checkLeafKeysUnique, groupRequirements, isDefaultProposal } from "./leaf-rules.ts";
import { asLeafIndex } from "./math.ts";
import { leafTreeNode } from "./node.ts";
import { RatchetTree } from "./ratchet-tree.ts";
import { freshKey, freshLeaf, suite } from "../testing/trees.ts";

function leafOf(kind: "basic" | "x509", ...credentials: number[]): LeafNode {
  const leaf = freshLeaf();
  const credential = kind === "basic" ? leaf.credential : ({ kind, certificates: [] } as const);
  return { ...leaf, credential, capabilities: { ...leaf.capabilities, credentials } };
}

function treeOf(...leaves: readonly [LeafNode, LeafNode]): RatchetTree {
  return new RatchetTree(suite, [leafTreeNode(leaves[0]), undefined, leafTreeNode(leaves[1])]);
}

describe("what is asked of a leaf (RFC 9420 §7.2, §7.3)", () => {
  test("types that everybody supports are not asked for: extensions 1 to 5, proposals 1 to 7", () => {
    const data = encodeRequiredCapabilities({
      extensionTypes: [0, 1, 2, 3, 4, 5, 6],
      proposalTypes: [0, 1, 2, 3, 4, 5, 6, 7, 8],
      credentialTypes: [1, 2],
    });
    const extensions = [{ type: EXTENSION_TYPE.requiredCapabilities, data }];
    assert.deepEqual(groupRequirements(extensions), { extensions: [0, 6], proposals: [0, 8], credentials: [1, 2] });
    const inContext = [EXTENSION_TYPE.externalSenders, EXTENSION_TYPE.appDataDictionary];
    const requirements = groupRequirements(inContext.map((type) => ({ type, data: new Uint8Array(0) })));
    assert.deepEqual(requirements, { extensions: [6], proposals: [], credentials: [] });
    assert.deepEqual([0, 1, 7, 8].map(isDefaultProposal), [false, true, true, false]);
  });

  test("leaf-credential: a new leaf and all members support each other's types", () => {
    const rule = "leaf-credential";
    const basic = treeOf(leafOf("basic", 1), leafOf("basic", 1, 2));
    checkCredentialFits(basic, leafOf("basic", 1));
    assert.throws(() => checkCredentialFits(basic, leafOf("x509", 1, 2)), { rule });
    const mixed = treeOf(leafOf("basic", 1, 2), leafOf("x509", 1, 2));
    checkCredentialFits(mixed, leafOf("x509", 1, 2));
    checkCredentialFits(mixed, leafOf("basic", 1, 2));
    for (const lacking of [leafOf("basic", 1), leafOf("basic", 2), leafOf("x509", 2)]) {
      assert.throws(() => checkCredentialFits(mixed, lacking), { rule });
    }
  });

  test("whether all members list a type, also without counting one of them", () => {
    const lacking = treeOf(leafOf("basic", 1), leafOf("basic", 1, 2));
    const [first, second, blank] = [asLeafIndex(0), asLeafIndex(1), asLeafIndex(7)];
    const ask = (type: number) =>
      [undefined, first, second, blank].map((except) => lacking.isSupportedByAll("credential", type, except));
    assert.deepEqual(ask(1), [true, true, true, true]);
    assert.deepEqual(ask(2), [false, true, false, false]);
    assert.deepEqual(ask(3), [false, false, false, false]);
  });

  test("unique-signature-key, unique-encryption-key: a leaf may keep its signature key, and no encryption key", () => {
    const [ann, bob] = [leafOf("basic", 1), leafOf("basic", 1)];
    const tree = treeOf(ann, bob);
    checkLeafKeysUnique(tree, { ...ann, encryptionKey: freshKey() }, asLeafIndex(0));
    for (const at of [undefined, asLeafIndex(1)]) {
      const again = { ...ann, encryptionKey: freshKey() };
      assert.throws(() => checkLeafKeysUnique(tree, again, at), { rule: "unique-signature-key" });
    }
    for (const encryptionKey of [ann.encryptionKey, bob.encryptionKey]) {
      const other = { ...ann, encryptionKey };
      assert.throws(() => checkLeafKeysUnique(tree, other, asLeafIndex(0)), { rule: "unique-encryption-key" });
    }
  });
});
