import { equalBytes, toHex } from "../bytes.ts";
import { encode } from "../codec/writer.ts";
import { proposalRef } from "../crypto/labels.ts";
import { DecodeError, StateError, ValidationError } from "../errors.ts";
import { MLS_LIMITS } from "../limits.ts";
import { encodeAuthenticatedContent, type AuthenticatedContent, type Sender } from "../messages/framing.ts";
import type { LeafNode } from "../messages/leaf-node.ts";
import { decodeMlsMessage, type MlsMessage } from "../messages/mls-message.ts";
import type { Proposal } from "../messages/proposal.ts";
import type { LeafIndex } from "../tree/math.ts";
import type { Change, GroupChange } from "./change.ts";
import { messageChange } from "./epoch-change.ts";
import type { PendingProposal } from "./proposals.ts";
import { openPrivate, openPublic, verifySignatures, type Opened } from "./protect.ts";
import { verifyCommit, type VerifiedCommit } from "./verify-commit.ts";
import { currentEpoch, proposalRow, ROW, type GroupState } from "./state.ts";

/** Kinds of received messages. A message that is late, early, own or repeated is no error. */
export type Received =
  | {
      readonly kind: "application";
      readonly change: GroupChange;
      readonly epoch: bigint;
      readonly sender: LeafIndex;
      /** The sender's leaf as it was in that epoch. */
      readonly senderLeaf: LeafNode;
      readonly data: Uint8Array;
      readonly authenticatedData: Uint8Array;
    }
  | {
      readonly kind: "proposal";
      readonly change: GroupChange;
      readonly proposal: Proposal;
      readonly reference: Uint8Array;
      readonly sender: Sender;
    }
  | { readonly kind: "commit"; readonly commit: VerifiedCommit }
  /** Of an earlier epoch whose keys are gone, or a proposal or commit of an epoch that has ended. */
  | { readonly kind: "stale"; readonly epoch: bigint }
  /** Of an epoch this member has not reached. */
  | { readonly kind: "future"; readonly epoch: bigint }
  /**
   * Of this very member. `isForeign` when this state has not used its key, although the own signature on it is good: then
   * another copy of the state sent it.
   */
  | { readonly kind: "own"; readonly isForeign: boolean }
  /** Its key was used already. */
  | { readonly kind: "duplicate" };

type GroupMessage = Extract<MlsMessage, { wireFormat: "public_message" | "private_message" }>;

function decodeGroupMessage(state: GroupState, bytes: Uint8Array): GroupMessage {
  const decoded = decodeMlsMessage(bytes);
  if (decoded.wireFormat !== "public_message" && decoded.wireFormat !== "private_message") {
    throw new DecodeError(`expected a message of a group, got a ${decoded.wireFormat}`);
  }
  const { groupId } = headerOf(decoded);
  if (!equalBytes(groupId, state.head.context.groupId)) {
    throw new ValidationError("group-id", "the message is for another group");
  }
  return decoded;
}

function headerOf(decoded: GroupMessage): { groupId: Uint8Array; epoch: bigint; isApplication: boolean } {
  if (decoded.wireFormat === "public_message") {
    const { groupId, epoch, content } = decoded.message.content;
    return { groupId, epoch, isApplication: content.kind === "application" };
  }
  const { groupId, epoch, contentKind } = decoded.message;
  return { groupId, epoch, isApplication: contentKind === "application" };
}

/**
 * Verifies one MLSMessage of the group. Nothing changes: proposals and application messages come with the change to
 * write and merge, commits go on to `stageCommit`. Throws DecodeError, ValidationError, CryptoError or UnsupportedError.
 */
export async function receive(state: GroupState, bytes: Uint8Array): Promise<Received> {
  const decoded = decodeGroupMessage(state, bytes);
  const { epoch: number, isApplication } = headerOf(decoded);
  const current = state.head.context.epoch;
  if (number > current) return { kind: "future", epoch: number };
  const epoch = state.epochs.get(number);
  if (epoch === undefined || (number < current && !isApplication)) return { kind: "stale", epoch: number };
  if (!state.head.active && !isApplication) throw new StateError("this member was removed from the group");
  let opened: Opened;
  if (decoded.wireFormat === "public_message") {
    opened = openPublic(state, decoded.message);
    const { sender } = decoded.message.content;
    if (sender.kind === "member" && sender.leafIndex === state.head.ownLeafIndex) {
      return { kind: "own", isForeign: false };
    }
  } else {
    const result = openPrivate(state, epoch, decoded.message);
    if (result.kind === "duplicate") return { kind: "duplicate" };
    if (result.kind === "own") return receivedOwn(state, result.opened);
    opened = result.opened;
  }
  const { message, senderLeaf } = opened;
  const { content, sender, authenticatedData } = message.content;
  if (content.kind === "commit") return { kind: "commit", commit: await verifyCommit(state, opened) };
  if (opened.signature === undefined) throw new ValidationError("sender", "the message is not signed by a member");
  await verifySignatures(state, [opened.signature]);
  if (content.kind === "proposal") return receivedProposal(state, message, content.proposal, opened);
  if (sender.kind !== "member" || senderLeaf === undefined) {
    throw new ValidationError("sender", "application data does not come from a member");
  }
  const change = messageChange(state, epoch, opened.secretTree);
  const { data } = content;
  return { kind: "application", change, epoch: number, sender: sender.leafIndex, senderLeaf, data, authenticatedData };
}

/** A message that claims the own leaf; throws ValidationError `signature` when another member wrote it. */
async function receivedOwn(state: GroupState, opened: Opened | undefined): Promise<Received> {
  if (opened?.signature === undefined) return { kind: "own", isForeign: false };
  await verifySignatures(state, [opened.signature]);
  return { kind: "own", isForeign: true };
}

function receivedProposal(
  state: GroupState,
  message: AuthenticatedContent,
  proposal: Proposal,
  opened: Opened,
): Received {
  const { sender } = message.content;
  if (proposal.kind === "self_remove" && message.wireFormat !== "public_message") {
    throw new ValidationError("self-remove", "a SelfRemove is encrypted, so that no joiner could read it");
  }
  const { change, reference, known } = keepProposal(state, message, proposal, undefined, opened.secretTree);
  return known ? { kind: "duplicate" } : { kind: "proposal", change, proposal, reference, sender };
}

/** The change that keeps a proposal of the current epoch, own or received, for a commit by reference. */
export function keepProposal(
  state: GroupState,
  message: AuthenticatedContent,
  proposal: Proposal,
  leafPrivateKey: Uint8Array | undefined,
  secretTree: Opened["secretTree"],
): { change: Change; reference: Uint8Array; known: boolean } {
  const reference = proposalRef(state.suite, encode(message, encodeAuthenticatedContent));
  const key = toHex(reference);
  if (state.proposals.size >= MLS_LIMITS.maxPendingProposals) {
    throw new ValidationError("pending-proposals", `the epoch has ${MLS_LIMITS.maxPendingProposals} proposals already`);
  }
  const pending: PendingProposal = { reference, proposal, sender: message.content.sender, leafPrivateKey };
  const epoch = currentEpoch(state);
  const change = messageChange(state, epoch, secretTree, {
    rows: new Map([[ROW.proposal(epoch.number, reference), proposalRow(pending)]]),
    apply: (target) => target.proposals.set(key, pending),
  });
  return { change, reference, known: state.proposals.has(key) };
}
