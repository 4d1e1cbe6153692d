import {
  equalBytes,
  LatchkeyError,
  peekMlsMessage,
  verifyGroupInfo,
  type MlsGroup,
  type VerifiedGroupInfo,
  type VerifiedTreeCache,
} from "@latchkey/mls";
import {
  decodeInvitePayload,
  selectCandidates,
  XMTP_CIPHER_SUITE,
  type Candidate,
  type InvitePayload,
} from "@latchkey/xmtp";
import { isAborted } from "../clock.ts";
import type { ClientContext } from "../group/client-context.ts";
import { unlessRefused } from "../errors.ts";
import { senderOf } from "../group/message.ts";
import { fetchInTurn, servicesToAsk } from "../invite/service.ts";
import { CLIENT_LIMITS } from "../limits.ts";
import { readTopic } from "../transport/transport.ts";

/** The blobs that an invite opens, best first. */
export function openedBlobs(
  { crypto, time }: ClientContext,
  { symmetricKey: key }: InvitePayload,
  blobs: readonly Uint8Array[],
): readonly Candidate[] {
  const suite = crypto.suite(XMTP_CIPHER_SUITE);
  return selectCandidates({ suite, blobs, key, nowNs: time.bestNs() }).candidates;
}

/**
 * What the slot of an invite, as a journal keeps it, says about its group; nothing when it cannot be asked, or was asked a
 * short while ago (see `SlotPollBackoff`).
 */
export async function candidatesInSlot(
  context: ClientContext,
  invite: Uint8Array,
  signal: AbortSignal | undefined,
): Promise<readonly Candidate[]> {
  if (!context.slotPolls.isDue(invite, context.clock.nowNs())) return [];
  try {
    const payload = decodeInvitePayload(invite);
    const fetch = fetchInTurn(context, await servicesToAsk(context, payload, signal), payload);
    const { blobs = [] } = await fetch({ signal });
    return openedBlobs(context, payload, blobs);
  } catch (error) {
    if (!(error instanceof LatchkeyError) || isAborted(signal)) throw error;
    return [];
  }
}

/** Candidates of one group that are not older than an epoch. */
export function statesSince(candidates: readonly Candidate[], groupId: Uint8Array, epoch: bigint): Candidate[] {
  return candidates.filter((candidate) => candidate.epoch >= epoch && equalBytes(candidate.groupId, groupId));
}

/** Undefined for a state that does not verify, which proves nothing. */
export async function verifiedState(
  { crypto }: ClientContext,
  { groupInfo }: Candidate,
  verifiedTrees?: VerifiedTreeCache,
): Promise<VerifiedGroupInfo | undefined> {
  return unlessRefused(
    verifyGroupInfo(verifiedTrees === undefined ? { crypto } : { crypto, verifiedTrees }, groupInfo),
  );
}

/**
 * Whether a state is signed by another inbox that the joiner found in the group. Holders of the link can make up a group;
 * they cannot sign for those.
 */
export function isSignedByMember({ own }: ClientContext, mls: MlsGroup, info: VerifiedGroupInfo): boolean {
  const known = mls.findBySignatureKey(info.signerLeaf.signatureKey);
  const member = known === undefined ? undefined : mls.leaf(known);
  return member !== undefined && senderOf(member).inboxId !== own.inboxId;
}

/**
 * Whether another inbox of a group has written a message or a commit of the group's present epoch behind an id of its log.
 * A lone proposal does not count: a join that has won is told by other words as well, only later.
 */
export async function isSpokenIn(
  context: ClientContext,
  mls: MlsGroup,
  afterId: bigint,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const { transport } = context;
  const query: typeof transport.queryGroupMessages = (at, stop) => transport.queryGroupMessages(at, stop);
  let left: number = CLIENT_LIMITS.maxWordsRead;
  for await (const { data } of readTopic(query, { topic: mls.groupId, afterId }, signal)) {
    if ((await unlessRefused(isMembersWord(context, mls, data))) === true) return true;
    if (--left === 0) return false;
  }
  return false;
}

/** Rejects for what is no message, or none of this group. */
async function isMembersWord({ own }: ClientContext, mls: MlsGroup, data: Uint8Array): Promise<boolean> {
  const { wireFormat, epoch } = peekMlsMessage(data);
  if (wireFormat !== "private_message" || epoch !== mls.epoch) return false;
  const received = await mls.verify(data);
  if (received.kind === "application") return senderOf(received.senderLeaf).inboxId !== own.inboxId;
  const author = received.kind === "commit" ? received.commit.sender : undefined;
  const leaf = author?.kind === "member" ? mls.leaf(author.leafIndex) : undefined;
  return leaf !== undefined && senderOf(leaf).inboxId !== own.inboxId;
}

/** Whether a state has the very leaf in it that we have in another one. */
export function holdsOwnLeaf({ own }: ClientContext, info: VerifiedGroupInfo, mls: MlsGroup): boolean {
  const leaf = mls.leaf(mls.ownLeafIndex);
  const listed = info.findBySignatureKey(own.installationKey);
  const found = listed === undefined ? undefined : info.tree.leaf(listed);
  return leaf !== undefined && found !== undefined && equalBytes(found.encryptionKey, leaf.encryptionKey);
}
