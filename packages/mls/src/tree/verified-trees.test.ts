import assert from "node:assert/strict";
import { test } from "node:test";
import { utf8 } from "../bytes.ts";
import { MLS_LIMITS } from "../limits.ts";
import { leafTreeNode } from "./node.ts";
import { RatchetTree } from "./ratchet-tree.ts";
import { freshLeaf, suite } from "../testing/trees.ts";
import { VerifiedTreeCache } from "./verified-trees.ts";

test("of too many verified trees the one goes that was kept longest ago", () => {
  const cache = new VerifiedTreeCache();
  const tree = new RatchetTree(suite, [leafTreeNode(freshLeaf())]);
  const ids = Array.from({ length: MLS_LIMITS.maxVerifiedTrees + 1 }, (_, index) => utf8(`group ${index}`));
  const [first = utf8(""), ...others] = ids;
  const youngest = others.pop() ?? utf8("");
  for (const id of [first, ...others, first, youngest]) cache.keep(id, tree);
  const kept = ids.filter((id) => cache.find(suite, id) === tree);
  assert.deepEqual(kept, [first, ...others.slice(1), youngest]);
});
