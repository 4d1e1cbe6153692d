import { fromHex, toHex } from "@latchkey/mls";
import type { GroupsContext } from "../group/group-registry.ts";
import { clientError } from "../errors.ts";
import { hiddenEntries, historyOf, isChoosable, deleteEntry } from "../group/entries.ts";
import type { GroupCore } from "../group/group-core.ts";
import { succeed, trustedFlag } from "../group/histories.ts";
import { receiveEnvelopes } from "../group/receive.ts";
import { judgeWelcome, type WelcomedGroup, type WelcomeVerdict } from "../group/welcome-rules.ts";
import { CLIENT_LIMITS } from "../limits.ts";
import type { GroupRecord } from "../store/records.ts";
import { readPages } from "../transport/transport.ts";

/** One history that claims a group id. */
export interface Claim {
  /** In hex; what `conversations.choose` takes. */
  readonly id: string;
  /** Inbox id of the member whose Welcome brought it; undefined for a group that was created or joined by invite here. */
  readonly signer: string | undefined;
  readonly installationCount: number;
  /** The node's clock. */
  readonly receivedAtNs: bigint;
  /** A member other than the signer and this inbox has spoken in it, or this person made or chose it. */
  readonly isProven: boolean;
  /** True for the history that `conversations.get` returns. */
  readonly isShown: boolean;
}

/** A group id that more than one history claims. */
export interface Conflict {
  /** The group's id in hex. */
  readonly groupId: string;
  /** The one that is shown first. */
  readonly claims: readonly Claim[];
}

/** Envelopes that may still be read. */
interface Budget {
  left: number;
}

function claimOf(shown: GroupCore, record: GroupRecord): Claim {
  const { context } = shown;
  const { welcomedBy } = historyOf(context, record.groupId);
  const core = record.role === "shown" ? shown : shown.openEntry(record);
  return {
    id: toHex(record.groupId),
    signer: welcomedBy.length === 0 ? undefined : toHex(welcomedBy),
    installationCount: core.mls.memberCount,
    receivedAtNs: record.createdAtNs,
    isProven: record.proven === 1n,
    isShown: record.role === "shown",
  };
}

/** The groups that have claims beside them. */
function contestedGroups(context: GroupsContext): GroupCore[] {
  const ids = new Set(
    context.store.groups
      .list()
      .filter(isChoosable)
      .map((claim) => toHex(claim.mlsGroupId)),
  );
  return [...ids].flatMap((id) => context.groups.get(fromHex(id)) ?? []);
}

/** All conflicts, after the logs of claims were read as far as one call may. */
export async function listConflicts(context: GroupsContext, signal: AbortSignal | undefined): Promise<Conflict[]> {
  const budget: Budget = { left: CLIENT_LIMITS.maxClaimEnvelopes };
  for (const core of contestedGroups(context)) await settleClaims(core, budget, signal);
  return contestedGroups(context).map((core) => ({
    groupId: core.id,
    claims: [core.record, ...hiddenEntries(context, core.groupId).filter(isChoosable)].map((record) =>
      claimOf(core, record),
    ),
  }));
}

/** Reads the logs of claims where the history that is shown has no proof, or is over; to be called with each sync. */
export async function settleConflicts(context: GroupsContext, signal: AbortSignal | undefined): Promise<void> {
  const budget: Budget = { left: CLIENT_LIMITS.maxClaimEnvelopes };
  for (const core of contestedGroups(context)) {
    if (!core.mayWrite || core.record.proven === 0n) await settleClaims(core, budget, signal);
  }
}

function settleClaims(known: GroupCore, budget: Budget, signal: AbortSignal | undefined): Promise<void> {
  const { context, groupId } = known;
  return known.exclusive(async () => {
    const claims = hiddenEntries(context, groupId).filter(({ role }) => role === "claim");
    for (const [index, { groupId: key }] of claims.entries()) {
      const record = context.store.groups.get(key);
      if (record === undefined) continue;
      // The log of one claim, which a stranger may have filled, leaves the others their part.
      const part: Budget = { left: Math.ceil(budget.left / (claims.length - index)) };
      budget.left -= part.left;
      await settleClaim(known, known.openEntry(record), part, signal);
      budget.left += part.left;
    }
  }, signal);
}

/** Judges a claim anew, by what is known now of the history that is shown, and then by its own log. */
async function settleClaim(
  known: GroupCore,
  claim: GroupCore,
  budget: Budget,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { context } = known;
  const welcomed = welcomedOf(known, claim);
  const verdict = await judgeWelcome(context, known, welcomed, signal);
  if (verdict === "pass") {
    context.store.transaction((tables) => deleteEntry(tables, claim.groupId));
  } else if (verdict !== "claim" && verdict !== "open") {
    replaceShown(known, claim, verdict, welcomed);
  } else {
    await readClaim(claim, budget, signal);
    if (claim.record.proven === 1n && known.record.proven === 0n) replaceShown(known, claim, "choice", welcomed);
  }
}

function welcomedOf({ groupId }: GroupCore, { context, mls, record }: GroupCore): WelcomedGroup {
  const { welcomedBy, signerKey } = historyOf(context, record.groupId);
  const signer = { inboxId: toHex(welcomedBy), installationId: toHex(signerKey) };
  return { record: { ...record, groupId }, group: mls, signer, hasCommit: true };
}

function replaceShown(
  known: GroupCore,
  { record: next }: GroupCore,
  how: Exclude<WelcomeVerdict, "pass" | "open" | "claim"> | "choice",
  welcomed: WelcomedGroup,
): void {
  const { context } = known;
  const trusted = how === "choice" ? 0n : trustedFlag(context, known, welcomed);
  const record = context.store.transaction((tables) => succeed(context, tables, known, next, how, trusted));
  known.adopt(record);
}

async function readClaim(claim: GroupCore, budget: Budget, signal: AbortSignal | undefined): Promise<void> {
  const { transport } = claim.context;
  const query: typeof transport.queryGroupMessages = (at, stop) => transport.queryGroupMessages(at, stop);
  const position = { topic: claim.mls.groupId, afterId: claim.record.cursor };
  if (claim.record.proven === 1n || budget.left <= 0) return;
  for await (const page of readPages(query, position, signal)) {
    const envelopes = page.slice(0, budget.left);
    budget.left -= envelopes.length;
    await receiveEnvelopes(claim, envelopes, signal);
    if (claim.record.proven === 1n || budget.left <= 0) return;
  }
}

/**
 * Shows the history of that id, one of those that `listConflicts` returns, in the place of another one; the choice is its
 * proof. Throws GROUP_CONFLICT for an id that names none.
 */
export async function chooseHistory(context: GroupsContext, id: string, signal?: AbortSignal): Promise<GroupCore> {
  const record = /^([0-9a-f]{2})+$/.test(id) ? context.store.groups.get(fromHex(id)) : undefined;
  const known = record === undefined ? undefined : context.groups.get(record.mlsGroupId);
  if (record === undefined || known === undefined || !(record.role === "shown" || isChoosable(record))) {
    throw clientError("GROUP_CONFLICT", "no history has this id; list them with `conversations.conflicts()`");
  }
  await known.exclusive(async () => {
    if (record.role === "shown") {
      known.step({ record: { proven: 1n } });
      return;
    }
    context.groups.evict(record.groupId);
    const chosen = known.openEntry(record);
    replaceShown(known, chosen, "choice", welcomedOf(known, chosen));
  }, signal);
  return known;
}
