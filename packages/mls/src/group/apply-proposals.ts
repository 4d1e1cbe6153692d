import { encode } from "../codec/writer.ts";
import { labelledCheck } from "../crypto/labels.ts";
import type { SignatureCheck } from "../crypto/provider.ts";
import { equalBytes } from "../bytes.ts";
import { ValidationError } from "../errors.ts";
import { MLS_LIMITS } from "../limits.ts";
import { appDataExtension, type AppData, type AppDataChanges } from "../messages/app-data.ts";
import { EXTENSION_TYPE, replaceExtension, type Extension } from "../messages/extension.ts";
import type { GroupContext } from "../messages/group-context.ts";
import { keyPackageToBeSigned, type KeyPackage } from "../messages/key-package.ts";
import { encodeLeafNode, leafNodeCheck, type LeafNode } from "../messages/leaf-node.ts";
import { PROPOSAL_TYPE } from "../messages/proposal.ts";
import {
  checkAllSupport,
  checkCredentialSupport,
  checkLeafCapabilities,
  checkLeafKeysUnique,
  groupRequirements,
  isDefaultProposal,
  type GroupRequirements,
} from "../tree/leaf-rules.ts";
import type { LeafIndex } from "../tree/math.ts";
import type { TreeDraft } from "../tree/tree-draft.ts";
import { removedLeaf, type ResolvedProposal } from "./proposals.ts";

/** Effect of a commit's proposals on a draft. */
export interface AppliedProposals {
  readonly added: readonly { readonly leafIndex: LeafIndex; readonly keyPackage: KeyPackage }[];
  readonly removed: readonly LeafIndex[];
  /** Extensions of the next GroupContext, before app data is written into them. */
  readonly extensions: readonly Extension[];
  /** Components that AppDataUpdates of this commit touch. */
  readonly touchedComponents: ReadonlySet<number>;
  /** Types of the proposals that not everybody supports as a matter of course. */
  readonly optionalTypes: readonly number[];
  /** Signatures of the leaves and key packages that the proposals bring. */
  readonly checks: readonly SignatureCheck[];
  /** HPKE public keys that they bring. */
  readonly newKeys: readonly Uint8Array[];
}

function keyPackageChecks(keyPackage: KeyPackage): SignatureCheck[] {
  const { leafNode } = keyPackage;
  return [
    leafNodeCheck(leafNode, encode(leafNode, encodeLeafNode)),
    labelledCheck(leafNode.signatureKey, "KeyPackageTBS", keyPackageToBeSigned(keyPackage), keyPackage.signature),
  ];
}

/** The rules for a key package apart from its signatures (RFC 9420 §10.1); returns the signature checks. */
export function checkKeyPackage(keyPackage: KeyPackage, version: number, cipherSuite: number): SignatureCheck[] {
  const refuse = (why: string): never => {
    throw new ValidationError("key-package", `a key package ${why}`);
  };
  if (keyPackage.version !== version) refuse(`is of version ${keyPackage.version}, not ${version}`);
  if (keyPackage.cipherSuite !== cipherSuite) refuse(`is of suite ${keyPackage.cipherSuite}, not ${cipherSuite}`);
  if (keyPackage.leafNode.source.kind !== "key_package") refuse("holds a leaf of another source");
  if (equalBytes(keyPackage.initKey, keyPackage.leafNode.encryptionKey)) refuse("uses one key twice");
  return keyPackageChecks(keyPackage);
}

/** Puts the leaf of an Update into the draft (RFC 9420 §12.1.2); returns the signature check. */
export function applyUpdate(
  draft: TreeDraft,
  groupId: Uint8Array,
  requirements: GroupRequirements,
  { leafNode, leafIndex }: { readonly leafNode: LeafNode; readonly leafIndex: LeafIndex | undefined },
): SignatureCheck {
  const before = leafIndex === undefined ? undefined : draft.leaf(leafIndex);
  if (leafIndex === undefined || before === undefined) {
    throw new ValidationError("update-sender", "an Update does not come from a member, whose leaf it would replace");
  }
  if (leafNode.source.kind !== "update") throw new ValidationError("leaf-source", "an Update brings a wrong leaf");
  if (equalBytes(leafNode.encryptionKey, before.encryptionKey)) {
    throw new ValidationError("leaf-key-change", "an Update keeps the encryption key of its leaf");
  }
  checkLeafCapabilities(leafNode, requirements);
  checkLeafKeysUnique(draft, leafNode, leafIndex);
  draft.updateLeaf(leafIndex, leafNode);
  return leafNodeCheck(leafNode, encode(leafNode, encodeLeafNode), { groupId, leafIndex });
}

/** Blanks a leaf of the draft: a Remove or SelfRemove (RFC 9420 §12.1.3). */
export function applyRemove(draft: TreeDraft, leafIndex: LeafIndex): void {
  if (draft.leaf(leafIndex) === undefined) {
    throw new ValidationError("remove-leaf", `a removal names leaf ${leafIndex}, which is blank`);
  }
  draft.removeLeaf(leafIndex);
}

/** Puts a new member into the draft (RFC 9420 §12.1.1); returns its leaf and the signature checks. */
export function applyAdd(
  draft: TreeDraft,
  { version, cipherSuite }: Pick<GroupContext, "version" | "cipherSuite">,
  requirements: GroupRequirements,
  keyPackage: KeyPackage,
): { leafIndex: LeafIndex; checks: SignatureCheck[] } {
  const checks = checkKeyPackage(keyPackage, version, cipherSuite);
  checkLeafCapabilities(keyPackage.leafNode, requirements);
  checkLeafKeysUnique(draft, keyPackage.leafNode);
  return { leafIndex: draft.addLeaf(keyPackage.leafNode), checks };
}

/**
 * Applies proposals to a draft in the order of RFC 9420 §12.3 and checks each (§12.1). Signatures are collected, not
 * verified; app data is written by `writeAppData`.
 */
export function applyProposals(
  draft: TreeDraft,
  context: GroupContext,
  proposals: readonly ResolvedProposal[],
): AppliedProposals {
  const checks: SignatureCheck[] = [];
  const newKeys: Uint8Array[] = [];
  const touchedComponents = new Set<number>();
  const optionalTypes = new Set<number>();
  let extensions = context.extensions;
  for (const { proposal } of proposals) {
    if (proposal.kind === "group_context_extensions") extensions = proposal.extensions;
    if (proposal.kind === "app_data_update") touchedComponents.add(proposal.componentId);
    const type = PROPOSAL_TYPE[proposal.kind];
    if (!isDefaultProposal(type)) optionalTypes.add(type);
  }
  const requirements = groupRequirements(extensions);
  for (const { proposal, sender } of proposals) {
    if (proposal.kind !== "update") continue;
    const { leafNode } = proposal;
    const leafIndex = sender.kind === "member" ? sender.leafIndex : undefined;
    checks.push(applyUpdate(draft, context.groupId, requirements, { leafNode, leafIndex }));
    newKeys.push(leafNode.encryptionKey);
  }
  const removed = proposals
    .map(({ proposal, sender }) => removedLeaf(proposal, sender))
    .filter((leaf) => leaf !== undefined);
  for (const leafIndex of removed) applyRemove(draft, leafIndex);
  const added: { leafIndex: LeafIndex; keyPackage: KeyPackage }[] = [];
  for (const { proposal } of proposals) {
    if (proposal.kind !== "add") continue;
    const { keyPackage } = proposal;
    const { leafIndex, checks: signatures } = applyAdd(draft, context, requirements, keyPackage);
    checks.push(...signatures);
    newKeys.push(keyPackage.initKey, keyPackage.leafNode.encryptionKey);
    added.push({ leafIndex, keyPackage });
  }
  if (removed.length > 0) draft.truncate();
  if (extensions !== context.extensions) checkAllSupport(draft, requirements);
  return { added, removed, extensions, touchedComponents, optionalTypes: [...optionalTypes], checks, newKeys };
}

/** Checks, once every leaf of the new epoch is in place, that all members support what all of them now use. */
export function checkMemberSupport(draft: TreeDraft, applied: AppliedProposals): void {
  checkCredentialSupport(draft);
  checkAllSupport(draft, {
    extensions: applied.touchedComponents.size > 0 ? [EXTENSION_TYPE.appDataDictionary] : [],
    proposals: applied.optionalTypes,
    credentials: [],
  });
}

/**
 * The extensions of the next GroupContext: the new values of every touched component written into the dictionary, which
 * then stands last. Throws ValidationError unless exactly the touched components get a value, and for
 * more than `MLS_LIMITS.maxAppDataEntries` of them.
 */
export function writeAppData(
  applied: AppliedProposals,
  dictionary: AppData,
  changes: AppDataChanges,
): readonly Extension[] {
  const { touchedComponents, extensions } = applied;
  const complete = [...touchedComponents].every((componentId) => changes.has(componentId));
  if (!complete || changes.size !== touchedComponents.size) {
    throw new ValidationError(
      "app-data-values",
      "the new app-data values do not match the AppDataUpdates of the commit",
    );
  }
  if (touchedComponents.size === 0) return extensions;
  const next = new Map(dictionary);
  for (const [componentId, value] of changes) {
    if (value === null) next.delete(componentId);
    else next.set(componentId, value);
  }
  // What nobody can read is not written: members that restart would part from those that do not.
  if (next.size > MLS_LIMITS.maxAppDataEntries) {
    throw new ValidationError("app-data-values", "the group's app data would have more components than can be read");
  }
  return replaceExtension(extensions, appDataExtension(next));
}
