import { equalBytes, LatchkeyError, type VerifiedGroupInfo } from "@latchkey/mls";
import { selectCandidates, type Candidate } from "@latchkey/xmtp";
import { isAborted, isDue } from "../clock.ts";
import { historyOf } from "../group/entries.ts";
import type { GroupCore } from "../group/group-core.ts";
import { syncLocked } from "../group/sync.ts";
import { senderOf } from "../group/message.ts";
import { recordParted } from "../group/parted.ts";
import { servicesOf } from "../invite/upload.ts";
import { activePolicy } from "../group/active-policy.ts";
import { statesSince, verifiedState } from "../join/group-states.ts";
import { CLIENT_LIMITS } from "../limits.ts";

/**
 * Looks for proof that the group has gone on without this installation, while a hint says that it may have: at most one
 * question a minute. Failures are none of the synchronization.
 */
export async function settleHints(core: GroupCore, signal: AbortSignal | undefined): Promise<void> {
  const { context, groupId } = core;
  if (!core.mayWrite || context.store.hints.count(groupId) === 0) return;
  // A join that nobody has confirmed looks for its own proof, in the slot that it was scanned from.
  if (context.store.joins.get(groupId) !== undefined) return;
  const nowNs = context.clock.nowNs();
  const history = historyOf(context, groupId);
  if (!isDue(history.askedAtNs, CLIENT_LIMITS.hintQuestionNs, nowNs)) return;
  await core.exclusive(
    async () => core.step({ write: ({ histories }) => histories.put({ ...history, askedAtNs: nowNs }) }),
    signal,
  );
  try {
    await askSlots(core, signal);
  } catch (error) {
    if (!(error instanceof LatchkeyError) || isAborted(signal)) throw error;
  }
}

async function askSlots(core: GroupCore, signal: AbortSignal | undefined): Promise<void> {
  const states: VerifiedGroupInfo[] = [];
  for (const candidate of statesSince(await candidatesOf(core, signal), core.mls.groupId, core.mls.epoch)) {
    const info = await verifiedState(core.context, candidate);
    if (info !== undefined) states.push(info);
  }
  if (!provesParted(core, states)) return;
  await core.exclusive(async () => {
    // Read meanwhile, the group may have come to the epoch of those states.
    await syncLocked(core, signal);
    if (core.mayWrite && provesParted(core, states)) recordParted(core, "group-info");
  }, signal);
}

/** What the slots of the active invite hold, as far as the last good epoch knows one. */
async function candidatesOf(core: GroupCore, signal: AbortSignal | undefined): Promise<Candidate[]> {
  const policy = activePolicy(core);
  const key = policy?.symmetricKey?.material;
  if (policy === undefined || key === undefined) return [];
  const { crypto, time } = core.context;
  const suite = crypto.suite(core.mls.cipherSuite);
  const found: Candidate[] = [];
  for (const { url, slots } of (await servicesOf(core, policy, undefined, signal)).services) {
    try {
      const { blobs = [] } = await slots.fetch(
        { serviceUrl: url, externalGroupId: policy.externalGroupId },
        { signal },
      );
      found.push(...selectCandidates({ suite, blobs, key, nowNs: time.bestNs() }).candidates);
    } catch (error) {
      if (!(error instanceof LatchkeyError) || isAborted(signal)) throw error;
    }
  }
  return found;
}

/** True for a state that this one cannot lead to: of a later epoch, or of the present one after another commit. */
function isElsewhere({ mls }: GroupCore, { context }: VerifiedGroupInfo): boolean {
  if (context.epoch !== mls.epoch) return context.epoch > mls.epoch;
  return !equalBytes(context.confirmedTranscriptHash, mls.confirmedTranscriptHash);
}

/**
 * Whether states prove it: signed by the leaf keys of two other inboxes of the last good epoch, or of one super admin of
 * it. A single member and all strangers together prove nothing.
 */
export function provesParted(core: GroupCore, states: readonly VerifiedGroupInfo[]): boolean {
  const { mls, context } = core;
  const signers = new Set<string>();
  for (const info of states) {
    if (!isElsewhere(core, info)) continue;
    const known = mls.findBySignatureKey(info.signerLeaf.signatureKey);
    const leaf = known === undefined ? undefined : mls.leaf(known);
    if (leaf !== undefined) signers.add(senderOf(leaf).inboxId);
  }
  signers.delete(context.own.inboxId);
  const { superAdmins } = core.state;
  return signers.size >= 2 || [...signers].some((inboxId) => superAdmins.has(inboxId));
}
