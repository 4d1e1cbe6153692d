import { CommitRejectedError, readGroupState, validateJoinTimes } from "@latchkey/xmtp";
import type { ClientContext } from "../group/client-context.ts";
import { clientError } from "../errors.ts";
import type { IdentitiesAt } from "../identity/identity-view.ts";
import { judgeEnvelope } from "../identity/judge-envelope.ts";
import type { JoinRecord } from "../store/records.ts";
import { draftOf } from "./draft.ts";

/**
 * Whether the own identity log has grown since the join was built: its commit may name a device that was revoked, or miss
 * one, and has to be built anew (IDN-03).
 */
export async function isOutdated(
  context: ClientContext,
  join: JoinRecord,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const { directory, own } = context;
  const { sequenceId } = await directory.latestOf(own.inboxId, signal);
  return sequenceId !== (join.identityId === 0n ? recordedId(context, join) : join.identityId);
}

/** The point of the own identity log that the commit itself names: release 0.1.0 wrote no `identityId`. */
function recordedId(context: ClientContext, join: JoinRecord): bigint | undefined {
  return readGroupState(draftOf(context, join).appData).members.get(context.own.inboxId)?.sequenceId;
}

/**
 * Judges the own commit at the time that the node gave it, as every member does. Returns whether the members surely accept
 * it, as far as times decide: when the present epoch began is known from the blob only.
 *
 * @throws INVITE_EXPIRED, IDENTITY_REVOKED or COMMIT_REJECTED when they must refuse it; errors of the network.
 */
export async function judgeOwnJoin(
  context: ClientContext,
  join: JoinRecord,
  createdNs: bigint,
  signal: AbortSignal | undefined,
): Promise<"accepted" | "unsure"> {
  const { directory, own } = context;
  const { inboxId } = own;
  const draft = draftOf(context, join);
  const { policy, members } = readGroupState(draft.appData);
  const entry = members.get(inboxId);
  if (policy === undefined || entry === undefined) return "unsure";
  const leaves = [...draft.leavesOf(inboxId)].map(({ leafNode }) => leafNode);
  const times = { envelopeTimeNs: createdNs, epochStartNs: createdNs };
  const judge = (identities: IdentitiesAt) =>
    validateJoinTimes({ policy, inboxId, leaves, entry, ...times, ...identities });
  const points = [{ inboxId, sequenceId: entry.sequenceId }];
  try {
    await judgeEnvelope(directory, { points, fresh: [inboxId], envelopeNs: createdNs }, judge, signal);
  } catch (error) {
    throw error instanceof CommitRejectedError ? refusal(error) : error;
  }
  return join.staleAtNs !== 0n && createdNs > join.staleAtNs ? "unsure" : "accepted";
}

/** What a refusal by the members means to the joiner. */
function refusal(cause: CommitRejectedError): Error {
  switch (cause.rule) {
    case "ExternalCommitInviteExpired":
      return clientError("INVITE_EXPIRED", "the invite ended before the join reached the node; ask for a new link", {
        rule: cause.rule,
        cause,
      });
    case "ExternalCommitInstallationRevoked":
      return clientError("IDENTITY_REVOKED", "a device was revoked before it joined; register a new installation", {
        rule: cause.rule,
        cause,
      });
    default:
      return cause;
  }
}
