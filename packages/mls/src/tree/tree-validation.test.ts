import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { utf8 } from "../bytes.ts";
import { encodeRequiredCapabilities, EXTENSION_TYPE, type Extension } from "../messages/extension.ts";
import type { LeafNode } from "../messages/leaf-node.ts";
import { asLeafIndex, leafNodeIndex, type NodeIndex } from "./math.ts";
import { encodeRatchetTree, leafTreeNode, parentTreeNode, type ParentNode, type TreeNode } from "./node.ts";
import { parentHash, parentHashViolations } from "./parent-hash.ts";
import { RatchetTree } from "./ratchet-tree.ts";
import { receiveTree } from "./received-tree.ts";
import { freshKey, freshLeaf, suite } from "../testing/trees.ts";
import { TreeDraft } from "./tree-draft.ts";
import { checkTreeStructure } from "./tree-validation.ts";
import { applyPathKeys } from "./treekem.ts";

const EMPTY = new Uint8Array(0);
const CAPABLE = { versions: [1], cipherSuites: [suite.id], extensions: [], proposals: [], credentials: [1] };

function capable(change: Partial<LeafNode> = {}): LeafNode {
  return { ...freshLeaf(), capabilities: CAPABLE, ...change };
}

/** The leaf of a member whose last commit left this parent hash. */
function committed(parentHash: Uint8Array): LeafNode {
  return capable({ source: { kind: "commit", parentHash } });
}

function parentOf(change: Partial<ParentNode> = {}): TreeNode & { kind: "parent" } {
  return parentTreeNode({ encryptionKey: freshKey(), parentHash: EMPTY, unmergedLeaves: [], ...change });
}

/** Checks a tree as a joiner does, beside one that was verified before. */
function check(tree: RatchetTree, extensions: readonly Extension[] = [], known?: RatchetTree): void {
  const context = {
    version: 1,
    cipherSuite: suite.id,
    groupId: utf8("group"),
    epoch: 1n,
    treeHash: tree.treeHash(),
    confirmedTranscriptHash: EMPTY,
    extensions,
  };
  checkTreeStructure(receiveTree(suite, encodeRatchetTree(tree.nodes()), known), context);
}

function treeOf(...leaves: readonly LeafNode[]): RatchetTree {
  const nodes = leaves.flatMap((leaf, index) => (index === 0 ? [leafTreeNode(leaf)] : [undefined, leafTreeNode(leaf)]));
  return new RatchetTree(suite, nodes);
}

function commitPath(draft: TreeDraft, at: number): void {
  const committer = asLeafIndex(at);
  draft.setLeaf(
    committer,
    committed(applyPathKeys(draft, committer, draft.filteredDirectPath(committer).map(freshKey))),
  );
}

describe("what the leaves of a received tree support (RFC 9420 §7.3)", () => {
  const fine = capable();

  test("leaf-extension: a leaf carries an extension that it does not list", () => {
    const extensions = [{ type: 0xf00d, data: EMPTY }];
    assert.throws(() => check(treeOf(fine, capable({ extensions }))), { rule: "leaf-extension" });
    check(treeOf(fine, capable({ extensions, capabilities: { ...CAPABLE, extensions: [0xf00d] } })));
  });

  test("leaf-credential: a member does not list its own type, or not that of another member", () => {
    const x509 = (...credentials: number[]) =>
      capable({ credential: { kind: "x509", certificates: [] }, capabilities: { ...CAPABLE, credentials } });
    const both = capable({ capabilities: { ...CAPABLE, credentials: [1, 2] } });
    const rule = "leaf-credential";
    assert.throws(() => check(treeOf(both, x509(1))), { rule });
    assert.throws(() => check(treeOf(fine, x509(1, 2))), { rule });
    assert.throws(() => check(treeOf(both, x509(2))), { rule });
    check(treeOf(both, x509(1, 2)));
  });

  test("required-capabilities: asked of leaves that were verified before as well", () => {
    const data = encodeRequiredCapabilities({ extensionTypes: [], proposalTypes: [0xf00d], credentialTypes: [] });
    const required = [{ type: EXTENSION_TYPE.requiredCapabilities, data }];
    const able = capable({ capabilities: { ...CAPABLE, proposals: [0xf00d] } });
    const tree = treeOf(able, fine);
    check(tree);
    assert.throws(() => check(tree, required), { rule: "required-capabilities" });
    assert.throws(() => check(tree, required, tree), { rule: "required-capabilities" });
    check(treeOf(able), required);
  });
});

describe("parent hashes of a received tree (RFC 9420 §7.9.2)", () => {
  test("a subtree counts as it was before its unmerged leaves came", () => {
    const tree = treeOf(...Array.from({ length: 7 }, () => capable()));
    const draft = new TreeDraft(tree);
    commitPath(draft, 4);
    commitPath(draft, 0);
    assert.equal(draft.addLeaf(capable()), 7);
    tree.merge(draft);
    assert.deepEqual(parentHashViolations(tree, [3, 7, 11] as NodeIndex[]), []);
    check(tree);
  });

  test("parent-hash: the root has one, of whatever length, though a leaf is chained to it", () => {
    for (const length of [1, 32]) {
      const top = parentOf({ parentHash: new Uint8Array(length) });
      const other = treeOf(capable(), capable());
      const hash = parentHash(suite, top.parent, other.hash(leafNodeIndex(asLeafIndex(1))));
      const draft = new TreeDraft(other);
      draft.setNode(other.root, top);
      draft.setLeaf(asLeafIndex(0), committed(hash));
      other.merge(draft);
      assert.deepEqual(parentHashViolations(other, [other.root]), []);
      assert.throws(() => check(other), { rule: "parent-hash" });
    }
  });

  test("parent-hash: a leaf answers for a parent only when it stands for all of that side", () => {
    const tree = treeOf(...Array.from({ length: 4 }, () => capable()));
    const top = parentOf();
    const draft = new TreeDraft(tree);
    draft.setNode(tree.root, top);
    draft.setLeaf(asLeafIndex(0), committed(parentHash(suite, top.parent, tree.hash(5 as NodeIndex))));
    tree.merge(draft);
    assert.throws(() => check(tree), { rule: "parent-hash" });
  });
});

describe("an update path (RFC 9420 §7.5)", () => {
  test("blanks the nodes of the direct path that get no key", () => {
    const tree = treeOf(capable(), capable(), capable());
    const draft = new TreeDraft(tree);
    draft.setNode(5 as NodeIndex, parentOf());
    commitPath(draft, 2);
    assert.equal(draft.node(5 as NodeIndex), undefined);
    assert.equal(draft.node(3 as NodeIndex)?.kind, "parent");
  });

  test("path-length: one key too few or too many", () => {
    const draft = new TreeDraft(treeOf(capable(), capable(), capable()));
    for (const keys of [[], [freshKey(), freshKey()]]) {
      assert.throws(() => applyPathKeys(draft, asLeafIndex(2), keys), { rule: "path-length" });
    }
  });
});
