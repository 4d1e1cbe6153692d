import { encode } from "../codec/writer.ts";
import { labelledCheck } from "../crypto/labels.ts";
import type { SignatureCheck } from "../crypto/provider.ts";
import { equalBytes } from "../bytes.ts";
import { ValidationError } from "../errors.ts";
import {
  encodeAppDataDictionary,
  decodeAppDataDictionary,
  type AppData,
  type AppDataChanges,
} from "../messages/app-data.ts";
import { EXTENSION_TYPE, findExtension, replaceExtension, type Extension } from "../messages/extension.ts";
import type { GroupContext } from "../messages/group-context.ts";
import { keyPackageToBeSigned, type KeyPackage } from "../messages/key-package.ts";
import { encodeLeafNode, leafNodeCheck } from "../messages/leaf-node.ts";
import { PROPOSAL_TYPE } from "../messages/proposal.ts";
import {
  checkAllSupport,
  checkCredentialSupport,
  checkLeafCapabilities,
  checkLeafKeysUnique,
  groupRequirements,
  isDefaultProposal,
} from "../tree/leaf-rules.ts";
import type { LeafIndex } from "../tree/math.ts";
import type { TreeDraft } from "../tree/tree-draft.ts";
import { removedLeaf, type ResolvedProposal } from "./proposals.ts";

/** What a commit's proposals did to a draft. */
export interface AppliedProposals {
  readonly added: readonly { readonly leafIndex: LeafIndex; readonly keyPackage: KeyPackage }[];
  readonly removed: readonly LeafIndex[];
  readonly updated: readonly LeafIndex[];
  /** Extensions of the next GroupContext, before app data is written into them. */
  readonly extensions: readonly Extension[];
  /** Components that AppDataUpdates of this commit touch. */
  readonly touchedComponents: ReadonlySet<number>;
  /** Types of the proposals that not everybody supports as a matter of course. */
  readonly optionalTypes: readonly number[];
  /** Signatures of the leaves and key packages that the proposals bring. */
  readonly checks: readonly SignatureCheck[];
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
  const updated: LeafIndex[] = [];
  for (const { proposal, sender } of proposals) {
    if (proposal.kind !== "update") continue;
    const before = sender.kind === "member" ? draft.leaf(sender.leafIndex) : undefined;
    if (sender.kind !== "member" || before === undefined) {
      throw new ValidationError("update-sender", "an Update does not come from a member, whose leaf it would replace");
    }
    const { leafNode } = proposal;
    if (leafNode.source.kind !== "update") throw new ValidationError("leaf-source", "an Update brings a wrong leaf");
    if (equalBytes(leafNode.encryptionKey, before.encryptionKey)) {
      throw new ValidationError("leaf-key-change", "an Update keeps the encryption key of its leaf");
    }
    checkLeafCapabilities(leafNode, requirements);
    checkLeafKeysUnique(draft, leafNode, sender.leafIndex);
    const position = { groupId: context.groupId, leafIndex: sender.leafIndex };
    checks.push(leafNodeCheck(leafNode, encode(leafNode, encodeLeafNode), position));
    draft.updateLeaf(sender.leafIndex, leafNode);
    updated.push(sender.leafIndex);
  }
  const removed: LeafIndex[] = [];
  for (const { proposal, sender } of proposals) {
    const leafIndex = removedLeaf(proposal, sender);
    if (leafIndex === undefined) continue;
    if (draft.leaf(leafIndex) === undefined) {
      throw new ValidationError("remove-leaf", `a ${proposal.kind} names leaf ${leafIndex}, which is blank`);
    }
    draft.removeLeaf(leafIndex);
    removed.push(leafIndex);
  }
  const added: { leafIndex: LeafIndex; keyPackage: KeyPackage }[] = [];
  for (const { proposal } of proposals) {
    if (proposal.kind !== "add") continue;
    const { keyPackage } = proposal;
    checks.push(...checkKeyPackage(keyPackage, context.version, context.cipherSuite));
    checkLeafCapabilities(keyPackage.leafNode, requirements);
    checkLeafKeysUnique(draft, keyPackage.leafNode);
    added.push({ leafIndex: draft.addLeaf(keyPackage.leafNode), keyPackage });
  }
  if (removed.length > 0) draft.truncate();
  if (extensions !== context.extensions) checkAllSupport(draft, requirements);
  return { added, removed, updated, extensions, touchedComponents, optionalTypes: [...optionalTypes], checks };
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
 * then stands last. Throws ValidationError unless exactly the touched components get a value.
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
  return replaceExtension(extensions, { type: EXTENSION_TYPE.appDataDictionary, data: encodeAppDataDictionary(next) });
}

/** The dictionary in a GroupContext's extensions; empty when there is none. Throws DecodeError. */
export function appDataOf(extensions: readonly Extension[]): AppData {
  const data = findExtension(extensions, EXTENSION_TYPE.appDataDictionary);
  return data === undefined ? new Map() : decodeAppDataDictionary(data);
}
