import { equalBytes, LatchkeyError, peekMlsMessage, verifyGroupInfo, type VerifiedGroupInfo } from "@latchkey/mls";
import { decodeInvitePayload, selectCandidates, XMTP_CIPHER_SUITE } from "@latchkey/xmtp";
import { isAborted } from "../clock.ts";
import type { ClientContext } from "../context.ts";
import type { GroupCore } from "../group/group-core.ts";
import { senderOf } from "../group/message.ts";
import { fetchInTurn, servicesToAsk } from "../invite/service.ts";
import type { JoinRecord } from "../store/records.ts";
import { recordConfirmed, recordRefused } from "./journal.ts";

/**
 * Whether a join that was first of its epoch may have been refused all the same: nobody has confirmed it, and messages of
 * the group came since that could not be read. Anybody can write such messages, so this alone proves nothing.
 */
export function isDoubtful(context: ClientContext, { groupId, state, commitId }: JoinRecord): boolean {
  return state === "JOINED" && context.store.rejections.listAfter(groupId, commitId ?? 0n).length > 0;
}

/**
 * What a state of the group says about a join: `confirmed` when the very leaf of the join is in it, `refused` when it is
 * of the epoch that the join began, or a later one, without that leaf. Undefined when it says nothing: it is older, or its
 * signer is nobody whom the joiner found in the group. Holders of the link can make up a group; they cannot sign for those.
 */
export function verdictOf(core: GroupCore, info: VerifiedGroupInfo): "confirmed" | "refused" | undefined {
  const { mls, context, groupId } = core;
  const own = mls.leaf(mls.ownLeafIndex);
  if (own === undefined || !equalBytes(info.context.groupId, groupId) || info.context.epoch < mls.epoch)
    return undefined;
  const signer = info.tree.leaf(info.signer);
  const known = signer === undefined ? undefined : mls.findBySignatureKey(signer.signatureKey);
  const member = known === undefined ? undefined : mls.leaf(known);
  if (member === undefined || senderOf(member).inboxId === context.own.inboxId) return undefined;
  const listed = info.findBySignatureKey(context.own.installationKey);
  const leaf = listed === undefined ? undefined : info.tree.leaf(listed);
  return leaf !== undefined && equalBytes(leaf.encryptionKey, own.encryptionKey) ? "confirmed" : "refused";
}

/**
 * Looks for the proof of a doubtful join in its slot, as long as there is doubt: one look with every synchronization. A refused join leaves an inactive group with status `refused`, and its invite can be used again.
 */
export async function settleDoubt(core: GroupCore, signal: AbortSignal | undefined): Promise<void> {
  const { context, groupId } = core;
  const join = context.store.joins.get(groupId);
  if (join === undefined || !isDoubtful(context, join) || core.record.status !== "pending") return;
  try {
    const payload = decodeInvitePayload(join.invite);
    const fetch = fetchInTurn(context, await servicesToAsk(context, payload), payload);
    const { blobs = [] } = await fetch({ signal });
    const suite = context.crypto.suite(XMTP_CIPHER_SUITE);
    const nowNs = context.clock.nowNs();
    for (const { groupInfo } of selectCandidates({ suite, blobs, key: payload.symmetricKey, nowNs }).candidates) {
      const info = await verifiedOrNothing(context, core, groupInfo);
      const verdict = info === undefined ? undefined : verdictOf(core, info);
      if (verdict === undefined) continue;
      await core.exclusive(async () => (verdict === "confirmed" ? recordConfirmed(core) : recordRefused(core)));
      return;
    }
  } catch (error) {
    if (!(error instanceof LatchkeyError) || error.code.startsWith("STORE_") || isAborted(signal)) throw error;
  }
}

/** A later state of this group, if it is one and verifies. */
async function verifiedOrNothing(context: ClientContext, core: GroupCore, groupInfo: Uint8Array) {
  try {
    const { epoch, groupId } = peekMlsMessage(groupInfo);
    if (epoch === undefined || epoch < core.mls.epoch || !equalBytes(groupId ?? groupInfo, core.groupId))
      return undefined;
    return await verifyGroupInfo({ crypto: context.crypto }, groupInfo);
  } catch (error) {
    if (error instanceof LatchkeyError) return undefined;
    throw error;
  }
}
