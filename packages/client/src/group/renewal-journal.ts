import { equalBytes, type AppDataChanges, type Proposal, type VerifiedCommit } from "@latchkey/mls";
import {
  COMPONENT,
  decodePolicyTemplate,
  encodePolicyTemplate,
  policyFromTemplate,
  policyTemplate,
  policyUpdate,
  readPolicy,
  revokePolicy,
  type ExternalCommitPolicyV1,
  type InviteRotation,
} from "@latchkey/xmtp";
import type { GroupCore } from "./group-core.ts";
import { CLIENT_LIMITS } from "../limits.ts";
import type { InviteRenewalRecord } from "../store/records.ts";
import type { Tables } from "../store/store.ts";

/*
 * A removed member decrypts the commit that removes it, and every commit of that epoch that lost against it. A new invite
 * key must be in none of them. The removing commit therefore turns the invite off, and a commit of a later epoch turns it
 * on again, built after the removing commit was merged from the log. Each attempt mints its key anew.
 */

/** The renewal that is open in a group, as far as this installation knows. */
export function openRenewal({ context, groupId }: GroupCore): InviteRenewalRecord | undefined {
  return context.store.inviteRenewals.get(groupId);
}

/** The policy that a removing commit writes: off, with every field of the invite cleared. */
function policyInBetween(policy: ExternalCommitPolicyV1): Uint8Array {
  return policyUpdate(revokePolicy(policy));
}

/** Turns the invite off in the removing commit; the renewal begins when that commit is merged. */
export function beginRenewal(policy: ExternalCommitPolicyV1, rotation: InviteRotation) {
  return {
    payload: { componentId: COMPONENT.externalCommitPolicy, update: policyInBetween(policy) },
    template: encodePolicyTemplate(policyTemplate(policy, rotation)),
  };
}

function writesPolicy(proposals: readonly Proposal[]): boolean {
  return proposals.some(
    (proposal) => proposal.kind === "app_data_update" && proposal.componentId === COMPONENT.externalCommitPolicy,
  );
}

/** What an own commit does to a renewal; see `PendingCommitRecord.renewal`. `begun` is the template of one it begins. */
export function renewalOfCommit(proposals: readonly Proposal[], begun: Uint8Array | undefined): Uint8Array | undefined {
  return begun ?? (writesPolicy(proposals) ? new Uint8Array(0) : undefined);
}

/** What becomes of the row of a group's renewal with a commit: another takes its place, `over` deletes it. */
export type RenewalStep = InviteRenewalRecord | "over" | undefined;

/** Takes such a step, in the transaction that merges the commit. */
export function writeRenewal({ inviteRenewals }: Tables, groupId: Uint8Array, step: RenewalStep): void {
  if (step === "over") inviteRenewals.delete(groupId);
  else if (step !== undefined) inviteRenewals.put(step);
}

/** The step of an own commit; a renewal that it begins is due at once. */
export function renewalAfterOwn(groupId: Uint8Array, renewal: Uint8Array | undefined): RenewalStep {
  if (renewal === undefined) return undefined;
  if (renewal.length === 0) return "over";
  return { groupId, policy: policyInBetween(decodePolicyTemplate(renewal)), template: renewal, dueNs: 0n };
}

/**
 * As `renewalAfterOwn`, for a commit of another member. One that removes members and turns the invite off begins a
 * renewal, which another super admin finishes when the committer does not: with a fresh slot, after a random delay. Every
 * other write of the policy ends it.
 */
export function renewalAfterForeign(
  core: GroupCore,
  commit: Pick<VerifiedCommit, "proposals" | "removed">,
  changes: AppDataChanges,
): RenewalStep {
  if (!writesPolicy(commit.proposals.map(({ proposal }) => proposal))) return undefined;
  const { context, groupId, state, mls } = core;
  const { policy: before } = state;
  const policy = changes.get(COMPONENT.externalCommitPolicy) ?? undefined;
  const isOff = policy !== undefined && readPolicy(policy)?.allowExternalCommit === false;
  const begins = before?.allowExternalCommit === true && isOff && commit.removed.length > 0;
  if (!begins || !state.superAdmins.has(context.own.inboxId)) return "over";
  const { renewalPatienceMs, renewalSpreadMs, maxRenewalSpreadMs } = CLIENT_LIMITS;
  const spreadMs = Math.min(maxRenewalSpreadMs, renewalSpreadMs * mls.memberCount);
  const delayMs = Math.ceil(renewalPatienceMs + spreadMs * context.random());
  const dueNs = context.clock.nowNs() + BigInt(delayMs) * 1_000_000n;
  return { groupId, policy, template: encodePolicyTemplate(policyTemplate(before, "slot")), dueNs };
}

/** Whether this member may finish the renewal: the policy is as the removing commit left it, and the member may write it. */
function mayFinish(core: GroupCore, { policy }: InviteRenewalRecord): boolean {
  const present = core.mls.appData.get(COMPONENT.externalCommitPolicy);
  const isUntouched = present !== undefined && equalBytes(present, policy);
  return core.mayWrite && isUntouched && core.state.superAdmins.has(core.context.own.inboxId);
}

/** The policy that finishes an open renewal, with a fresh key; undefined when there is none that this member may finish. */
export function renewedPolicy(core: GroupCore): ExternalCommitPolicyV1 | undefined {
  const open = openRenewal(core);
  if (open === undefined || !mayFinish(core, open)) return undefined;
  return policyFromTemplate(core.context.crypto, decodePolicyTemplate(open.template));
}
