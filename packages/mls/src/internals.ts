/**
 * Parts of the engine for this repository's own tests and benchmarks: the official vectors look at single steps.
 * No stability is promised; programs use the package's main entry point.
 *
 * @module
 */
export {
  decryptWithLabel,
  deriveSecret,
  deriveTreeSecret,
  encryptWithLabel,
  expandWithLabel,
  labelledCheck,
  refHash,
  signWithLabel,
} from "./crypto/labels.ts";
export { decodeCommit, decodeUpdatePath, encodeCommit } from "./messages/commit.ts";
export {
  decodeAuthData,
  decodeFramedContent,
  encodeAuthenticatedContent,
  encodeContentBody,
  framedContentCheck,
  signFramedContent,
  WIRE_FORMAT,
} from "./messages/framing.ts";
export type { AuthenticatedContent, Content } from "./messages/framing.ts";
export { decodeGroupInfo, groupInfoCheck, signGroupInfo } from "./messages/group-info.ts";
export { encodeLeafNode, leafNodeCheck, signLeafNode } from "./messages/leaf-node.ts";
export { openPrivateContent, openSenderData, sealPrivateMessage, senderDataKey } from "./messages/private-message.ts";
export { decodeProposal, encodeProposal } from "./messages/proposal.ts";
export { computeMembershipTag, membershipTagMatches } from "./messages/public-message.ts";
export { decodeGroupSecrets, encodeGroupSecrets } from "./messages/welcome.ts";
export {
  deriveEpochSecrets,
  deriveExternalKeyPair,
  deriveJoinerSecret,
  deriveWelcomeKey,
  deriveWelcomeSecret,
  exportSecret,
  zeroSecret,
} from "./schedule/key-schedule.ts";
export { derivePskSecret } from "./schedule/psk.ts";
export { SecretTree } from "./schedule/secret-tree.ts";
export { computeConfirmationTag, confirmedTranscriptHash, interimTranscriptHash } from "./schedule/transcript.ts";
export { isLeaf, leafNodeIndex, left, nodeWidth, parent, right, root, sibling } from "./tree/math.ts";
export type { NodeIndex } from "./tree/math.ts";
export { decodeRatchetTree, encodeRatchetTree, encryptionKeyOf, leafTreeNode, parentTreeNode } from "./tree/node.ts";
export type { TreeNode } from "./tree/node.ts";
export { parentHashViolations } from "./tree/parent-hash.ts";
export { leafCountFor, RatchetTree } from "./tree/ratchet-tree.ts";
export { receiveTree } from "./tree/received-tree.ts";
export type { ReceivedTree } from "./tree/received-tree.ts";
export { TreeDraft } from "./tree/tree-draft.ts";
export { checkTreeStructure, verifyLeafSignatures } from "./tree/tree-validation.ts";
export {
  applyPathKeys,
  checkPathCiphertexts,
  decryptPathSecrets,
  derivePathSecrets,
  encryptPathSecrets,
} from "./tree/treekem.ts";
export type { PathSecrets, PrivateKeys } from "./tree/treekem.ts";
