import {
  decodeRows,
  equalBytes,
  LatchkeyError,
  MlsGroup,
  type LeafNode,
  type VerifiedGroupInfo,
  type VerifiedTreeCache,
} from "@latchkey/mls";
import type { Candidate } from "@latchkey/xmtp";
import { isAborted } from "../clock.ts";
import type { ClientContext } from "../context.ts";
import type { GroupCore } from "../group/group-core.ts";
import type { JoinRecord } from "../store/records.ts";
import { candidatesInSlot, holdsLeaf, isSignedByMember, openedBlobs, statesSince, verifiedState } from "./evidence.ts";
import { recordLost, recordSequenced } from "./journal.ts";
import { LogScan, type SeenCommit } from "./log-scan.ts";
import type { JoinRequest } from "./prepare.ts";
import { settleJoin } from "./settle.ts";

/*
 * A join whose commit came behind another one of its epoch has lost if members accepted that one, and has won if they
 * refused it. A stranger cannot tell from the log, so its draft is kept, and nothing else is sent to the group, until a
 * state of the group tells: without the draft, whoever has won would be a member for ever that cannot get in.
 */

type Verdict = "accepted" | "refused" | undefined;

/** The joins that wait for a state of their group. */
function contestedJoins({ store }: ClientContext): JoinRecord[] {
  return store.joins.list().filter(({ state }) => state === "CONTESTED");
}

/**
 * What a state of the epoch that the join ends, or a later one, says about it.
 *
 * To be accepted takes the word of a member whom the joiner found in the group, for the very epoch of the draft or one
 * that has its leaf. To have lost takes less, because the winner may be somebody new: the word of anybody who opens the
 * invite and signs for a later state. A liar among those gets the draft dropped, and could as well lead the joiner astray.
 * A member that is in the epoch still and has read the own commit has refused it.
 */
function verdictOf(
  context: ClientContext,
  { draft, leaf, join }: { draft: MlsGroup; leaf: LeafNode; join: JoinRecord },
  info: VerifiedGroupInfo,
): Verdict {
  const isOfMember = isSignedByMember(context, draft, info);
  if (info.context.epoch === join.epoch) return isOfMember ? "refused" : undefined;
  if (!holdsLeaf(context, info, leaf)) return "refused";
  const isOther = info.context.epoch === draft.epoch && !equalBytes(info.contextBytes, draft.contextBytes);
  return isOfMember && !isOther ? "accepted" : undefined;
}

async function judge(
  context: ClientContext,
  join: JoinRecord,
  candidates: readonly Candidate[],
  verifiedTrees: VerifiedTreeCache | undefined,
): Promise<Verdict> {
  const { commitId, epoch, groupId } = join;
  const hasReadIt = ({ logCursor }: Candidate) => commitId !== undefined && logCursor >= commitId;
  const states = statesSince(candidates, groupId, epoch).filter((one) => one.epoch > epoch || hasReadIt(one));
  if (states.length === 0) return undefined;
  const rows = [...decodeRows(join.rows)].flatMap(([key, value]) => (value === null ? [] : [[key, value] as const]));
  const draft = MlsGroup.load(context.groupConfig, rows);
  const leaf = draft.leaf(draft.ownLeafIndex);
  if (leaf === undefined) return undefined;
  // Those that may speak for the join go first; most joins have lost, and then one state is verified.
  const names = states.filter(({ groupInfo }) => includes(groupInfo, leaf.encryptionKey));
  for (const candidate of new Set([...names, ...states])) {
    const info = await verifiedState(context, candidate, verifiedTrees);
    const verdict = info === undefined ? undefined : verdictOf(context, { draft, leaf, join }, info);
    if (verdict !== undefined) return verdict;
  }
  return undefined;
}

/** Whether bytes are a part of others. */
function includes(bytes: Uint8Array, part: Uint8Array): boolean {
  for (let at = bytes.indexOf(part[0] ?? 0); at >= 0; at = bytes.indexOf(part[0] ?? 0, at + 1)) {
    if (equalBytes(bytes.subarray(at, at + part.length), part)) return true;
  }
  return false;
}

/** The own commit as the log has it; it may not have been seen when the join was contested. */
async function ownCommit(
  context: ClientContext,
  { groupId, epoch, logCursor, messageHash }: JoinRecord,
  signal: AbortSignal | undefined,
): Promise<SeenCommit | undefined> {
  const scan = new LogScan(context, groupId, { fromEpoch: epoch, afterId: logCursor });
  await scan.advance(signal);
  return scan.commits(epoch).find(({ hash }) => equalBytes(hash, messageHash));
}

/** CONTESTED → JOINED, or LOST, by what a slot holds; undefined when it lost or is open still. */
async function settleContest(
  context: ClientContext,
  join: JoinRecord,
  candidates: readonly Candidate[],
  options: { readonly verifiedTrees?: VerifiedTreeCache; readonly signal: AbortSignal | undefined },
): Promise<GroupCore | undefined> {
  const { verifiedTrees, signal } = options;
  const verdict = await judge(context, join, candidates, verifiedTrees);
  const own = verdict === "accepted" ? await ownCommit(context, join, signal) : undefined;
  if (own !== undefined) return settleJoin(context, recordSequenced(context, join, own), { signal });
  // Whoever was added by a Welcome meanwhile is in, whatever became of the join.
  if (verdict === "refused" || context.groups.get(join.groupId)?.active === true) recordLost(context, join);
  return undefined;
}

/** Whether a join of that group waits for a state of it. */
export function isContested({ store }: ClientContext, groupId: Uint8Array): boolean {
  return store.joins.get(groupId)?.state === "CONTESTED";
}

/** Settles what can be settled by blobs that were fetched anyway; returns a group that turns out to be joined. */
export async function settleContests(
  { context, payload, verifiedTrees }: JoinRequest,
  blobs: readonly Uint8Array[],
  signal: AbortSignal | undefined,
): Promise<GroupCore | undefined> {
  const joins = contestedJoins(context);
  if (joins.length === 0) return undefined;
  const candidates = openedBlobs(context, payload, blobs);
  for (const join of joins) {
    const core = await settleContest(context, join, candidates, { verifiedTrees, signal });
    if (core !== undefined) return core;
  }
  return undefined;
}

/** Settles what can be settled by the slots of the joins: one look at each with every synchronization. */
export async function settleContestsBySlots(
  context: ClientContext,
  signal: AbortSignal | undefined,
): Promise<GroupCore[]> {
  const reached: GroupCore[] = [];
  for (const join of contestedJoins(context)) {
    try {
      const candidates = await candidatesInSlot(context, join.invite, signal);
      const core = await settleContest(context, join, candidates, { signal });
      if (core !== undefined) reached.push(core);
    } catch (error) {
      if (isAborted(signal) || !(error instanceof LatchkeyError)) throw error;
    }
  }
  return reached;
}
