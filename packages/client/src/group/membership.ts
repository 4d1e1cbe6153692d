import type { KeyPackage, Proposal } from "@latchkey/mls";
import { COMPONENT, isInboxId, membershipDelta, type MembershipMutation } from "@latchkey/xmtp";
import { clientError, shortId } from "../errors.ts";
import { fetchKeyPackages } from "../identity/key-packages.ts";
import { CLIENT_LIMITS } from "../limits.ts";
import { planOf, type ComponentPayload } from "./changes.ts";
import type { CommitPlan } from "./commit.ts";
import type { GroupCore } from "./group-core.ts";
import { senderOf } from "./message.ts";

const NO_TAG = new Uint8Array(0);

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
  return [...core.mls.members()].flatMap(({ leafIndex, leafNode }): Proposal[] => {
    const sender = senderOf(leafNode);
    return sender.inboxId === inboxId && include(sender.installationId) ? [{ kind: "remove", removed: leafIndex }] : [];
  });
}

/**
 * Removes inboxes with all their leaves, and changes further components in the same commit; undefined when none of them
 * is a member. Throws NOT_PERMITTED for oneself.
 */
export function planRemoveMembers(
  core: GroupCore,
  inboxIds: readonly string[],
  further: readonly ComponentPayload[] = [],
): CommitPlan | undefined {
  const { members } = core.state;
  const leaving = [...new Set(inboxIds)].filter((inboxId) => members.has(inboxId));
  if (leaving.includes(core.context.own.inboxId)) {
    throw clientError("NOT_PERMITTED", "members cannot remove themselves; ask an admin of the group");
  }
  if (leaving.length === 0) return undefined;
  const update = membershipDelta(leaving.map((inboxId): MembershipMutation => ({ op: "delete", inboxId })));
  return planOf(
    core,
    [{ componentId: COMPONENT.groupMembership, update }, ...further],
    leaving.flatMap((inboxId) => removals(core, inboxId, () => true)),
  );
}

/**
 * Follows the identity logs of members, of all unless told whose: adds installations they registered, and those that could
 * not be added before, and removes those they revoked. Undefined when there is nothing to change.
 */
export async function planUpdateInstallations(
  core: GroupCore,
  signal?: AbortSignal,
  inboxIds?: readonly string[],
): Promise<CommitPlan | undefined> {
  const { members } = core.state;
  const leaves = new Map([...core.mls.members()].map(({ leafNode }) => [senderOf(leafNode).installationId, leafNode]));
  const proposals: Proposal[] = [];
  const mutations: MembershipMutation[] = [];
  for (const latest of await core.context.directory.latest(inboxIds ?? [...members.keys()], signal)) {
    const { inboxId, sequenceId, state } = latest;
    const entry = members.get(inboxId);
    const isBehind = entry !== undefined && entry.sequenceId < sequenceId;
    if (entry === undefined || (!isBehind && entry.failedInstallations.length === 0)) continue;
    const fresh = state.installations().filter((id) => !leaves.has(id));
    const found = await fetchKeyPackages(core.context, inboxId, fresh, signal);
    if (!isBehind && found.keyPackages.length === 0) continue;
    proposals.push(...found.keyPackages.map(add), ...removals(core, inboxId, (id) => !state.hasInstallation(id)));
    mutations.push({ op: "update", inboxId, entry: { ...entry, sequenceId, failedInstallations: found.missing } });
  }
  return mutations.length === 0 ? undefined : membershipPlan(core, mutations, proposals);
}
