import { asLeafIndex, type CryptoProvider, decodeExact, type LeafIndex, type Proposal } from "@latchkey/mls";
import { decodeProposal, decodeRatchetTree, encodeRatchetTree, RatchetTree, TreeDraft } from "@latchkey/mls/internals";
import { expectBytes, VectorMismatch } from "../expect.ts";
import { bytesField, numberField, type Fields } from "../fields.ts";
import { suiteOf, type VectorKind } from "../kind.ts";

function apply(draft: TreeDraft, proposal: Proposal, sender: LeafIndex): void {
  switch (proposal.kind) {
    case "add":
      draft.addLeaf(proposal.keyPackage.leafNode);
      break;
    case "update":
      draft.updateLeaf(sender, proposal.leafNode);
      break;
    case "remove":
      draft.removeLeaf(proposal.removed);
      draft.truncate();
      break;
    default:
      throw new VectorMismatch(`a ${proposal.kind} proposal does not change the tree`);
  }
}

function verify(vector: Fields, crypto: CryptoProvider): void {
  const suite = suiteOf(vector, crypto);
  const tree = new RatchetTree(suite, decodeRatchetTree(bytesField(vector, "tree_before")));
  const hashBefore = bytesField(vector, "tree_hash_before");
  expectBytes("the tree hash before", tree.treeHash(), hashBefore);

  const sender = asLeafIndex(numberField(vector, "proposal_sender"));
  if (tree.leaf(sender) === undefined) throw new VectorMismatch("the sender of the proposal is not a member");
  const draft = new TreeDraft(tree);
  apply(draft, decodeExact(bytesField(vector, "proposal"), decodeProposal), sender);
  const [treeAfter, hashAfter] = [bytesField(vector, "tree_after"), bytesField(vector, "tree_hash_after")];
  expectBytes("the tree after, as a draft", encodeRatchetTree(draft.nodes()), treeAfter);
  expectBytes("the tree hash after, as a draft", draft.treeHash(), hashAfter);
  expectBytes("the tree hash below the draft", tree.treeHash(), hashBefore);
  tree.merge(draft);
  expectBytes("the tree after, merged", encodeRatchetTree(tree.nodes()), treeAfter);
  expectBytes("the tree hash after, merged", tree.treeHash(), hashAfter);
}

/** "Tree Operations": a proposal applied to a tree, as a draft and merged (RFC 9420 §12.1). */
export const treeOperations: VectorKind = {
  files: ["tree-operations"],
  shape: ["tree_before", "proposal", "proposal_sender"],
  verify,
};
