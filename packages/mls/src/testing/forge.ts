import { concatBytes, utf8 } from "../bytes.ts";
import { Writer } from "../codec/writer.ts";
import { hpkeSetupSender } from "../crypto/hpke.ts";
import type { Commit, ProposalOrRef } from "../messages/commit.ts";
import { EXTENSION_TYPE, findExtension } from "../messages/extension.ts";
import { CONTENT_TYPE, signFramedContent, type FramedContent } from "../messages/framing.ts";
import { signGroupInfo } from "../messages/group-info.ts";
import { decodeMlsMessage, encodeMlsMessage } from "../messages/mls-message.ts";
import { senderDataKey } from "../messages/private-message.ts";
import type { Proposal } from "../messages/proposal.ts";
import { computeMembershipTag, type PublicMessage } from "../messages/public-message.ts";
import { nodeCrypto } from "../node/index.ts";
import { EXTERNAL_INIT_LABEL, zeroSecret } from "../schedule/key-schedule.ts";
import { interimTranscriptHash } from "../schedule/transcript.ts";
import { asLeafIndex } from "../tree/math.ts";
import { decodeRatchetTree, encodeRatchetTree, type TreeNode } from "../tree/node.ts";
import { RatchetTree } from "../tree/ratchet-tree.ts";
import { TreeDraft } from "../tree/tree-draft.ts";
import { buildCommit } from "../group/build-commit.ts";
import type { GroupConfig } from "../group/config.ts";
import { LEAF, SUITE, type TestMember } from "./groups.ts";
import { currentEpoch, loadState, type GroupState } from "../group/state.ts";
import type { VerifiedGroupInfo } from "../group/verify-group-info.ts";

/** Builders of illegal messages: correctly signed and framed, and breaking one rule each. */

const suite = nodeCrypto.suite(SUITE);
const NO_DATA = new Uint8Array(0);
const NOTHING_APPLIED = {
  added: [],
  removed: [],
  newKeys: [],
  extensions: [],
  touchedComponents: new Set<number>(),
  optionalTypes: [],
  checks: [],
};

/** The PublicMessage in an encoded MLSMessage. */
export function publicMessageIn(message: Uint8Array): PublicMessage {
  const decoded = decodeMlsMessage(message);
  if (decoded.wireFormat !== "public_message") throw new Error(`expected a PublicMessage, got ${decoded.wireFormat}`);
  return decoded.message;
}

export function encodePublic(message: PublicMessage): Uint8Array {
  return encodeMlsMessage({ wireFormat: "public_message", message });
}

/** An external commit with any proposals, properly signed. Its effect on the tree is not tried. */
export async function forgeExternalCommit(
  config: GroupConfig,
  info: VerifiedGroupInfo,
  proposals: readonly ProposalOrRef[],
): Promise<Uint8Array> {
  const draft = new TreeDraft(info.tree);
  const built = await buildCommit({
    suite,
    identity: config.identity,
    draft,
    applied: NOTHING_APPLIED,
    context: info.context,
    contextBytes: info.contextBytes,
    interimTranscriptHash: interimTranscriptHash(suite, info.context.confirmedTranscriptHash, NO_DATA),
    extensions: [],
    sender: { kind: "new_member_commit" },
    committer: draft.reserveLeaf(),
    proposals,
    leaf: LEAF,
    initSecret: suite.randomBytes(32),
    pskSecret: zeroSecret(suite),
    wireFormat: "public_message",
    authenticatedData: NO_DATA,
  });
  const { content, auth } = built.message;
  return encodePublic({ content, auth, membershipTag: undefined });
}

/** A good ExternalInit for a group. */
export async function externalInit(info: VerifiedGroupInfo): Promise<ProposalOrRef> {
  if (info.externalPub === undefined) throw new Error("no external_pub");
  const { kemOutput, context } = await hpkeSetupSender(suite, info.externalPub, NO_DATA);
  context.export(utf8(EXTERNAL_INIT_LABEL), 32);
  return byValue({ kind: "external_init", kemOutput });
}

export function byValue(proposal: Proposal): ProposalOrRef {
  return { kind: "proposal", proposal };
}

/** Changes a member's PublicMessage and signs and tags it again, as that member could. */
export async function forgeMemberMessage(
  member: TestMember,
  message: PublicMessage,
  change: (content: FramedContent) => FramedContent,
): Promise<Uint8Array> {
  const { secrets, contextBytes } = stateOf(member).head;
  const content = change(message.content);
  const { privateKey } = member.config.identity.signatureKeyPair;
  const signature = await signFramedContent(suite, privateKey, "public_message", content, contextBytes);
  const auth = { ...message.auth, signature };
  const membershipTag = computeMembershipTag(suite, secrets.membership, content, auth, contextBytes);
  return encodePublic({ content, auth, membershipTag });
}

/** A commit of a member with changed parts, signed and tagged again. */
export async function forgeMemberCommit(member: TestMember, change: (commit: Commit) => Commit): Promise<Uint8Array> {
  const { message } = await member.group.createCommit({ wireFormat: "public_message", references: [] });
  return forgeMemberMessage(member, publicMessageIn(message), (content) => {
    if (content.content.kind !== "commit") throw new Error("not a commit");
    return { ...content, content: { kind: "commit", commit: change(content.content.commit) } };
  });
}

/** The keys of a member, as its store holds them. */
export function stateOf(member: TestMember): GroupState {
  return loadState(member.config, member.rows);
}

/** A PrivateMessage with any sender data and any plaintext, sealed under keys that every member has. */
export function forgePrivateMessage(
  member: TestMember,
  sender: { readonly leafIndex: number; readonly generation: number },
  plaintext: Uint8Array,
): Uint8Array {
  const state = stateOf(member);
  const { context } = state.head;
  const header = new Writer();
  header.opaque(context.groupId);
  header.u64(context.epoch);
  header.u8(CONTENT_TYPE.application);
  const senderDataAad = header.finish();
  const aad = concatBytes(senderDataAad, Uint8Array.of(0));
  const taken = currentEpoch(state).secretTree.take(asLeafIndex(0), "application", 0);
  if (taken === undefined) throw new Error("the first key of leaf 0 was used");
  const ciphertext = suite.aeadSeal(taken.key.key, taken.key.nonce, aad, plaintext);
  const outer = senderDataKey(suite, state.head.secrets.senderData, ciphertext);
  const senderData = new Writer();
  senderData.u32(sender.leafIndex);
  senderData.u32(sender.generation);
  senderData.u32(0);
  return encodeMlsMessage({
    wireFormat: "private_message",
    message: {
      groupId: context.groupId,
      epoch: context.epoch,
      contentKind: "application",
      authenticatedData: NO_DATA,
      encryptedSenderData: suite.aeadSeal(outer.key, outer.nonce, senderDataAad, senderData.finish()),
      ciphertext,
    },
  });
}

/** A GroupInfo of a member with another tree, with or without the tree hash to match, signed by that member. */
export async function forgeGroupInfo(
  member: TestMember,
  change: (nodes: (TreeNode | undefined)[]) => (TreeNode | undefined)[],
  options: { readonly keepTreeHash?: boolean; readonly leaveOut?: number } = {},
): Promise<Uint8Array> {
  const decoded = decodeMlsMessage(await member.group.exportGroupInfo());
  if (decoded.wireFormat !== "group_info") throw new Error("not a GroupInfo");
  const { context, extensions, confirmationTag, signer } = decoded.message;
  const tree = findExtension(extensions, EXTENSION_TYPE.ratchetTree);
  if (tree === undefined) throw new Error("no tree");
  const nodes = change(decodeRatchetTree(tree));
  const treeHash = options.keepTreeHash === true ? context.treeHash : new RatchetTree(suite, nodes).treeHash();
  const forged = { type: EXTENSION_TYPE.ratchetTree, data: encodeRatchetTree(nodes) };
  const message = await signGroupInfo(suite, member.config.identity.signatureKeyPair.privateKey, {
    context: { ...context, treeHash },
    extensions: [forged, ...extensions.slice(1)].filter(({ type }) => type !== options.leaveOut),
    confirmationTag,
    signer,
  });
  return encodeMlsMessage({ wireFormat: "group_info", message });
}
