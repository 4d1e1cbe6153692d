import { MLS_LIMITS, type KeyPackage, type Proposal } from "@latchkey/mls";
import { COMPONENT, membershipDelta, XMTP_LIMITS, type MembershipEntry, type MembershipMutation } from "@latchkey/xmtp";
import { clientError } from "../errors.ts";
import type { UnusableInstallation } from "../identity/key-package-faults.ts";
import { fetchKeyPackages, type FetchedKeyPackages, type WantedInstallations } from "../identity/key-packages.ts";
import { NOBODY_ADDED, type Addition } from "./addition.ts";
import { unusableError, usableIn } from "./adds.ts";
import { planCommit } from "./plan-commit.ts";
import { commitChange } from "./commit.ts";
import type { CommitPlan } from "./commit-plan.ts";
import type { GroupCore } from "./group-core.ts";
import { addTargetOf } from "./installations.ts";

const NO_TAG = new Uint8Array(0);

/** How inboxes are added. */
export interface AddOptions {
  /** Throw KEY_PACKAGE_MISSING when any installation cannot be added, instead of adding the others. */
  readonly allOrNothing?: boolean;
  /** Add programs that cannot follow joins by invite although the group has an invite: they stay behind at the next join. */
  readonly force?: boolean;
  readonly signal?: AbortSignal;
}

interface PlannedAddition {
  readonly plan: CommitPlan | undefined;
  readonly addition: Addition;
}

/** The proposal that adds the owner of a key package. */
export function addOf(keyPackage: KeyPackage): Proposal {
  return { kind: "add", keyPackage };
}

function idsOf(unusable: readonly UnusableInstallation[]): string[] {
  return unusable.map(({ installationId }) => installationId);
}

/** The bounds that every member applies to a group and to one commit; see `checkCommitSize` of `@latchkey/xmtp`. */
function requireRoom(present: number, joining: number): void {
  const { maxLeaves } = MLS_LIMITS;
  const { maxCommitInboxes } = XMTP_LIMITS;
  if (joining > maxCommitInboxes) {
    throw clientError("NOT_PERMITTED", `one commit adds at most ${maxCommitInboxes} members; add them in parts`);
  }
  if (present + joining > maxLeaves) throw clientError("NOT_PERMITTED", `a group has at most ${maxLeaves} members`);
}

/** Inboxes that are no members yet, each once; throws NOT_PERMITTED. */
function joiningInboxes(core: GroupCore, inboxIds: readonly string[]): string[] {
  const { members } = core.state;
  const joining = [...new Set(inboxIds)].filter((inboxId) => !members.has(inboxId));
  requireRoom(members.size, joining.length);
  return joining;
}

/** Plans the commit that adds inboxes and own devices whose key packages were tried. */
function planAdds(
  core: GroupCore,
  joining: readonly (FetchedKeyPackages & { readonly sequenceId: bigint })[],
  own: { readonly entry: MembershipEntry; readonly found: FetchedKeyPackages } | undefined,
): CommitPlan | undefined {
  const mutations = joining.map(({ inboxId, sequenceId, unusable }): MembershipMutation => {
    const entry = { sequenceId, failedInstallations: idsOf(unusable), admittedViaExternalGroupId: NO_TAG };
    return { op: "insert", inboxId, entry };
  });
  if (own !== undefined && own.found.unusable.length > 0) {
    const entry = { ...own.entry, failedInstallations: idsOf(own.found.unusable) };
    mutations.push({ op: "update", inboxId: own.found.inboxId, entry });
  }
  const keyPackages = [...joining, ...(own === undefined ? [] : [own.found])].flatMap((found) => found.keyPackages);
  if (mutations.length === 0 && keyPackages.length === 0) return undefined;
  const payloads =
    mutations.length === 0 ? [] : [{ componentId: COMPONENT.groupMembership, update: membershipDelta(mutations) }];
  return planCommit(core, payloads, keyPackages.map(addOf));
}

/** Own installations that a new group is to have beside the creating one. */
async function siblings(core: GroupCore, signal?: AbortSignal): Promise<WantedInstallations> {
  const { own, directory } = core.context;
  const { state } = await directory.latestOf(own.inboxId, signal);
  const installationIds = state.installations().filter((id) => id !== own.installationId);
  return { inboxId: own.inboxId, installationIds };
}

async function plan(core: GroupCore, inboxIds: readonly string[], options: AddOptions & { withSiblings?: boolean }) {
  const { signal, allOrNothing = false, force = false, withSiblings = false } = options;
  const { context } = core;
  const latest = await context.directory.latest(joiningInboxes(core, inboxIds), signal);
  const wanted = latest.map(({ inboxId, state }) => ({ inboxId, installationIds: state.installations() }));
  const entry = withSiblings ? core.state.members.get(context.own.inboxId) : undefined;
  const mine = entry === undefined ? [] : [await siblings(core, signal)];
  const fetched = await fetchKeyPackages(context, [...mine, ...wanted], signal);
  const tried = usableIn(addTargetOf(core, { force }), fetched);
  const [ownFound, others] = entry === undefined ? [undefined, tried] : [tried[0], tried.slice(1)];
  const faulty = tried.filter(({ unusable }) => unusable.length > 0);
  context.keyPackageFaults.note(
    core.groupId,
    faulty.flatMap(({ unusable }) => unusable),
  );
  const notAdded = others.filter(({ keyPackages }) => keyPackages.length === 0);
  if (notAdded.length > 0 && notAdded.length === others.length) {
    throw unusableError("none of the inboxes has an installation that can be added", notAdded);
  }
  if (allOrNothing && faulty.length + notAdded.length > 0) {
    throw unusableError("installations cannot be added", [...new Set([...faulty, ...notAdded])]);
  }
  const joining = others.flatMap((found, index) => {
    const at = latest[index];
    return at === undefined || found.keyPackages.length === 0 ? [] : [{ ...found, sequenceId: at.sequenceId }];
  });
  const own = entry === undefined || ownFound === undefined ? undefined : { entry, found: ownFound };
  const addition: Addition = {
    added: joining.map(({ inboxId }) => inboxId),
    notAdded,
    leftOut: joining.filter(({ unusable }) => unusable.length > 0),
  };
  return { plan: planAdds(core, joining, own), addition };
}

async function addBy(
  core: GroupCore,
  planned: () => Promise<PlannedAddition>,
  signal?: AbortSignal,
): Promise<Addition> {
  let addition = NOBODY_ADDED;
  await commitChange(
    core,
    async () => {
      const next = await planned();
      // An earlier attempt may be what is merged in the end.
      if (next.plan !== undefined) addition = next.addition;
      return next.plan;
    },
    signal,
  );
  core.lastAddition = addition;
  return addition;
}

/**
 * Adds inboxes with all their installations in one commit. Installations whose key packages cannot be used here stay out
 * and are listed as failed; an inbox that has no other is not added and keeps nobody else out.
 *
 * @throws INBOX_UNKNOWN; KEY_PACKAGE_MISSING when none of the inboxes can be added, and with `allOrNothing` when one
 * installation cannot; NOT_PERMITTED for a group that is full; what `commitChange` throws.
 */
export function addMembers(core: GroupCore, inboxIds: readonly string[], options: AddOptions = {}): Promise<Addition> {
  return addBy(core, () => plan(core, inboxIds, options), options.signal);
}

/** As `addMembers`, for the first commit of a new group: the creator's other installations come along. */
export function addFirstMembers(
  core: GroupCore,
  inboxIds: readonly string[],
  options: AddOptions = {},
): Promise<Addition> {
  return addBy(core, () => plan(core, inboxIds, { ...options, withSiblings: true }), options.signal);
}
