import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { SUITE } from "../testing/groups.ts";
import { nodeCrypto } from "../node/index.ts";
import { asLeafIndex } from "../tree/math.ts";
import { SecretTree } from "./secret-tree.ts";

const suite = nodeCrypto.suite(SUITE);

function newTree(leafCount: number): SecretTree {
  return SecretTree.fromEncryptionSecret(suite, leafCount, new Uint8Array(32).fill(5));
}

function storedNodes(tree: SecretTree): number[] {
  return [...tree.entries().nodes.keys()].sort((a, b) => a - b);
}

function receive(tree: SecretTree, leaf: number, generation: number, kind: "application" | "commit" = "application") {
  const taken = tree.take(asLeafIndex(leaf), kind, generation);
  if (taken !== undefined) tree.apply(taken.change);
  return taken?.key;
}

describe("the secret tree of an epoch (RFC 9420 §9)", () => {
  test("every secret is deleted as soon as those below it exist, and a leaf's with its ratchets", () => {
    const tree = newTree(8);
    receive(tree, 2, 0);
    assert.deepEqual(storedNodes(tree), [1, 6, 11]);
    receive(tree, 3, 0);
    assert.deepEqual(storedNodes(tree), [1, 11]);
    receive(tree, 7, 0);
    assert.deepEqual(storedNodes(tree), [1, 9, 12]);
    for (let leaf = 0; leaf < 8; leaf++) receive(tree, leaf, 1);
    assert.deepEqual(storedNodes(tree), []);
  });

  test("a change deletes the root's secret, and takes effect only when it is applied", () => {
    const tree = newTree(4);
    const { change } = tree.next(asLeafIndex(0), "application");
    assert.deepEqual(
      [...change.nodes].map(([index, secret]) => [index, secret?.length]),
      [
        [3, undefined],
        [5, 32],
        [1, undefined],
        [2, 32],
        [0, undefined],
      ],
    );
    assert.deepEqual(storedNodes(tree), [3]);
    assert.equal(tree.next(asLeafIndex(0), "application").generation, 0);
    tree.apply(change);
    assert.equal(tree.next(asLeafIndex(0), "application").generation, 1);
  });

  test("application messages and handshakes have ratchets of their own; a key is given once", () => {
    const tree = newTree(4);
    const application = receive(tree, 1, 0);
    const handshake = receive(tree, 1, 0, "commit");
    assert.notDeepEqual(application, handshake);
    assert.equal(receive(tree, 1, 0), undefined);
    assert.equal(receive(tree, 1, 0, "commit"), undefined);
    // Proposals and commits share one ratchet.
    assert.equal(tree.next(asLeafIndex(1), "proposal").generation, 1);
  });

  test("members who open leaves in another order have the same keys", () => {
    const [one, other] = [newTree(8), newTree(8)];
    const order = [0, 1, 2, 3, 4, 5, 6, 7];
    const keys = new Map(order.map((leaf) => [leaf, receive(one, leaf, 0)]));
    for (const leaf of order.reverse()) assert.deepEqual(receive(other, leaf, 0), keys.get(leaf));
  });

  test("sender, MLS_STATE: a leaf outside of the tree; secrets that are not there", () => {
    assert.throws(() => receive(newTree(4), 4, 0), { rule: "sender" });
    assert.throws(() => receive(new SecretTree(suite, 4, []), 0, 0), { code: "MLS_STATE" });
  });
});
