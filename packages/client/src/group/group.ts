import { toHex } from "@latchkey/mls";
import {
  followsExternalCommits,
  permissionOf,
  type DisappearingSettings,
  type GroupPermissionSet,
  type MembershipEntry,
  type Permission,
  type PermissionPolicy,
  type RegulatedAction,
} from "@latchkey/xmtp";
import { Apart } from "../apart.ts";
import { walled } from "../errors.ts";
import {
  activeInvite,
  changeInvite,
  createExternalInvite,
  createInvite,
  refreshInvite,
  revokeInvite,
  rotateInvite,
  type ExternalInvite,
  type InviteChanges,
  type InviteOptions,
} from "../invite/issue.ts";
import type { Invite } from "../invite/invite.ts";
import { learnLinkBase } from "../invite/link-base.ts";
import { removeMembers, type RemovalOutcome, type RemoveOptions } from "./remove-members.ts";
import type { AdmissionRecord, GroupStatus, MessageRecord } from "../store/records.ts";
import { absentRoles, type AbsentRole, type Role } from "./absent-roles.ts";
import { addMembers, type AddOptions } from "./add-members.ts";
import type { Addition } from "./addition.ts";
import { commitChange, type CommitPlan } from "./commit.ts";
import { deleteExpired } from "./disappearing.ts";
import { forgetGroup } from "./forget.ts";
import type { GroupCore } from "./group-core.ts";
import { leftOutOf, type LeftOutInstallation } from "./installations.ts";
import { hintsOf, type Hint } from "./hints.ts";
import { leaveGroup } from "./leave.ts";
import { inboxUnverifiable } from "../identity/directory.ts";
import { planUpdateInstallations } from "./membership.ts";
import { readAndSettle } from "../upkeep/after-reading.ts";
import { senderOf } from "./message.ts";
import { demote, demoteBeforeRemoval, promote } from "./roles.ts";
import type { QueuedMessage } from "../store/queued-message.ts";
import { cancelQueued, queuedMessages, type Cancellation } from "./queue.ts";
import { sendText, type SendOptions } from "./send.ts";
import { planDisappearing, planPermission, planText } from "./settings.ts";
import { streamRecords } from "../upkeep/stream.ts";

/** A message of a group as an application sees it. */
export interface Message {
  /** In hex; the same on every installation. */
  readonly id: string;
  /** Position in the group's log. */
  readonly sequenceId: bigint;
  readonly senderInboxId: string;
  readonly senderInstallationId: string;
  /** The node's clock. */
  readonly sentAtNs: bigint;
  /** As in `xmtp.org/text:1.0`. */
  readonly contentType: string;
  /** The text of a text message; what stands in for it in other messages, if their sender gave something. */
  readonly text: string | undefined;
  /** Serialized EncodedContent. */
  readonly content: Uint8Array;
}

/** A member of a group. */
export interface Member {
  readonly inboxId: string;
  /** Ids of the installations that are in the group. */
  readonly installations: readonly string[];
  /** Ids of those that could not be added. */
  readonly failedInstallations: readonly string[];
  /** The same with what is known about each. */
  readonly leftOut: readonly LeftOutInstallation[];
  readonly permission: Permission;
  /** True for those who came in by an invite. */
  readonly joinedByInvite: boolean;
  /** Slot id in hex of the invite by which they came in, from the group's state. */
  readonly admittedVia: string | undefined;
  /** The node's clock; undefined when this installation was not there yet to see it. */
  readonly admittedAtNs: bigint | undefined;
  /** False when one of its programs cannot follow joins by invite. */
  readonly followsInvites: boolean;
}

/** Somebody joined through an invite. */
export interface InviteJoin {
  /** Position in the group's log. */
  readonly sequenceId: bigint;
  readonly inboxId: string;
  /** Slot id in hex of the invite. */
  readonly admittedVia: string;
  /** The node's clock. */
  readonly admittedAtNs: bigint;
}

/** An entry of the log that was refused for good. */
export interface Rejection {
  readonly sequenceId: bigint;
  readonly code: string;
  readonly rule: string | undefined;
  readonly message: string;
}

/** A stretch of the log that could not be read. */
export interface MessageGap {
  readonly afterSequenceId: bigint;
  readonly untilSequenceId: bigint;
}

/** What a removal did, and what it could not take away. */
export interface Removal extends RemovalOutcome {
  /** The invite in force afterwards; a new one when it was renewed. */
  readonly invite: Invite | undefined;
}

interface CallOptions {
  readonly signal?: AbortSignal;
}

function shown(record: MessageRecord): Message {
  const { id, messageId, senderInboxId, senderInstallationId, sentAtNs, contentType, text, content } = record;
  return { id: messageId, sequenceId: id, senderInboxId, senderInstallationId, sentAtNs, contentType, text, content };
}

function shownJoin({ id, inboxId, externalGroupId, admittedAtNs }: AdmissionRecord): InviteJoin {
  return { sequenceId: id, inboxId, admittedVia: toHex(externalGroupId), admittedAtNs };
}

/** How a member came in: by which invite the group's state says, and when, if that was seen. */
function admissionOf({ admittedViaExternalGroupId: tag }: MembershipEntry, seen: InviteJoin | undefined) {
  const admittedVia = tag.length === 0 ? undefined : toHex(tag);
  const admittedAtNs = seen?.admittedVia === admittedVia ? seen?.admittedAtNs : undefined;
  return { joinedByInvite: admittedVia !== undefined, admittedVia, admittedAtNs };
}

/**
 * A group of this installation. Getters are local and tell what was synced last; everything else that changes the
 * group talks to the node, and throws the codes of `docs/errors.md`.
 */
export class Group {
  readonly #core: GroupCore;

  constructor(core: GroupCore) {
    this.#core = core;
  }

  /** In hex. */
  get id(): string {
    return this.#core.id;
  }

  get name(): string | undefined {
    return this.#core.state.name;
  }

  get description(): string | undefined {
    return this.#core.state.description;
  }

  get imageUrl(): string | undefined {
    return this.#core.state.imageUrl;
  }

  /** What applications keep with the group. */
  get appData(): string | undefined {
    return this.#core.state.appData;
  }

  /** From when on, and how long after they were sent, messages are to disappear; undefined while they stay. */
  get messageDisappearingSettings(): DisappearingSettings | undefined {
    return this.#core.state.disappearing;
  }

  /** Who may do what; making and unmaking super admins is theirs alone. */
  get permissions(): GroupPermissionSet {
    return this.#core.state.permissions;
  }

  get epoch(): bigint {
    return this.#core.mls.epoch;
  }

  /** In hex; equal on two installations exactly when they are in the same epoch of the same history. */
  get epochAuthenticator(): string {
    return toHex(this.#core.mls.epochAuthenticator);
  }

  /** Tree hash in hex. */
  get treeHash(): string {
    return toHex(this.#core.mls.treeHash);
  }

  /** False once this installation was removed. */
  get isActive(): boolean {
    return this.#core.active;
  }

  /** False for a history that was shown until another one of the same id took its place; nothing is read into it. */
  get isCurrent(): boolean {
    return this.#core.record.role === "shown";
  }

  /** Where this installation stands in the group; see `GroupStatus`. */
  get status(): GroupStatus {
    return this.#core.record.status;
  }

  /** Leaves of the group: one for each installation of each member. */
  get installationCount(): number {
    return this.#core.mls.memberCount;
  }

  /** Members by inbox, in ascending order of inbox id. */
  members(): Member[] {
    const { state } = this.#core;
    const seen = new Map(this.joins().map((join) => [join.inboxId, join]));
    const leaves = new Map<string, string[]>();
    const behind = new Set<string>();
    for (const { leafNode } of this.#core.mls.members()) {
      const { inboxId, installationId } = senderOf(leafNode);
      leaves.set(inboxId, [...(leaves.get(inboxId) ?? []), installationId]);
      if (!followsExternalCommits(leafNode)) behind.add(inboxId);
    }
    return [...state.members].map(([inboxId, entry]) => ({
      ...admissionOf(entry, seen.get(inboxId)),
      inboxId,
      installations: leaves.get(inboxId) ?? [],
      ...leftOutOf(this.#core, inboxId, entry),
      permission: permissionOf(state, inboxId),
      followsInvites: !behind.has(inboxId),
    }));
  }

  /** Joins through invites that this installation has seen, in the order of the log. */
  joins(options: { readonly after?: bigint } = {}): InviteJoin[] {
    return this.#core.context.store.admissions.listAfter(this.#core.groupId, options.after ?? 0n).map(shownJoin);
  }

  /**
   * Messages read so far, in the order of the log; with `after` only those behind that position. Those that were to
   * disappear by now are deleted first.
   */
  messages(options: { readonly after?: bigint } = {}): Message[] {
    deleteExpired(this.#core);
    return this.#core.context.store.messages.listAfter(this.#core.groupId, options.after ?? 0n).map(shown);
  }

  /** The newest refusals: entries of the log that broke a rule and were passed by. */
  rejections(): Rejection[] {
    return this.#core.context.store.rejections
      .list(this.#core.groupId)
      .map(({ id, code, rule, message }) => ({ sequenceId: id, code, rule, message }));
  }

  /** What makes it doubtful that this installation follows the group; it refuses nothing. Empty while there is no doubt. */
  hints(): Hint[] {
    return hintsOf(this.#core);
  }

  /** Stretches of the log that this installation could not read, between two of its memberships. */
  gaps(): MessageGap[] {
    return this.#core.context.store.gaps
      .list(this.#core.groupId)
      .map(({ fromId, toId }) => ({ afterSequenceId: fromId, untilSequenceId: toId }));
  }

  /** Deletes the group and its messages on this installation, without a word to its members; see `forgetGroup`. */
  forget(options: CallOptions = {}): Promise<void> {
    return forgetGroup(this.#core, options.signal);
  }

  /** Reads what is new, settles what is under way, and sends what is waiting. */
  async sync(options: CallOptions = {}): Promise<void> {
    const { signal } = options;
    const apart = new Apart(signal);
    await apart.run(() => readAndSettle(this.#core, signal));
    apart.finish();
  }

  /**
   * Set while reading the group waits for an identity update that a change of it names (IDN-02): the node's time, in
   * nanoseconds since 1970, at which the wait ends at the latest.
   */
  get waitsUntilNs(): bigint | undefined {
    const untilNs = this.#core.identityWait?.data["untilNs"];
    return typeof untilNs === "bigint" ? untilNs : undefined;
  }

  /** Sends a text; returns it as it stands in the log. See `sendText` for what a failure leaves behind. */
  async send(text: string, options: SendOptions = {}): Promise<Message> {
    return shown(await walled(() => sendText(this.#core, text, options), options.signal));
  }

  /** Own messages that are not read back yet, and those that failed; they survive a restart. At most 512. */
  queue(): QueuedMessage[] {
    return queuedMessages(this.#core);
  }

  /** Takes a message out of the queue; says whether a copy may have left. See `cancelQueued`. */
  cancel(id: string, options: CallOptions = {}): Promise<Cancellation> {
    return cancelQueued(this.#core, id, options.signal);
  }

  /** Messages from now on, as they come, until the signal is aborted. */
  async *stream(options: CallOptions = {}): AsyncGenerator<Message, void, void> {
    const { context, groupId } = this.#core;
    const listAfter = (id: bigint) => context.store.messages.listAfter(groupId, id);
    for await (const record of streamRecords(this.#core, listAfter, options.signal)) yield shown(record);
  }

  /** Joins through invites from now on, as they come, until the signal is aborted. */
  async *streamJoins(options: CallOptions = {}): AsyncGenerator<InviteJoin, void, void> {
    const { context, groupId } = this.#core;
    const listAfter = (id: bigint) => context.store.admissions.listAfter(groupId, id);
    for await (const record of streamRecords(this.#core, listAfter, options.signal)) yield shownJoin(record);
  }

  /**
   * Adds inboxes with all their installations in one commit. What cannot be added stays out, is named in the result, and
   * keeps nobody else out; see `addMembers` in `group/add-members.ts` for the errors.
   */
  addMembers(inboxIds: readonly string[], options: AddOptions = {}): Promise<Addition> {
    return addMembers(this.#core, inboxIds, options);
  }

  /** Whom `createGroup` or the last `addMembers` of this client added, and whom not and why; in memory. */
  get lastAddition(): Addition {
    return this.#core.lastAddition;
  }

  /**
   * Removes inboxes with all their installations; super admins lose that role first, in a commit of its own. An invite in force stays in their hands, as the result says, unless
   * `rotateInvite` renews it: off with the removal, on with a fresh key in a later epoch.
   */
  async removeMembers(inboxIds: readonly string[], options: RemoveOptions = {}): Promise<Removal> {
    await demoteBeforeRemoval(this.#core, inboxIds, options.signal);
    const outcome = await removeMembers(this.#core, inboxIds, options);
    return { ...outcome, invite: activeInvite(this.#core) };
  }

  /**
   * Adds installations that members registered since they were added, and removes those they revoked. Throws
   * INBOX_UNVERIFIABLE with the members that could not be followed when all others were.
   */
  async updateInstallations({ signal }: CallOptions = {}): Promise<void> {
    const unverifiable = new Set<string>();
    const plan = () => planUpdateInstallations(this.#core, signal, undefined, unverifiable);
    await commitChange(this.#core, plan, signal);
    if (unverifiable.size > 0) throw inboxUnverifiable([...unverifiable]);
  }

  async updateName(name: string, options: CallOptions = {}): Promise<void> {
    await this.#commit(() => planText(this.#core, "name", name), options);
  }

  async updateDescription(description: string, options: CallOptions = {}): Promise<void> {
    await this.#commit(() => planText(this.#core, "description", description), options);
  }

  async updateImageUrl(imageUrl: string, options: CallOptions = {}): Promise<void> {
    await this.#commit(() => planText(this.#core, "imageUrl", imageUrl), options);
  }

  async updateAppData(appData: string, options: CallOptions = {}): Promise<void> {
    await this.#commit(() => planText(this.#core, "appData", appData), options);
  }

  /** From when on, and how long after they were sent, clients are to delete messages; undefined lets them stay. */
  async updateMessageDisappearingSettings(
    settings: DisappearingSettings | undefined,
    options: CallOptions = {},
  ): Promise<void> {
    await this.#commit(() => planDisappearing(this.#core, settings), options);
  }

  /** Says who may do something from now on. Super admins only. */
  async updatePermission(action: RegulatedAction, policy: PermissionPolicy, options: CallOptions = {}): Promise<void> {
    await this.#commit(() => planPermission(this.#core, action, policy), options);
  }

  /**
   * Gives this installation fresh keys in the group: who got hold of the ones before reads nothing from then on (RFC 9420
   * §16.6). Every other change does that as well; call it where there are none for long.
   */
  async rotateKeys(options: CallOptions = {}): Promise<void> {
    await this.#commit(() => ({ proposals: [] }), options);
  }

  /** Asks to be taken out of the group; see `leaveGroup` in `group/leave.ts`. */
  leave(options: CallOptions = {}): Promise<void> {
    return leaveGroup(this.#core, options.signal);
  }

  /** Makes a member an admin, or a super admin; see `promote` in `group/roles.ts`. */
  promote(inboxId: string, to: Role, options: CallOptions = {}): Promise<void> {
    return promote(this.#core, inboxId, to, options.signal);
  }

  /** Takes a role away; see `demote` in `group/roles.ts`. */
  demote(inboxId: string, from: Role, options: CallOptions = {}): Promise<void> {
    return demote(this.#core, inboxId, from, options.signal);
  }

  /** Roles of inboxes that are no members; one that comes back before a super admin's next commit has its role again. */
  absentRoles(): AbsentRole[] {
    return absentRoles(this.#core);
  }

  /** Lets people in by invite: a fresh key and slot, in place of an earlier invite. Super admins only. */
  createInvite(options: InviteOptions = {}): Promise<Invite> {
    return createInvite(this.#core, options);
  }

  /** Replaces the invite's key, with `slot` also its slot. Super admins only. */
  rotateInvite(options: CallOptions & { readonly slot?: boolean } = {}): Promise<Invite> {
    return rotateInvite(this.#core, options);
  }

  /** Changes what the invite allows; links given out go on working under the new limits. Super admins only. */
  changeInvite(changes: InviteChanges): Promise<Invite> {
    return changeInvite(this.#core, changes);
  }

  /** Ends joining by invite. Super admins only. */
  revokeInvite(options: CallOptions = {}): Promise<void> {
    return revokeInvite(this.#core, options.signal);
  }

  /**
   * Puts the present epoch into the invite's slots where it is missing; any member may. With `deep` what is there is
   * downloaded and verified first: do that when somebody reports that the invite does not work.
   */
  refreshInvite(options: CallOptions & { readonly deep?: boolean } = {}): Promise<void> {
    return refreshInvite(this.#core, options);
  }

  /** The invite in force, as far as this installation knows. */
  get invite(): Invite | undefined {
    return activeInvite(this.#core);
  }

  /** As `invite`, after its service was asked, within three seconds, where links lead. Never fails for that. */
  async loadInvite(options: { readonly signal?: AbortSignal } = {}): Promise<Invite | undefined> {
    await learnLinkBase(this.#core.context, this.invite?.serviceUrl, options.signal);
    return this.invite;
  }

  /** The invite in force as payload and blob, for applications that carry the bytes themselves; uploads nothing. */
  createExternalInvite(options: Parameters<typeof createExternalInvite>[1] = {}): Promise<ExternalInvite> {
    return createExternalInvite(this.#core, options);
  }

  /** Commits a plan that needs nothing from the network. */
  async #commit(plan: () => CommitPlan | undefined, { signal }: CallOptions): Promise<void> {
    await commitChange(this.#core, async () => plan(), signal);
  }
}
