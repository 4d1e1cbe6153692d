import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { equalBytes } from "../bytes.ts";
import type { LeafNode } from "../messages/leaf-node.ts";
import { checkLeafKeysUnique } from "./leaf-rules.ts";
import { directPath, leafNodeIndex, nodeWidth, type LeafIndex, type NodeIndex } from "./math.ts";
import { decodeRatchetTree, encodeRatchetTree, leafTreeNode, parentTreeNode } from "./node.ts";
import { RatchetTree } from "./ratchet-tree.ts";
import { receiveTree } from "./received-tree.ts";
import { freshKey, freshLeaf, OWNERS, suite } from "../testing/trees.ts";
import { TreeDraft } from "./tree-draft.ts";
import { applyPathKeys } from "./treekem.ts";
import { capabilityKeys } from "./tree-view.ts";

const SEED = 0x7ee5;
console.log(`tree.property.test.ts: seed ${SEED}`);

function identityOf({ credential }: LeafNode): string | undefined {
  const name = credential.kind === "basic" ? new TextDecoder().decode(credential.identity) : "";
  return name === "" ? undefined : name;
}

type Step = { kind: "add" | "remove" | "update" | "path" | "drop"; pick: number };

const steps = fc.array(
  fc.record({
    kind: fc.constantFrom<Step["kind"]>("add", "add", "add", "remove", "update", "path", "drop"),
    pick: fc.nat(),
  }),
  { minLength: 1, maxLength: 40 },
);

function apply(draft: TreeDraft, step: Step): void {
  const members = [...draft.members()].map(({ leafIndex }) => leafIndex);
  const chosen = members[step.pick % members.length];
  if (chosen === undefined || step.kind === "add" || step.kind === "drop") {
    draft.addLeaf(freshLeaf());
  } else if (step.kind === "remove") {
    if (members.length === 1) return;
    draft.removeLeaf(chosen);
    draft.truncate();
  } else if (step.kind === "update") {
    draft.updateLeaf(chosen, freshLeaf());
  } else {
    applyPathKeys(draft, chosen, draft.filteredDirectPath(chosen).map(freshKey));
    draft.setLeaf(chosen, freshLeaf());
  }
}

/** Every index and cache of a tree equals that of a tree built anew from its nodes. */
function assertConsistent(tree: RatchetTree): void {
  const rebuilt = new RatchetTree(suite, decodeRatchetTree(encodeRatchetTree(tree.nodes())));
  assert.equal(rebuilt.leafCount, tree.leafCount);
  assert.equal(rebuilt.memberCount, tree.memberCount);
  assert.equal(rebuilt.leftmostBlank(), tree.leftmostBlank());
  for (let at = 0; at < nodeWidth(tree.leafCount); at++) {
    const index = at as NodeIndex;
    assert.deepEqual(tree.hash(index), rebuilt.hash(index));
    assert.equal(tree.occupied(index), rebuilt.occupied(index));
  }
  for (const { leafIndex, leafNode } of tree.members()) {
    assert.equal(tree.findBySignatureKey(leafNode.signatureKey), leafIndex);
    for (const key of capabilityKeys(leafNode)) assert.equal(tree.capabilityCount(key), rebuilt.capabilityCount(key));
  }
  for (const name of OWNERS) {
    const found = [...tree.members()].filter(({ leafNode }) => identityOf(leafNode) === name);
    const expected = name === "" ? [] : found.map(({ leafIndex }) => leafIndex);
    assert.deepEqual(tree.leavesOf(name, identityOf), expected);
  }
  const { leafCount } = tree;
  assert.ok(leafCount === 1 || [...tree.members()].some(({ leafIndex }) => leafIndex >= leafCount / 2), "truncated");
}

/** A tree that went through a history. */
function treeAfter(history: readonly Step[], from?: RatchetTree): RatchetTree {
  const tree = from?.clone() ?? new RatchetTree(suite, [leafTreeNode(freshLeaf())]);
  // From here on the index of identities is kept up to date, not made anew.
  tree.leavesOf("ann", identityOf);
  for (const step of history) {
    const draft = new TreeDraft(tree);
    apply(draft, step);
    tree.merge(draft);
  }
  return tree;
}

describe("receiveTree beside a known tree", () => {
  test("gives the tree of the bytes, whatever is known, and names what differs", () => {
    let [wider, alike] = [0, 0];
    fc.assert(
      fc.property(steps, fc.array(steps, { maxLength: 1 }), steps, (shared, more, history) => {
        const before = treeAfter(shared);
        const known = treeAfter(more.flat(), before);
        const sent = treeAfter(history.slice(0, 3), before);
        known.treeHash();
        const knownBytes = encodeRatchetTree(known.nodes());
        const data = encodeRatchetTree(sent.nodes());
        const { tree, nodes, parents } = receiveTree(suite, data, known);
        assertConsistent(tree);
        assert.deepEqual(encodeRatchetTree(tree.nodes()), data);
        for (let at = 0; at < nodeWidth(tree.leafCount); at++) {
          const index = at as NodeIndex;
          const [here, there] = [tree.encoded(index), known.encoded(index)];
          const same = here === undefined ? there === undefined : there !== undefined && equalBytes(here, there);
          assert.equal(nodes.has(index), here !== undefined && !same);
          if (!same) for (const above of directPath(index, tree.leafCount)) assert.ok(parents.includes(above));
          if (same && here !== undefined) alike++;
        }
        assert.deepEqual(encodeRatchetTree(known.nodes()), knownBytes);
        assertConsistent(known);
        if (tree.leafCount !== known.leafCount) wider++;
      }),
      { seed: SEED + 2, numRuns: 150 },
    );
    assert.ok(alike > 300, `only ${alike} nodes were known`);
    assert.ok(wider > 10 && wider < 140, `${wider} of 150 trees were of another width`);
  });
});

describe("TreeDraft over RatchetTree", () => {
  test("hashes, counters and indices equal those of a rebuilt tree, after any history", () => {
    fc.assert(
      fc.property(steps, (history) => {
        const tree = new RatchetTree(suite, [leafTreeNode(freshLeaf())]);
        tree.treeHash();
        for (const step of history) {
          const draft = new TreeDraft(tree);
          apply(draft, step);
          if (step.pick % 2 === 0) draft.treeHash();
          if (step.kind !== "drop") tree.merge(draft);
          if (step.pick % 3 === 0) tree.treeHash();
        }
        assertConsistent(tree);
      }),
      { seed: SEED, numRuns: 150 },
    );
  });

  test("a dropped draft leaves the tree as it was", () => {
    fc.assert(
      fc.property(steps, steps, (history, dropped) => {
        const tree = new RatchetTree(suite, [leafTreeNode(freshLeaf())]);
        const merge = (step: Step) => {
          const draft = new TreeDraft(tree);
          apply(draft, step);
          tree.merge(draft);
        };
        history.forEach(merge);
        const before = encodeRatchetTree(tree.nodes());
        const draft = new TreeDraft(tree);
        for (const step of dropped) apply(draft, step);
        draft.treeHash();
        assert.deepEqual(encodeRatchetTree(tree.nodes()), before);
        assertConsistent(tree);
      }),
      { seed: SEED + 1, numRuns: 100 },
    );
  });

  test("a removed leaf is gone from the same draft: its keys are free, and it cannot be removed again", () => {
    const leaf = freshLeaf();
    const draft = new TreeDraft(new RatchetTree(suite, [leafTreeNode(freshLeaf())]));
    const index = draft.addLeaf(leaf);
    const same = { ...leaf, signatureKey: freshKey() };
    assert.throws(() => checkLeafKeysUnique(draft, leaf), { rule: "unique-signature-key" });
    assert.throws(() => checkLeafKeysUnique(draft, same), { rule: "unique-encryption-key" });
    draft.removeLeaf(index);
    checkLeafKeysUnique(draft, leaf);
    assert.throws(() => draft.removeLeaf(index), { code: "MLS_STATE" });
  });

  test("a tree that shrinks, and maybe grows again, within one draft is the one that is built anew", () => {
    const history = Array.from({ length: 8 }, (_, pick): Step => ({ kind: pick < 4 ? "add" : "path", pick }));
    for (const added of [0, 5]) {
      const tree = treeAfter(history);
      assert.equal(tree.leafCount, 8);
      tree.treeHash();
      const draft = new TreeDraft(tree);
      for (const index of [4, 3, 2]) draft.removeLeaf(index as LeafIndex);
      draft.treeHash();
      draft.truncate();
      assert.equal(draft.leafCount, 2);
      for (let i = 0; i < added; i++) draft.addLeaf(freshLeaf());
      tree.merge(draft);
      assert.equal(tree.leafCount, added === 0 ? 2 : 8);
      assertConsistent(tree);
    }
  });

  test("an added leaf is unmerged at every parent above it, in ascending order", () => {
    const tree = new RatchetTree(suite, [leafTreeNode(freshLeaf())]);
    const draft = new TreeDraft(tree);
    for (let i = 0; i < 7; i++) draft.addLeaf(freshLeaf());
    for (const index of directPath(0 as NodeIndex, draft.leafCount)) {
      draft.setNode(
        index,
        parentTreeNode({ encryptionKey: freshKey(), parentHash: new Uint8Array(0), unmergedLeaves: [] }),
      );
    }
    draft.removeLeaf(5 as LeafIndex);
    draft.removeLeaf(2 as LeafIndex);
    for (const index of directPath(0 as NodeIndex, draft.leafCount)) {
      draft.setNode(
        index,
        parentTreeNode({ encryptionKey: freshKey(), parentHash: new Uint8Array(0), unmergedLeaves: [] }),
      );
    }
    assert.equal(draft.addLeaf(freshLeaf()), 2);
    assert.equal(draft.addLeaf(freshLeaf()), 5);
    const top = draft.node(draft.root);
    assert.deepEqual(top?.kind === "parent" ? top.parent.unmergedLeaves : undefined, [2, 5]);
    const low = draft.node(3 as NodeIndex);
    assert.deepEqual(low?.kind === "parent" ? low.parent.unmergedLeaves : undefined, [2]);
    assert.equal(draft.node(leafNodeIndex(2 as LeafIndex))?.kind, "leaf");
  });
});
