import { ValidationError } from "../errors.ts";
import type { GroupContext } from "../messages/group-context.ts";
import type { KeyPackage } from "../messages/key-package.ts";
import { checkCredentialFits, groupRequirements, isDefaultProposal } from "../tree/leaf-rules.ts";
import type { LeafIndex } from "../tree/math.ts";
import type { RatchetTree } from "../tree/ratchet-tree.ts";
import { TreeDraft } from "../tree/tree-draft.ts";
import { applyAdd, applyRemove } from "./apply-proposals.ts";

/** Adds that a commit is to carry, and its other proposals. */
export interface AddsToTry {
  readonly keyPackages: readonly KeyPackage[];
  /** Leaves that the same commit removes; none is blank. */
  readonly removed?: readonly LeafIndex[];
  /** Types of proposals that every member has to support beside the group's requirements. */
  readonly proposalTypes?: readonly number[];
}

/**
 * Tries key packages against a group, as one commit would add them (RFC 9420 §10.1, §12.1.1): undefined for one that can be
 * added behind those before it, or the error with the rule that it breaks. A refused one does not count for those behind it.
 * Signatures and lifetimes are for `verifyKeyPackage`. Changes nothing; O(log n) for each key package.
 */
export function tryAdds(
  group: { readonly tree: RatchetTree; readonly context: GroupContext },
  { keyPackages, removed = [], proposalTypes = [] }: AddsToTry,
): (ValidationError | undefined)[] {
  const draft = new TreeDraft(group.tree);
  for (const leafIndex of removed) applyRemove(draft, leafIndex);
  const required = groupRequirements(group.context.extensions);
  const optional = proposalTypes.filter((type) => !isDefaultProposal(type));
  const requirements = { ...required, proposals: [...required.proposals, ...optional] };
  return keyPackages.map((keyPackage) => {
    try {
      checkCredentialFits(draft, keyPackage.leafNode);
      applyAdd(draft, group.context, requirements, keyPackage);
      return undefined;
    } catch (error) {
      if (error instanceof ValidationError) return error;
      throw error;
    }
  });
}
