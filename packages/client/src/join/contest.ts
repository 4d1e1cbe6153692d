import { equalBytes, type MlsGroup, type VerifiedGroupInfo, type VerifiedTreeCache } from "@latchkey/mls";
import type { Candidate } from "@latchkey/xmtp";
import { isAborted } from "../clock.ts";
import type { GroupsContext } from "../group/group-registry.ts";
import { reportInBackground } from "../store/defects.ts";
import type { GroupCore } from "../group/group-core.ts";
import type { JoinRecord } from "../store/records.ts";
import {
  candidatesInSlot,
  holdsOwnLeaf,
  isSignedByMember,
  isSpokenIn,
  openedBlobs,
  statesSince,
  verifiedState,
} from "./group-states.ts";
import { recordLost, recordPublished, recordSequenced } from "./journal.ts";
import { LogScan } from "./log-scan.ts";
import { draftOf } from "./draft.ts";
import type { JoinRequest } from "./prepare.ts";
import { settleJoin } from "./settle.ts";

/*
 * A join whose commit came behind another one of its epoch has lost if members accepted that one, and has won if they
 * refused it. A stranger cannot tell from the log, so its draft is kept, and nothing else is sent to the group, until a
 * state of the group tells: without the draft, whoever has won would be a member for ever that cannot get in.
 */

/** `readTo`: members are in the epoch still and have refused every commit of it up to this id. */
type Verdict = "accepted" | "refused" | { readonly readTo: bigint };

/** The joins that wait for a state of their group. */
function contestedJoins({ store }: GroupsContext): JoinRecord[] {
  return store.joins.list().filter(({ state }) => state === "CONTESTED");
}

/**
 * What a state of the epoch that the join ends, or a later one, says about it.
 *
 * To be accepted, or to have a chance still, takes the word of a member whom the joiner found in the group; to be accepted
 * also that it is for the very epoch of the draft or one that has its leaf. To have lost takes less, because the winner may
 * be somebody new: the word of anybody who opens the invite and signs for a later state, unless a member has spoken in the
 * draft's epoch. A liar among those gets the draft dropped, and could as well lead the joiner astray.
 */
function verdictOf(
  context: GroupsContext,
  { draft, join, logCursor }: { draft: MlsGroup; join: JoinRecord; logCursor: bigint },
  info: VerifiedGroupInfo,
): Verdict | undefined {
  const isOfMember = isSignedByMember(context, draft, info);
  if (info.context.epoch === join.epoch) return isOfMember ? { readTo: logCursor } : undefined;
  if (!holdsOwnLeaf(context, info, draft)) return "refused";
  const isOther = info.context.epoch === draft.epoch && !equalBytes(info.contextBytes, draft.contextBytes);
  return isOfMember && !isOther ? "accepted" : undefined;
}

async function judge(
  context: GroupsContext,
  join: JoinRecord,
  candidates: readonly Candidate[],
  verifiedTrees: VerifiedTreeCache | undefined,
): Promise<Verdict | undefined> {
  const isNews = ({ epoch, logCursor }: Candidate) => epoch > join.epoch || logCursor > join.logCursor;
  const states = statesSince(candidates, join.groupId, join.epoch).filter(isNews);
  if (states.length === 0) return undefined;
  const draft = draftOf(context, join);
  const leaf = draft.leaf(draft.ownLeafIndex);
  // Those that may speak for the join go first; most joins have lost, and then one state is verified.
  const names = states.filter(({ groupInfo }) => leaf !== undefined && includes(groupInfo, leaf.encryptionKey));
  for (const candidate of new Set([...names, ...states])) {
    const info = await verifiedState(context, candidate, verifiedTrees);
    const { logCursor } = candidate;
    const verdict = info === undefined ? undefined : verdictOf(context, { draft, join, logCursor }, info);
    if (verdict !== undefined) return verdict;
  }
  return undefined;
}

/** Whether bytes are a part of others; what people put into a slot must not make it slow. */
function includes(bytes: Uint8Array, part: Uint8Array): boolean {
  const [first = 0] = part;
  for (let at = bytes.indexOf(first); at >= 0; at = bytes.indexOf(first, at + 1)) {
    let same = 1;
    while (same < part.length && bytes[at + same] === part[same]) same++;
    if (same >= part.length) return true;
  }
  return false;
}

/**
 * What is next for a join about which a state has spoken: the journal row to go on with, undefined when it stays as it is,
 * and "lost". The log is asked where the own commit stands; it may not have been there when the join was contested.
 *
 * A commit that members have read and stay in the epoch is refused. One that they have not read, or that never arrived,
 * goes on as if it had been made from the state that they show: it has won as far as anybody can tell when it is the
 * first behind what they have read.
 */
async function nextStep(
  context: GroupsContext,
  join: JoinRecord,
  verdict: Exclude<Verdict, "refused">,
  signal: AbortSignal | undefined,
): Promise<JoinRecord | "lost" | undefined> {
  const scan = new LogScan(context, join.groupId, { fromEpoch: join.epoch, afterId: join.logCursor, hinted: true });
  await scan.advance(signal);
  const own = scan.commits(join.epoch).find(({ hash }) => equalBytes(hash, join.messageHash));
  if (verdict === "accepted") return own === undefined ? undefined : recordSequenced(context, join, own);
  const { readTo } = verdict;
  // Nobody has read further than the log goes.
  if (readTo > scan.cursor) return undefined;
  if (own !== undefined && own.id <= readTo) return "lost";
  return recordPublished(context, { ...join, logCursor: readTo });
}

/** CONTESTED → JOINED, LOST, or contested by later commits, by what a slot holds; a group when it has won. */
async function settleContest(
  context: GroupsContext,
  join: JoinRecord,
  candidates: readonly Candidate[],
  options: { readonly verifiedTrees?: VerifiedTreeCache; readonly signal: AbortSignal | undefined },
): Promise<GroupCore | undefined> {
  const { verifiedTrees, signal } = options;
  const verdict = await judge(context, join, candidates, verifiedTrees);
  const won = verdict === "refused" ? await settleContestByLog(context, join, signal) : undefined;
  if (won !== undefined) return won;
  // Whoever was added by a Welcome meanwhile is in, whatever became of the join.
  const isOver = verdict === "refused" || (verdict !== "accepted" && context.groups.get(join.groupId)?.active === true);
  const next = isOver ? "lost" : verdict === undefined ? undefined : await nextStep(context, join, verdict, signal);
  if (next === "lost") recordLost(context, join);
  return typeof next === "object" ? settleJoin(context, next, { signal }) : undefined;
}

/**
 * CONTESTED → JOINED when a member has spoken in the epoch that the join began: it has the keys, so the join has won,
 * whatever the slot shows. Undefined when nobody has.
 */
export async function settleContestByLog(
  context: GroupsContext,
  join: JoinRecord,
  signal: AbortSignal | undefined,
): Promise<GroupCore | undefined> {
  const { commitId: id, commitCreatedNs: createdNs } = join;
  if (id === undefined || createdNs === undefined) return undefined;
  if (!(await isSpokenIn(context, draftOf(context, join), id, signal))) return undefined;
  return settleJoin(context, recordSequenced(context, join, { id, createdNs }), { signal });
}

/** Whether a join of that group waits for a state of it. */
export function isContested({ store }: GroupsContext, groupId: Uint8Array): boolean {
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

/** Settles what can be settled by the slots of the joins: a look at each with a synchronization, ever rarer. */
export async function settleContestsBySlots(
  context: GroupsContext,
  signal: AbortSignal | undefined,
): Promise<GroupCore[]> {
  const reached: GroupCore[] = [];
  for (const join of contestedJoins(context)) {
    try {
      const candidates = await candidatesInSlot(context, join.invite, signal);
      const core = await settleContest(context, join, candidates, { signal });
      if (core !== undefined) reached.push(core);
    } catch (error) {
      if (isAborted(signal)) throw error;
      reportInBackground(context, join.groupId, error);
    }
  }
  return reached;
}
