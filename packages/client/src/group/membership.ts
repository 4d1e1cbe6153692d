import { toHex, type KeyPackage, type Proposal } from "@latchkey/mls";
import {
  COMPONENT,
  isInboxId,
  membershipDelta,
  type AssociationState,
  type MembershipEntry,
  type MembershipMutation,
} from "@latchkey/xmtp";
import { clientError, shortId } from "../errors.ts";
import type { IdentityAt } from "../identity/directory.ts";
import { fetchKeyPackages } from "../identity/key-packages.ts";
import { CLIENT_LIMITS } from "../limits.ts";
import { planOf, type ComponentPayload } from "./changes.ts";
import type { CommitPlan } from "./commit.ts";
import type { GroupCore } from "./group-core.ts";
import { acceptsLateAdditions, leavesToExcuse, withoutLeaf } from "./installations.ts";

const NO_TAG = new Uint8Array(0);

/** An inbox with the newest state of its identity log. */
interface LatestIdentity extends IdentityAt {
  readonly state: AssociationState;
}

function add(keyPackage: KeyPackage): Proposal {
  return { kind: "add", keyPackage };
}

function membershipPlan(core: GroupCore, mutations: readonly MembershipMutation[], proposals: readonly Proposal[]) {
  const update = membershipDelta(mutations);
  return planOf(core, mutations.length === 0 ? [] : [{ componentId: COMPONENT.groupMembership, update }], proposals);
}

/**
 * Adds inboxes with all their installations. One without a usable key package is listed as failed; an inbox that has
 * none at all cannot be added. Undefined when all of them are members.
 *
 * @throws INBOX_UNKNOWN, KEY_PACKAGE_MISSING, NOT_PERMITTED for a group that is full.
 */
export async function planAddMembers(
  core: GroupCore,
  inboxIds: readonly string[],
  signal?: AbortSignal,
): Promise<CommitPlan | undefined> {
  const { members } = core.state;
  const joining = [...new Set(inboxIds)].filter((inboxId) => !members.has(inboxId));
  const malformed = joining.find((inboxId) => !isInboxId(inboxId));
  if (malformed !== undefined) throw clientError("INBOX_UNKNOWN", "an inbox id has 64 lower-case hex digits");
  if (members.size + joining.length > CLIENT_LIMITS.maxGroupMembers) {
    throw clientError("NOT_PERMITTED", `a group has at most ${CLIENT_LIMITS.maxGroupMembers} members`);
  }
  const { directory } = core.context;
  const proposals: Proposal[] = [];
  const mutations: MembershipMutation[] = [];
  for (const { inboxId, sequenceId, state } of await directory.latest(joining, signal)) {
    const found = await fetchKeyPackages(core.context, inboxId, state.installations(), signal);
    if (found.keyPackages.length === 0) {
      throw clientError("KEY_PACKAGE_MISSING", `no installation of inbox ${shortId(inboxId)} can be added`, {
        data: { installations: found.missing.map(shortId) },
      });
    }
    proposals.push(...found.keyPackages.map(add));
    const entry = { sequenceId, failedInstallations: found.missing, admittedViaExternalGroupId: NO_TAG };
    mutations.push({ op: "insert", inboxId, entry });
  }
  return proposals.length === 0 ? undefined : membershipPlan(core, mutations, proposals);
}

/** As `planAddMembers`, for the first commit of a new group: the creator's other installations come along. */
export async function planFirstMembers(
  core: GroupCore,
  inboxIds: readonly string[],
  signal?: AbortSignal,
): Promise<CommitPlan | undefined> {
  const { own } = core.context;
  const others = await planAddMembers(core, inboxIds, signal);
  const { state } = await core.context.directory.latestOf(own.inboxId, signal);
  const siblings = state.installations().filter((id) => id !== own.installationId);
  const found = await fetchKeyPackages(core.context, own.inboxId, siblings, signal);
  if (siblings.length === 0) return others;
  const entry = core.state.members.get(own.inboxId);
  const mutations: MembershipMutation[] = [];
  if (entry !== undefined && found.missing.length > 0) {
    mutations.push({ op: "update", inboxId: own.inboxId, entry: { ...entry, failedInstallations: found.missing } });
  }
  const mine = membershipPlan(core, mutations, found.keyPackages.map(add));
  return others === undefined ? mine : joined(core, others, mine);
}

/** Two plans as one; their updates are applied one after the other. */
function joined(core: GroupCore, first: CommitPlan, second: CommitPlan): CommitPlan {
  const all = [...first.proposals, ...second.proposals];
  const payloads = all.flatMap((proposal) =>
    proposal.kind === "app_data_update" && proposal.operation.kind === "update"
      ? [{ componentId: proposal.componentId, update: proposal.operation.update }]
      : [],
  );
  return planOf(
    core,
    payloads,
    all.filter(({ kind }) => kind !== "app_data_update"),
  );
}

/** Leaves of an inbox, or of those of its installations that `include` names. */
function removals(core: GroupCore, inboxId: string, include: (installationId: string) => boolean): Proposal[] {
  return core.mls
    .leavesOf(inboxId)
    .filter(({ leafNode }) => include(toHex(leafNode.signatureKey)))
    .map(({ leafIndex }) => ({ kind: "remove", removed: leafIndex }));
}

/**
 * Removes inboxes with all their leaves, and changes further components in the same commit; undefined when none of them
 * is a member. Throws NOT_PERMITTED for oneself.
 */
export async function planRemoveMembers(
  core: GroupCore,
  inboxIds: readonly string[],
  further: readonly ComponentPayload[] = [],
  signal?: AbortSignal,
): Promise<CommitPlan | undefined> {
  const { members } = core.state;
  const leaving = [...new Set(inboxIds)].filter((inboxId) => members.has(inboxId));
  if (leaving.includes(core.context.own.inboxId)) {
    throw clientError("NOT_PERMITTED", "members cannot remove themselves; ask an admin of the group");
  }
  if (leaving.length === 0) return undefined;
  const mutations = leaving.map((inboxId): MembershipMutation => ({ op: "delete", inboxId }));
  const excused = await leavesToExcuse(core, leaving, signal);
  const { inboxId } = core.context.own;
  const entry = members.get(inboxId);
  if (entry !== undefined && excused.length > 0) {
    const failedInstallations = [...new Set([...entry.failedInstallations, ...excused])];
    mutations.push({ op: "update", inboxId, entry: { ...entry, failedInstallations } });
  }
  return planOf(
    core,
    [{ componentId: COMPONENT.groupMembership, update: membershipDelta(mutations) }, ...further],
    leaving.flatMap((inboxId) => removals(core, inboxId, () => true)),
  );
}

/** What follows an inbox from its entry to the newest state of its identity log; undefined when nothing changes. */
async function followInbox(
  core: GroupCore,
  entry: MembershipEntry,
  { inboxId, sequenceId, state }: LatestIdentity,
  signal?: AbortSignal,
): Promise<{ proposals: Proposal[]; entry: MembershipEntry } | undefined> {
  const isBehind = entry.sequenceId < sequenceId;
  const acceptsLate = acceptsLateAdditions(core);
  const out = withoutLeaf(core, state);
  if (!isBehind && (out.length === 0 || !acceptsLate)) return undefined;
  const recorded = { inboxId, sequenceId: entry.sequenceId };
  const before = (await core.context.directory.lookup([recorded], { signal }))(inboxId, entry.sequenceId);
  // libxmtp writes 0 for an entry whose installations nobody has looked up yet.
  const isNew = (id: string) => entry.sequenceId === 0n || before?.hasInstallation(id) === false;
  const wanted = acceptsLate ? out : out.filter((id) => isBehind && isNew(id));
  const found = await fetchKeyPackages(core.context, inboxId, wanted, signal);
  if (!isBehind && found.keyPackages.length === 0) return undefined;
  const added = new Set(found.keyPackages.map(({ leafNode }) => toHex(leafNode.signatureKey)));
  const revoked = acceptsLate ? [] : withoutLeaf(core, before).filter((id) => !state.hasInstallation(id));
  const failedInstallations = [...out.filter((id) => !added.has(id)), ...revoked];
  return {
    proposals: [...found.keyPackages.map(add), ...removals(core, inboxId, (id) => !state.hasInstallation(id))],
    entry: { ...entry, sequenceId, failedInstallations },
  };
}

/**
 * Follows the identity logs of members, of all unless told whose: adds installations they registered and removes those they
 * revoked. Installations that were left out are added where all members accept that. Undefined when nothing changes.
 */
export async function planUpdateInstallations(
  core: GroupCore,
  signal?: AbortSignal,
  inboxIds?: readonly string[],
): Promise<CommitPlan | undefined> {
  const { members } = core.state;
  const proposals: Proposal[] = [];
  const mutations: MembershipMutation[] = [];
  for (const latest of await core.context.directory.latest(inboxIds ?? [...members.keys()], signal)) {
    const entry = members.get(latest.inboxId);
    const change = entry === undefined ? undefined : await followInbox(core, entry, latest, signal);
    if (change === undefined) continue;
    proposals.push(...change.proposals);
    mutations.push({ op: "update", inboxId: latest.inboxId, entry: change.entry });
  }
  return mutations.length === 0 ? undefined : membershipPlan(core, mutations, proposals);
}
