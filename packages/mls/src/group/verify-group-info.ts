import type { CryptoProvider } from "../crypto/provider.ts";
import { DecodeError, ValidationError } from "../errors.ts";
import { appDataOf, type AppData } from "../messages/app-data.ts";
import { decodeExternalPub, EXTENSION_TYPE, findExtension } from "../messages/extension.ts";
import { groupContextBytes, type GroupContext } from "../messages/group-context.ts";
import { groupInfoCheck, type GroupInfo } from "../messages/group-info.ts";
import { PROTOCOL_VERSION_MLS10 } from "../messages/key-package.ts";
import type { LeafNode } from "../messages/leaf-node.ts";
import { decodeMlsMessage } from "../messages/mls-message.ts";
import { receiveTree } from "../tree/received-tree.ts";
import type { RatchetTree } from "../tree/ratchet-tree.ts";
import { checkTreeStructure, signerLeafAt, verifyLeafSignatures } from "../tree/tree-validation.ts";
import type { VerifiedTreeCache } from "../tree/verified-trees.ts";
import type { LeafIndex } from "../tree/math.ts";

/** A GroupInfo of which everything that can be checked is good. */
export interface VerifiedGroupInfo {
  readonly groupInfo: GroupInfo;
  readonly context: GroupContext;
  readonly contextBytes: Uint8Array;
  readonly appData: AppData;
  /** The member that signed it. */
  readonly signer: LeafIndex;
  readonly signerLeaf: LeafNode;
  readonly externalPub: Uint8Array | undefined;
  /** Never changes: who goes on from it takes a clone. */
  readonly tree: RatchetTree;
  readonly memberCount: number;
  members(): Iterable<{ leafIndex: LeafIndex; leafNode: LeafNode }>;
  /** O(1). */
  findBySignatureKey(signatureKey: Uint8Array): LeafIndex | undefined;
}

/**
 * Verifies a decoded GroupInfo with its tree: signature, tree hash, parent hashes, unmerged leaves, uniqueness of keys,
 * capabilities, and the signature of every leaf (RFC 9420 §12.4.3.1). Leaf lifetimes are not looked at: a member
 * whose key package has run out meanwhile is still a member.
 *
 * `ratchetTree` is the data of a `ratchet_tree` extension for a GroupInfo that does not carry one. One pass, O(n); where
 * `verifiedTrees` holds an earlier tree of the group, decoding, hashes and signatures are those of what differs.
 */
export async function verifyGroupInfoContent(
  crypto: CryptoProvider,
  groupInfo: GroupInfo,
  verifiedTrees: VerifiedTreeCache | undefined,
  ratchetTree?: Uint8Array,
): Promise<VerifiedGroupInfo> {
  const { context } = groupInfo;
  if (context.version !== PROTOCOL_VERSION_MLS10) {
    throw new ValidationError("group-info", `the GroupInfo is of protocol version ${context.version}, not mls10`);
  }
  const suite = crypto.suite(context.cipherSuite);
  const treeData = findExtension(groupInfo.extensions, EXTENSION_TYPE.ratchetTree) ?? ratchetTree;
  if (treeData === undefined) throw new ValidationError("group-info", "the GroupInfo carries no ratchet tree");
  const received = receiveTree(suite, treeData, verifiedTrees?.find(suite, context.groupId));
  const { tree } = received;
  const signerLeaf = signerLeafAt(tree, groupInfo.signer);
  const signed = await suite.verify(groupInfoCheck(groupInfo, signerLeaf.signatureKey));
  if (!signed) throw new ValidationError("group-info-signature", "the signature of the GroupInfo is wrong");
  // Other threads check the signatures meanwhile; a broken structure is reported first, and theirs is then not waited for.
  const leaves = verifyLeafSignatures(received, context.groupId);
  leaves.catch(() => undefined);
  checkTreeStructure(received, context);
  await leaves;
  verifiedTrees?.keep(context.groupId, tree);
  const externalPub = findExtension(groupInfo.extensions, EXTENSION_TYPE.externalPub);
  return {
    groupInfo,
    context,
    contextBytes: groupContextBytes(context),
    appData: appDataOf(context.extensions),
    signer: groupInfo.signer,
    signerLeaf,
    externalPub: externalPub === undefined ? undefined : decodeExternalPub(externalPub),
    tree,
    memberCount: tree.memberCount,
    members: () => tree.members(),
    findBySignatureKey: (signatureKey) => tree.findBySignatureKey(signatureKey),
  };
}

/**
 * Verifies an MLSMessage that holds a GroupInfo, before joining by external commit. Throws DecodeError,
 * ValidationError, or UnsupportedError for an unknown cipher suite.
 */
export async function verifyGroupInfo(
  config: { readonly crypto: CryptoProvider; readonly verifiedTrees?: VerifiedTreeCache },
  bytes: Uint8Array,
): Promise<VerifiedGroupInfo> {
  const decoded = decodeMlsMessage(bytes);
  if (decoded.wireFormat !== "group_info") throw new DecodeError(`expected a GroupInfo, got a ${decoded.wireFormat}`);
  return verifyGroupInfoContent(config.crypto, decoded.message, config.verifiedTrees);
}
