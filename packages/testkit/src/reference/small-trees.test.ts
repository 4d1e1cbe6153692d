import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, test } from "node:test";
import { asLeafIndex, equalBytes, ValidationError, type LeafNode, type LeafNodeSource } from "@latchkey/mls";
import {
  applyPathKeys,
  checkTreeStructure,
  encodeRatchetTree,
  isLeaf,
  leafTreeNode,
  parentTreeNode,
  receiveTree,
  RatchetTree,
  TreeDraft,
  type NodeIndex,
  type ReceivedTree,
  type TreeNode,
} from "@latchkey/mls/internals";
import { nodeCrypto } from "@latchkey/mls/node";
import { WHOLE } from "../whole.ts";
import * as naive from "./naive-tree.ts";

const MAX_MEMBERS = 4;
const suite = nodeCrypto.suite(1);

type Step = { readonly kind: "add" } | { readonly kind: "remove" | "update" | "path"; readonly leaf: number };

/** The same tree twice. */
interface Pair {
  readonly tree: RatchetTree;
  readonly reference: naive.NaiveNode;
}

let made = 0;

function freshKey(): Uint8Array {
  return createHash("sha256").update(`key ${made++}`).digest();
}

function freshLeaf(source: LeafNodeSource): LeafNode {
  return {
    encryptionKey: freshKey(),
    signatureKey: freshKey(),
    credential: { kind: "basic", identity: Buffer.from("somebody") },
    capabilities: { versions: [1], cipherSuites: [1], extensions: [], proposals: [], credentials: [1] },
    source,
    extensions: [],
    signature: new Uint8Array(64),
  };
}

function stepsFrom(reference: naive.NaiveNode): Step[] {
  const members = naive.membersOf(reference);
  const kinds = members.length > 1 ? (["remove", "update", "path"] as const) : (["update", "path"] as const);
  const steps: Step[] = kinds.flatMap((kind) => members.map((leaf) => ({ kind, leaf })));
  return members.length < MAX_MEMBERS ? [{ kind: "add" }, ...steps] : steps;
}

const KEY_PACKAGE: LeafNodeSource = { kind: "key_package", lifetime: { notBefore: 0n, notAfter: 2n ** 63n } };

function takePath(draft: TreeDraft, reference: naive.NaiveNode, at: number): naive.NaiveNode {
  const leaf = asLeafIndex(at);
  const fresh = freshLeaf({ kind: "update" });
  const keys = draft.filteredDirectPath(leaf).map(freshKey);
  const withParentHash = (parentHash: Uint8Array): LeafNode => ({ ...fresh, source: { kind: "commit", parentHash } });
  draft.setLeaf(leaf, withParentHash(applyPathKeys(draft, leaf, keys)));
  return naive.applyPath(reference, at, keys, withParentHash);
}

/** One step in both; the engine's on a draft over a copy, compared before and after it is merged. */
function take({ tree, reference }: Pair, step: Step): Pair {
  const next = tree.clone();
  const draft = new TreeDraft(next);
  let after: naive.NaiveNode;
  if (step.kind === "add") {
    const leaf = freshLeaf(KEY_PACKAGE);
    draft.addLeaf(leaf);
    after = naive.add(reference, leaf);
  } else if (step.kind === "remove") {
    draft.removeLeaf(asLeafIndex(step.leaf));
    draft.truncate();
    after = naive.remove(reference, step.leaf);
  } else if (step.kind === "update") {
    const leaf = freshLeaf({ kind: "update" });
    draft.updateLeaf(asLeafIndex(step.leaf), leaf);
    after = naive.update(reference, step.leaf, leaf);
  } else {
    after = takePath(draft, reference, step.leaf);
  }
  assert.ok(equalBytes(draft.treeHash(), naive.treeHash(after)), "the tree hash of the draft");
  next.merge(draft);
  return { tree: next, reference: after };
}

/** Everything that can be asked of a tree, asked of both. */
function assertSame({ tree, reference }: Pair, last: Step): void {
  const nodes = naive.inOrder(reference);
  const place = new Map(nodes.map((node, index) => [node, index]));
  assert.equal(2 * tree.leafCount - 1, nodes.length, "the width of the tree");
  nodes.forEach((node, at) => {
    const index = at as NodeIndex;
    assert.equal(tree.node(index) === undefined, naive.isBlank(node), `whether node ${at} is blank`);
    assert.ok(equalBytes(tree.hash(index), naive.treeHash(node)), `the tree hash of node ${at}`);
    const resolution = naive.resolution(reference, node).map((other) => place.get(other));
    assert.deepEqual(tree.resolution(index), resolution, `the resolution of node ${at}`);
  });
  const members = naive.membersOf(reference);
  assert.deepEqual(
    [...tree.members()].map(({ leafIndex }) => leafIndex),
    members,
    "the members",
  );
  for (const leaf of members) {
    const path = naive.filteredDirectPath(reference, leaf).map((node) => place.get(node));
    const computed = tree.filteredDirectPath(asLeafIndex(leaf)).map(({ node }) => node);
    assert.deepEqual(computed, path, `the filtered direct path of leaf ${leaf}`);
  }
  assert.ok(equalBytes(encodeRatchetTree(tree.nodes()), naive.encodeTree(reference)), "the encoded tree");
  const rule = engineFinds(tree);
  assert.equal(rule === undefined, naive.isValidTree(reference), `whether the tree is valid (${rule ?? "valid"})`);
  // Between commits there are others: a Remove that halves the tree leaves a root with the parent hash of the old one.
  if (last.kind === "path") assert.equal(rule, undefined, "a tree is valid after an update path");
}

/** The rule that the engine finds broken in a tree with that tree hash, as when somebody joins. */
function brokenRule(received: ReceivedTree, treeHash: Uint8Array): string | undefined {
  const [groupId, confirmedTranscriptHash] = [new Uint8Array(4), new Uint8Array(0)];
  const context = { version: 1, cipherSuite: 1, groupId, epoch: 1n, confirmedTranscriptHash, extensions: [] };
  try {
    checkTreeStructure(received, { ...context, treeHash });
    return undefined;
  } catch (error) {
    if (error instanceof ValidationError) return error.rule;
    throw error;
  }
}

/** The rule that is broken in a tree, also in one that cannot be sent because its right half is empty. */
function engineFinds(tree: RatchetTree): string | undefined {
  const indices = Array.from({ length: 2 * tree.leafCount - 1 }, (_, at) => at as NodeIndex);
  const nodes = new Map<NodeIndex, TreeNode>();
  for (const index of indices) {
    const node = tree.node(index);
    if (node !== undefined) nodes.set(index, node);
  }
  return brokenRule({ tree, nodes, parents: indices.filter((index) => !isLeaf(index)) }, tree.treeHash());
}

/** Takes all sequences of up to `depth` steps, depth first; `visit` sees every tree with the steps that led to it. */
function explore(
  from: Pair,
  depth: number,
  visit: (pair: Pair, last: Step) => void,
  history: readonly Step[] = [],
): void {
  if (depth === 0) return;
  for (const step of stepsFrom(from.reference)) {
    const steps = [...history, step];
    let next: Pair;
    try {
      next = take(from, step);
      visit(next, step);
    } catch (error) {
      throw new Error(`the trees differ after ${JSON.stringify(steps)}`, { cause: error });
    }
    explore(next, depth - 1, visit, steps);
  }
}

function single(): Pair {
  const leaf = freshLeaf(KEY_PACKAGE);
  return { tree: new RatchetTree(suite, [leafTreeNode(leaf)]), reference: { index: 0, leaf } };
}

/** A tree of four whose parents are all taken: every member has committed. */
function full(): Pair {
  const steps: Step[] = [{ kind: "add" }, { kind: "add" }, { kind: "add" }];
  for (const leaf of [0, 2, 1, 3]) steps.push({ kind: "path", leaf });
  return steps.reduce(take, single());
}

const BYTE = Uint8Array.of(1);

/** All trees that differ from this one in one field that parent hashes or unmerged leaves are about. */
function* tampered({ reference }: Pair): Generator<naive.NaiveNode> {
  const nodes = naive.inOrder(reference);
  const replace = (node: naive.NaiveNode, old: naive.NaiveNode, other: naive.NaiveNode): naive.NaiveNode => {
    if (node === old) return other;
    if (naive.isLeafNode(node)) return node;
    return { ...node, left: replace(node.left, old, other), right: replace(node.right, old, other) };
  };
  for (const node of nodes) {
    if (naive.isBlank(node)) continue;
    if (naive.isLeafNode(node)) {
      yield replace(reference, node, { ...node, leaf: undefined });
      yield replace(reference, node, { ...node, leaf: freshLeaf(KEY_PACKAGE) });
      yield replace(reference, node, { ...node, leaf: freshLeaf({ kind: "commit", parentHash: BYTE }) });
      continue;
    }
    const { content } = node;
    if (content === undefined) continue;
    yield replace(reference, node, { ...node, content: undefined });
    yield replace(reference, node, { ...node, content: { ...content, key: freshKey() } });
    yield replace(reference, node, { ...node, content: { ...content, parentHash: BYTE } });
    for (const { index } of naive.leavesBelow(reference)) {
      const unmerged = content.unmerged.includes(index)
        ? content.unmerged.filter((leaf) => leaf !== index)
        : [...content.unmerged, index].sort((a, b) => a - b);
      yield replace(reference, node, { ...node, content: { ...content, unmerged } });
    }
  }
}

function engineTree(reference: naive.NaiveNode): RatchetTree {
  const nodes = naive.inOrder(reference).map((node) => {
    if (naive.isLeafNode(node)) return node.leaf === undefined ? undefined : leafTreeNode(node.leaf);
    if (node.content === undefined) return undefined;
    const { key: encryptionKey, parentHash, unmerged } = node.content;
    return parentTreeNode({ encryptionKey, parentHash, unmergedLeaves: unmerged.map(asLeafIndex) });
  });
  return new RatchetTree(suite, nodes);
}

/** Six steps from one member make 26 000 trees and take 18 seconds: `npm run test:whole`. */
const DEPTH = WHOLE ? 6 : 5;

describe("trees of up to four leaves, compared with a naive reference", () => {
  for (const [name, start, depth] of [
    ["one member", single, DEPTH],
    ["four members who all have committed", full, 3],
  ] as const) {
    test(`are the same after every sequence of up to ${depth} adds, removes, updates and paths from ${name}`, (t) => {
      let compared = 0;
      explore(start(), depth, (pair, last) => {
        assertSame(pair, last);
        compared++;
      });
      t.diagnostic(`${compared} trees`);
      assert.ok(compared > 1_000);
    });
  }

  test("are found invalid by the engine exactly when the reference finds them so, whatever one field is changed to", (t) => {
    const verdicts = { valid: 0, "parent-hash": 0, "unmerged-leaves": 0 };
    explore(full(), 2, (pair) => {
      for (const reference of tampered(pair)) {
        const rule = engineFinds(engineTree(reference));
        assert.equal(rule === undefined, naive.isValidTree(reference));
        verdicts[(rule ?? "valid") as keyof typeof verdicts]++;
      }
    });
    t.diagnostic(JSON.stringify(verdicts));
    for (const count of Object.values(verdicts)) assert.ok(count > 0);
  });

  test("are judged alike whether or not a valid tree is known whose nodes and hashes are used again", (t) => {
    const verdicts = new Map<string, number>();
    explore(full(), 2, (pair) => {
      if (engineFinds(pair.tree) !== undefined) return;
      const known = pair.tree;
      for (const reference of tampered(pair)) {
        const data = encodeRatchetTree(engineTree(reference).nodes());
        const alone = receiveTree(suite, data, undefined);
        const beside = receiveTree(suite, data, known);
        const treeHash = alone.tree.treeHash();
        const rule = brokenRule(alone, treeHash);
        assert.equal(brokenRule(beside, treeHash), rule);
        assert.ok(beside.nodes.size <= 1 && equalBytes(encodeRatchetTree(beside.tree.nodes()), data));
        verdicts.set(rule ?? "valid", (verdicts.get(rule ?? "valid") ?? 0) + 1);
      }
    });
    t.diagnostic(JSON.stringify(Object.fromEntries(verdicts)));
    assert.deepEqual([...verdicts.keys()].sort(), ["parent-hash", "unmerged-leaves", "valid"]);
  });
});
