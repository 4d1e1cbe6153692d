import { equalBytes, fromHex, toHex, type MlsGroup } from "@latchkey/mls";
import type { ClientContext } from "./client-context.ts";
import { REVOCATION_NS } from "../identity/identity-view.ts";
import { nodeIsBehind } from "../identity/judge-envelope.ts";
import type { GroupRecord } from "../store/records.ts";
import { hiddenEntries, historyOf } from "./entries.ts";
import type { GroupCore } from "./group-core.ts";
import { senderOf } from "./message.ts";
import type { MessageSender } from "../identity/identity-context.ts";

/** A group as a Welcome brings it. */
export interface WelcomedGroup {
  readonly record: GroupRecord;
  readonly group: MlsGroup;
  /** Who signed the GroupInfo in the Welcome. */
  readonly signer: MessageSender;
  /** Whether the log has the commit that the Welcome names. */
  readonly hasCommit: boolean;
}

/**
 * What becomes of a Welcome:
 *
 * - `pass`: nothing; it says what is known, or is for a group that was forgotten.
 * - `open`: the group is new here.
 * - `replace`: an own device joined anew by invite, because the first join was refused.
 * - `return`: a parted installation was added again; the old state is kept until a member confirms the new one.
 * - `beside`: a removed installation was added again; its old history becomes an entry of its own.
 * - `claim`: the id belongs to another history here; of the new one only its signer, size and time are shown.
 */
export type WelcomeVerdict = "pass" | "open" | "replace" | "return" | "beside" | "claim";

/** The verdict on a Welcome; `known` has read its log to the end. Errors of the network. */
export async function judgeWelcome(
  context: ClientContext,
  known: GroupCore | undefined,
  welcomed: WelcomedGroup,
  signal: AbortSignal | undefined,
): Promise<WelcomeVerdict> {
  if (known === undefined) return isForgotten(context, welcomed) ? "pass" : "open";
  if (equalBytes(known.mls.contextBytes, welcomed.group.contextBytes)) return "pass";
  if (await isOfRevokedSigner(context, welcomed, signal)) return "claim";
  if (isJoinedAnew(known, welcomed)) return "replace";
  const lastGood = lastGoodState(context, known);
  if (!isLater(lastGood, welcomed)) return "claim";
  if (!lastGood.active) return isOfLastGoodEpoch(lastGood, welcomed) ? "beside" : "claim";
  const isParted = lastGood.record.status === "parted" || provesParted(lastGood, welcomed);
  return isParted && (await mayBringBack(lastGood, welcomed, signal)) ? "return" : "claim";
}

/**
 * Whether the installation that signed the Welcome was revoked two minutes before it: then it is a stranger's. Its log is
 * read up to that time; a node that does not serve it that far is not available.
 */
async function isOfRevokedSigner(
  { directory }: ClientContext,
  { record, signer }: WelcomedGroup,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const envelopeNs = record.createdAtNs;
  const view = await directory.lookup([], { fresh: [signer.inboxId], envelopeNs, signal });
  if (!view.isSettled(signer.inboxId, envelopeNs)) throw nodeIsBehind(signer.inboxId);
  return directory.isRevokedAt(signer.inboxId, signer.installationId, envelopeNs - REVOCATION_NS + 1n);
}

/**
 * Whether the GroupInfo in the Welcome is itself the proof that this installation is parted: where a hint says that it may
 * be, the signature of one super admin's leaf of the last good epoch is enough.
 */
function provesParted({ context, groupId, mls, state }: GroupCore, { signer }: WelcomedGroup): boolean {
  const isKnown = mls.findBySignatureKey(fromHex(signer.installationId)) !== undefined;
  return isKnown && state.superAdmins.has(signer.inboxId) && context.store.hints.count(groupId) > 0;
}

/** A forgotten group comes back only by a commit behind what was read of its log when it was forgotten. */
function isForgotten({ store }: ClientContext, { record, hasCommit }: WelcomedGroup): boolean {
  const forgotten = store.forgottenGroups.get(record.groupId);
  return forgotten !== undefined && (!hasCommit || record.cursor <= forgotten.cursor);
}

/**
 * Whether an own device has joined again by invite, because its first join, that nobody confirmed, was refused: the state
 * that it brought us into then cannot be followed to the later one.
 */
function isJoinedAnew({ record, active, context, mls }: GroupCore, { group, signer }: WelcomedGroup): boolean {
  const { inboxId } = context.own;
  const broughtAlong = toHex(historyOf(context, record.groupId).welcomedBy) === inboxId;
  const isPending = active && record.status === "pending" && broughtAlong;
  return isPending && signer.inboxId === inboxId && group.epoch > mls.epoch;
}

/** The state that a return starts from: the one before a return that nobody has confirmed, or the present one. */
function lastGoodState(context: ClientContext, known: GroupCore): GroupCore {
  const kept = hiddenEntries(context, known.groupId).find(({ role }) => role === "kept");
  return kept === undefined ? known : known.openEntry(kept);
}

/** Of a later epoch than the last good one, by a commit that lies behind its last commit. */
function isLater({ mls, record }: GroupCore, welcomed: WelcomedGroup): boolean {
  return welcomed.group.epoch > mls.epoch && welcomed.record.cursor > record.lastCommitId;
}

/** Whether the signer may bring back a parted installation: a super admin of the last good epoch, or an own device. */
async function mayBringBack(
  lastGood: GroupCore,
  welcomed: WelcomedGroup,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  if (isTrusted(lastGood, welcomed)) return true;
  const { context } = lastGood;
  const { inboxId, installationId } = welcomed.signer;
  if (inboxId !== context.own.inboxId) return false;
  return (await context.directory.latestOf(inboxId, signal)).state.hasInstallation(installationId);
}

function isTrusted({ state }: GroupCore, { signer }: WelcomedGroup): boolean {
  return state.superAdmins.has(signer.inboxId);
}

/** Whether the signer's own word confirms a return: it was a super admin of the last good epoch. */
export function isTrustedSigner(context: ClientContext, known: GroupCore, welcomed: WelcomedGroup): boolean {
  return isTrusted(lastGoodState(context, known), welcomed);
}

function isOfLastGoodEpoch({ mls }: GroupCore, { signer }: WelcomedGroup): boolean {
  return [...mls.members()].some(({ leafNode }) => senderOf(leafNode).inboxId === signer.inboxId);
}
