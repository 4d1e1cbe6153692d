import { isLeaf, left, type NodeIndex, nodeWidth, parent, right, root, sibling } from "@latchkey/mls/internals";
import { expectSame, VectorMismatch } from "../expect.ts";
import { listField, numberField, type Fields } from "../fields.ts";
import type { VectorKind } from "../kind.ts";

function verify(vector: Fields): void {
  const leafCount = numberField(vector, "n_leaves");
  const width = nodeWidth(leafCount);
  const top = root(leafCount);
  expectSame("the number of nodes", width, numberField(vector, "n_nodes"));
  expectSame("the root", top, numberField(vector, "root"));
  // Leaves have no children, the root has neither parent nor sibling: the functions are not defined there.
  const relations = [
    ["left", left, isLeaf],
    ["right", right, isLeaf],
    ["parent", parent, (node: NodeIndex) => node === top],
    ["sibling", sibling, (node: NodeIndex) => node === top],
  ] as const;
  for (const [name, relation, isUndefinedAt] of relations) {
    const stated = listField(vector, name);
    expectSame(`the length of the list ${name}`, stated.length, width);
    stated.forEach((value, index) => {
      const node = index as NodeIndex;
      if (value !== null && typeof value !== "number") throw new VectorMismatch(`${name}[${index}] is not a number`);
      expectSame(`${name}(${index})`, isUndefinedAt(node) ? undefined : relation(node), value ?? undefined);
    });
  }
}

/** "Tree Math": index arithmetic of full trees. */
export const treeMath: VectorKind = { files: ["tree-math"], shape: ["n_leaves", "n_nodes", "sibling"], verify };
