import { isHpkePublicKey } from "../crypto/hpke.ts";
import { CryptoError, StateError, ValidationError } from "../errors.ts";
import { EXTENSION_TYPE, findExtension } from "../messages/extension.ts";
import { decodeExternalSenders } from "../messages/external-sender.ts";
import type { GroupContext } from "../messages/group-context.ts";
import type { Proposal, ProposalKind } from "../messages/proposal.ts";
import type { LeafNode } from "../messages/leaf-node.ts";
import {
  framedContentCheck,
  signFramedContent,
  type AuthenticatedContent,
  type Content,
  type FramedContent,
  type FramedContentAuthData,
  type FramingWireFormat,
  type Sender,
} from "../messages/framing.ts";
import { encodeMlsMessage } from "../messages/mls-message.ts";
import {
  checkCiphertextLength,
  openPrivateContent,
  openSenderData,
  sealPrivateMessage,
  type PrivateMessage,
} from "../messages/private-message.ts";
import {
  computeMembershipTag,
  membershipTagMatches,
  publicMessageContent,
  type PublicMessage,
} from "../messages/public-message.ts";
import type { SecretTreeChange } from "../schedule/secret-tree.ts";
import type { SignatureCheck } from "../crypto/provider.ts";
import type { LeafIndex } from "../tree/math.ts";
import type { EpochKeys } from "./epoch-keys.ts";
import { currentEpoch, type GroupState } from "./state.ts";

/** The leaf as it was in a current or past epoch. */
export function leafInEpoch(state: GroupState, epoch: bigint, leafIndex: LeafIndex): LeafNode | undefined {
  for (let at = epoch; at < state.head.context.epoch; at++) {
    const replaced = state.epochs.get(at)?.replaced;
    if (replaced?.has(leafIndex) === true) return replaced.get(leafIndex);
  }
  return state.tree.leaf(leafIndex);
}

/** An own content of the current epoch, signed (RFC 9420 §6.1). */
export async function signContent(
  state: GroupState,
  wireFormat: FramingWireFormat,
  content: Content,
  authenticatedData: Uint8Array,
): Promise<AuthenticatedContent> {
  const { context, contextBytes, ownLeafIndex } = state.head;
  const sender: Sender = { kind: "member", leafIndex: ownLeafIndex };
  const framed: FramedContent = { groupId: context.groupId, epoch: context.epoch, sender, authenticatedData, content };
  const { privateKey } = state.config.identity.signatureKeyPair;
  const signature = await signFramedContent(state.suite, privateKey, wireFormat, framed, contextBytes);
  return { wireFormat, content: framed, auth: { signature, confirmationTag: undefined } };
}

/**
 * Frames a signed own content; a PrivateMessage takes one step of the own ratchet and `padding` zero bytes, a
 * PublicMessage neither.
 */
export function protect(
  state: GroupState,
  message: AuthenticatedContent,
  padding = 0,
): { message: Uint8Array; secretTree: SecretTreeChange | undefined } {
  const { suite, head } = state;
  const { content, auth } = message;
  if (message.wireFormat === "public_message") {
    const membershipTag = computeMembershipTag(suite, head.secrets.membership, content, auth, head.contextBytes);
    const framed: PublicMessage = { content, auth, membershipTag };
    return { message: encodeMlsMessage({ wireFormat: "public_message", message: framed }), secretTree: undefined };
  }
  if (!Number.isInteger(padding) || padding < 0) throw new StateError("padding is a whole number of bytes");
  const epoch = currentEpoch(state);
  const { generation, key, change } = epoch.secretTree.next(head.ownLeafIndex, content.content.kind);
  const sealed = sealPrivateMessage(
    suite,
    message,
    head.ownLeafIndex,
    generation,
    key,
    epoch.senderDataSecret,
    padding,
  );
  return { message: encodeMlsMessage({ wireFormat: "private_message", message: sealed }), secretTree: change };
}

/** A received message, opened but with its signature still to be checked. */
export interface Opened {
  readonly message: AuthenticatedContent;
  readonly signature: SignatureCheck | undefined;
  readonly secretTree: SecretTreeChange | undefined;
  readonly senderLeaf: LeafNode | undefined;
}

function senderLeafOf(state: GroupState, epoch: bigint, leafIndex: LeafIndex): LeafNode {
  const leaf = leafInEpoch(state, epoch, leafIndex);
  if (leaf === undefined) throw new ValidationError("sender", `the sender's leaf ${leafIndex} is blank`);
  return leaf;
}

/**
 * Checks what stands before the signature of a PublicMessage of the current epoch (RFC 9420 §6.2): the membership tag
 * of a member, nothing for an external joiner, whose signature is checked with the key of its path.
 */
export function openPublic(state: GroupState, received: PublicMessage): Opened {
  const { head, suite } = state;
  const message = publicMessageContent(received);
  const { sender, content } = received.content;
  if (content.kind === "application") {
    throw new ValidationError(
      "public-application",
      "application data is in a PublicMessage, where it is not encrypted",
    );
  }
  if (sender.kind === "member") {
    const senderLeaf = senderLeafOf(state, head.context.epoch, sender.leafIndex);
    if (!membershipTagMatches(suite, head.secrets.membership, received, head.contextBytes)) {
      throw new ValidationError("membership-tag", "the membership tag of a PublicMessage is wrong");
    }
    const signature = framedContentCheck(message, senderLeaf.signatureKey, head.contextBytes);
    return { message, signature, secretTree: undefined, senderLeaf };
  }
  if (sender.kind === "new_member_commit") {
    if (content.kind !== "commit") throw new ValidationError("sender", "a new_member_commit sender sends a proposal");
    return { message, signature: undefined, secretTree: undefined, senderLeaf: undefined };
  }
  if (content.kind !== "proposal") throw new ValidationError("sender", `a ${sender.kind} sender may only propose`);
  const signatureKey = outsideKey(head.context, sender, content.proposal);
  const signature = framedContentCheck(message, signatureKey, head.contextBytes);
  return { message, signature, secretTree: undefined, senderLeaf: undefined };
}

/** What an external sender may propose (RFC 9420 §12.1.8). */
const EXTERNAL_PROPOSALS: ReadonlySet<ProposalKind> = new Set([
  "add",
  "remove",
  "psk",
  "reinit",
  "group_context_extensions",
]);

/** The key that a proposal from outside of the group is signed with (RFC 9420 §12.1.8). */
function outsideKey(
  { extensions }: GroupContext,
  sender: Extract<Sender, { kind: "external" | "new_member_proposal" }>,
  proposal: Proposal,
): Uint8Array {
  if (sender.kind === "new_member_proposal") {
    if (proposal.kind === "add") return proposal.keyPackage.leafNode.signatureKey;
    throw new ValidationError("sender", "somebody who is not a member proposes more than to be added");
  }
  const data = findExtension(extensions, EXTENSION_TYPE.externalSenders);
  const known = data === undefined ? undefined : decodeExternalSenders(data)[sender.senderIndex];
  if (known === undefined) throw new ValidationError("external-sender", "the group names no such external sender");
  if (EXTERNAL_PROPOSALS.has(proposal.kind)) return known.signatureKey;
  throw new ValidationError("external-sender", `an external sender may not send a ${proposal.kind} proposal`);
}

/** A PrivateMessage as it opens: content, or the reason why there is none to open. */
export type OpenedPrivate =
  | { readonly kind: "opened"; readonly opened: Opened }
  /** Of the own leaf; `opened` when this state has not used the message's key. */
  | { readonly kind: "own"; readonly opened: Opened | undefined }
  | { readonly kind: "duplicate" };

/** Opens a PrivateMessage of the current or a past epoch (RFC 9420 §6.3). */
export function openPrivate(state: GroupState, epoch: EpochKeys, received: PrivateMessage): OpenedPrivate {
  const { suite } = state;
  checkCiphertextLength(received);
  const senderData = openSenderData(suite, received, epoch.senderDataSecret);
  const { leafIndex, generation } = senderData;
  const isOwn = leafIndex === epoch.ownLeafIndex;
  const senderLeaf = senderLeafOf(state, epoch.number, leafIndex);
  const taken = epoch.secretTree.take(leafIndex, received.contentKind, generation);
  if (taken === undefined) return isOwn ? { kind: "own", opened: undefined } : { kind: "duplicate" };
  const { content, auth } = openPrivateContent(suite, received, senderData, taken.key);
  const message = authenticated(received, leafIndex, content, auth);
  const signature = framedContentCheck(message, senderLeaf.signatureKey, epoch.contextBytes);
  return { kind: isOwn ? "own" : "opened", opened: { message, signature, secretTree: taken.change, senderLeaf } };
}

function authenticated(
  received: PrivateMessage,
  leafIndex: LeafIndex,
  content: Content,
  auth: FramedContentAuthData,
): AuthenticatedContent {
  const { groupId, epoch, authenticatedData } = received;
  const sender: Sender = { kind: "member", leafIndex };
  return { wireFormat: "private_message", content: { groupId, epoch, sender, authenticatedData, content }, auth };
}

/** Verifies all signatures of a message in one batch; throws ValidationError `signature`. */
export async function verifySignatures(
  state: Pick<GroupState, "suite">,
  checks: readonly SignatureCheck[],
): Promise<void> {
  const results = await state.suite.verifyBatch(checks);
  if (results.length !== checks.length) throw new CryptoError("the crypto provider lost a signature check");
  if (!results.every((valid) => valid)) throw new ValidationError("signature", "a signature of the message is wrong");
}

/**
 * Checks that the keys in a message can be encrypted to (RFC 9420 §10). A key that cannot would keep everybody from
 * committing. Throws ValidationError `public-key`.
 */
export async function verifyPublicKeys(
  { suite }: Pick<GroupState, "suite">,
  keys: readonly Uint8Array[],
): Promise<void> {
  const results = await Promise.all(keys.map((key) => isHpkePublicKey(suite, key)));
  if (!results.every((usable) => usable)) {
    throw new ValidationError("public-key", "a key of the message is no public key of the cipher suite");
  }
}
