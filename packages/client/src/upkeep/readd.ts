import { LatchkeyError, MlsGroup, toHex, type Proposal } from "@latchkey/mls";
import { installationLeaf, oneshotExtensions, welcomeMessages, XMTP_CIPHER_SUITE } from "@latchkey/xmtp";
import { isAborted, isDue } from "../clock.ts";
import { planCommit } from "../group/plan-commit.ts";
import { commitChange } from "../group/commit.ts";
import type { CommitPlan } from "../group/commit-plan.ts";
import { historyOf } from "../group/entries.ts";
import type { GroupCore } from "../group/group-core.ts";
import { fetchKeyPackages } from "../identity/key-packages.ts";
import { CLIENT_LIMITS } from "../limits.ts";
import type { ReaddRecord } from "../store/records.ts";
import type { Duty } from "./duty.ts";

/*
 * The way back of a parted installation. It asks the super admins of its last good epoch by a Welcome to a group that is
 * itself the message, as XMTP's clients do. The client of a super admin puts a new leaf in the place of the old one, by
 * one commit that natives follow as well.
 */

/** Asks super admins to add this installation again, once a day while it is parted. */
export async function requestReadd(core: GroupCore, signal: AbortSignal | undefined): Promise<void> {
  const { context, groupId, record } = core;
  if (!core.isRead || record.status !== "parted") return;
  const history = historyOf(context, groupId);
  const nowNs = context.clock.nowNs();
  // The commit that took the own leaf away has brought another one: its Welcome is on the way.
  if (history.proof === "readded" || !isDue(history.requestedAtNs, CLIENT_LIMITS.readdPauseNs, nowNs)) return;
  const note = (requestedAtNs: bigint) =>
    core.exclusive(
      async () => core.step({ write: ({ histories }) => histories.put({ ...history, requestedAtNs }) }),
      signal,
    );
  await note(nowNs);
  try {
    // Where nobody can be asked yet, as while a device has no key package, the next synchronization tries again.
    if (!(await sendRequest(core, signal))) await note(history.requestedAtNs);
  } catch (error) {
    if (isAborted(signal)) throw error;
    await note(history.requestedAtNs);
    if (!(error instanceof LatchkeyError) || error.scope === "availability") throw error;
  }
}

/** The inboxes of super admins and all their installations, without this one. */
async function recipientsOf(core: GroupCore, signal: AbortSignal | undefined) {
  const { context } = core;
  const { own } = context;
  const members = new Map<string, bigint>();
  const inboxIds = [...new Set([own.inboxId, ...core.state.superAdmins])];
  const wanted = (await context.directory.latest(inboxIds, signal)).map(({ inboxId, sequenceId, state }) => {
    members.set(inboxId, sequenceId);
    return { inboxId, installationIds: state.installations().filter((id) => id !== own.installationId) };
  });
  const found = await fetchKeyPackages(context, wanted, signal);
  const keyPackages = found.flatMap((one) => one.keyPackages);
  const unusable = found.flatMap((one) => one.unusable);
  return { members, failedInstallations: unusable.map(({ installationId }) => installationId), keyPackages };
}

/** Returns false when nobody could be asked. */
async function sendRequest(core: GroupCore, signal: AbortSignal | undefined): Promise<boolean> {
  const { context, mls, record } = core;
  const { inboxId } = context.own;
  const { keyPackages, ...recipients } = await recipientsOf(core, signal);
  if (keyPackages.length === 0) return false;
  const nowSeconds = context.time.bestNs() / 1_000_000_000n;
  const request = { groupId: mls.groupId, latestCommitId: record.lastCommitId };
  const group = await MlsGroup.create(context.groupConfig, {
    cipherSuite: XMTP_CIPHER_SUITE,
    groupId: context.crypto.randomBytes(16),
    extensions: oneshotExtensions({ creatorInboxId: inboxId, ...recipients, request }),
    leaf: installationLeaf(inboxId),
    lifetime: { notBefore: nowSeconds - 3_600n, notAfter: nowSeconds + 84n * 86_400n },
  });
  const proposals = keyPackages.map((keyPackage): Proposal => ({ kind: "add", keyPackage }));
  const { welcome } = await group.createCommit({ proposals });
  if (welcome === undefined) return false;
  const suite = context.crypto.suite(XMTP_CIPHER_SUITE);
  const messages = await welcomeMessages(suite, { welcome, messageCursor: 0n }, keyPackages);
  await context.transport.sendWelcomeMessages(messages, signal);
  return true;
}

/** Whether a request is to be answered: not within a day of the last re-add. */
function isOpen({ requestedAtNs, doneAtNs }: ReaddRecord, nowNs: bigint): boolean {
  return requestedAtNs > doneAtNs && isDue(doneAtNs, CLIENT_LIMITS.readdPauseNs, nowNs);
}

/**
 * Adds again the installations that asked for it, each at most once a day, as long as they have a leaf in the group and
 * are not revoked; for the client of a super admin.
 */
export const ANSWER_READDS: Duty = {
  name: "readd-answers",
  run: answerReadds,
  delayMs: (core) => {
    if (openReadds(core).length === 0 || !mayReadd(core)) return undefined;
    const { renewalSpreadMs, maxRenewalSpreadMs } = CLIENT_LIMITS;
    return Math.min(maxRenewalSpreadMs, renewalSpreadMs * core.mls.memberCount) * core.context.random();
  },
};

async function answerReadds(core: GroupCore, signal: AbortSignal | undefined): Promise<void> {
  if (openReadds(core).length === 0 || !mayReadd(core)) return;
  // Another call may have answered them while this one waited for its turn; what is lost to others is planned again.
  let rows: readonly ReaddRecord[] | undefined;
  const plan = () => planReadds(core, (rows ??= openReadds(core)), signal);
  try {
    await commitChange(core, plan, signal);
    await putRows(core, (rows ?? []).map(answered(core)), signal);
  } catch (error) {
    // A commit that may have left takes effect with a later sync, and must not be followed by another one.
    if (core.pendingCommit === undefined) await putRows(core, rows ?? [], signal);
    if (isAborted(signal) || !(error instanceof LatchkeyError) || error.scope === "availability") throw error;
  }
}

function openReadds({ context, groupId }: GroupCore): ReaddRecord[] {
  const nowNs = context.clock.nowNs();
  return context.store.readds.list(groupId).filter((row) => isOpen(row, nowNs));
}

function answered({ context }: GroupCore): (row: ReaddRecord) => ReaddRecord {
  const doneAtNs = context.clock.nowNs();
  return (row) => ({ ...row, doneAtNs });
}

async function putRows(core: GroupCore, rows: readonly ReaddRecord[], signal: AbortSignal | undefined): Promise<void> {
  if (rows.length === 0) return;
  await core.exclusive(
    async () => core.step({ write: ({ readds }) => rows.forEach((row) => readds.put(row)) }),
    signal,
  );
}

function mayReadd(core: GroupCore): boolean {
  const { mayWrite, record, state, context } = core;
  return mayWrite && record.status === "confirmed" && state.superAdmins.has(context.own.inboxId);
}

/** One commit [Remove, Add] for all of them, without a change of the membership component. */
async function planReadds(
  core: GroupCore,
  rows: readonly ReaddRecord[],
  signal: AbortSignal | undefined,
): Promise<CommitPlan | undefined> {
  if (!mayReadd(core)) return undefined;
  const removals: Proposal[] = [];
  const additions: Proposal[] = [];
  for (const { installationKey, inboxId: inbox } of rows) {
    const removed = core.mls.findBySignatureKey(installationKey);
    const inboxId = toHex(inbox);
    const { state } = await core.context.directory.latestOf(inboxId, signal);
    const installationId = toHex(installationKey);
    if (removed === undefined || !state.hasInstallation(installationId)) continue;
    const [found] = await fetchKeyPackages(core.context, [{ inboxId, installationIds: [installationId] }], signal);
    const [keyPackage] = found?.keyPackages ?? [];
    if (keyPackage === undefined) continue;
    removals.push({ kind: "remove", removed });
    additions.push({ kind: "add", keyPackage });
  }
  if (additions.length === 0) return undefined;
  const done = rows.map(answered(core));
  return {
    ...planCommit(core, [], [...removals, ...additions]),
    write: ({ readds }) => done.forEach((row) => readds.put(row)),
  };
}
