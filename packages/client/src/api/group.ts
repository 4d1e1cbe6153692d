import { toHex } from "@latchkey/mls";
import {
  textCodec,
  type ContentCodec,
  type DisappearingSettings,
  type GroupPermissionSet,
  type PermissionPolicy,
  type RegulatedAction,
} from "@latchkey/xmtp";
import { Apart } from "../apart.ts";
import { updateInstallations } from "../group/update-installations.ts";
import { membersOf } from "./members.ts";
import { GroupInvites } from "./group-invites.ts";
import {
  requireAction,
  requireAddOptions,
  requireDisappearing,
  requireId,
  requireInboxId,
  requireInboxIds,
  requireListOptions,
  requirePolicy,
  requireRemoveOptions,
  requireRole,
  requireCodec,
  requireSendOptions,
  requireText,
} from "./arguments.ts";
import { activeInvite } from "../invite/issue.ts";
import type {
  ExternalInvite,
  ExternalInviteOptions,
  InviteChanges,
  InviteOptions,
  RefreshOptions,
  RotateOptions,
} from "../invite/issue.ts";
import type { Invite } from "../invite/invite.ts";
import { requireCallOptions, type CallOptions, type PublicCalls } from "../public-calls.ts";
import type { GroupStatus } from "../store/records.ts";
import { requireNotRevoked } from "../identity/own-revocation.ts";
import { readOwnInbox } from "../upkeep/follow-identities.ts";
import { readAndSettle } from "../upkeep/after-reading.ts";
import { streamRecords } from "../upkeep/stream.ts";
import { removeMembers, type RemoveOptions } from "../group/remove-members.ts";
import { absentRoles, type AbsentRole, type Role } from "../group/absent-roles.ts";
import { addMembers, type AddOptions } from "../group/add-members.ts";
import type { Addition } from "../group/addition.ts";
import { commitChange } from "../group/commit.ts";
import type { CommitPlan } from "../group/commit-plan.ts";
import { deleteExpired } from "../group/disappearing.ts";
import { forgetGroup } from "../group/forget.ts";
import type { GroupCore } from "../group/group-core.ts";
import { hintsOf, type Hint } from "../group/hints.ts";
import { leaveGroup } from "../group/leave.ts";
import { demote, demoteBeforeRemoval, promote } from "../group/roles.ts";
import { withoutRevoked } from "../group/revoked-messages.ts";
import type { QueuedMessage } from "../store/queued-message.ts";
import { cancelQueued, queuedMessages, type Cancellation } from "../group/queue.ts";
import { sendContent, type SendOptions } from "../group/send.ts";
import { planDisappearing, planPermission, planText, type GroupText } from "../group/settings.ts";
import {
  toMessage,
  toInviteJoin,
  type InviteJoin,
  type Member,
  type Message,
  type MessageGap,
  type Rejection,
  type Removal,
} from "./views.ts";

/**
 * A group of this installation. Getters are local and tell what was synced last; everything else that changes the
 * group talks to the node, and throws the codes of `docs/errors.md`.
 */
export class Group {
  /** The invite of the group. */
  readonly invites: GroupInvites;
  readonly #core: GroupCore;
  readonly #calls: PublicCalls;

  constructor(core: GroupCore) {
    this.invites = new GroupInvites(core);
    this.#core = core;
    this.#calls = core.context.calls;
  }

  /** In hex. */
  get id(): string {
    return this.#calls.now(() => this.#core.id);
  }

  get name(): string | undefined {
    return this.#calls.now(() => this.#core.state.name);
  }

  get description(): string | undefined {
    return this.#calls.now(() => this.#core.state.description);
  }

  get imageUrl(): string | undefined {
    return this.#calls.now(() => this.#core.state.imageUrl);
  }

  /** What applications keep with the group. */
  get appData(): string | undefined {
    return this.#calls.now(() => this.#core.state.appData);
  }

  /** From when on, and how long after they were sent, messages are to disappear; undefined while they stay. */
  get messageDisappearingSettings(): DisappearingSettings | undefined {
    return this.#calls.now(() => this.#core.state.disappearing);
  }

  /** Who may do what; making and unmaking super admins is theirs alone. */
  get permissions(): GroupPermissionSet {
    return this.#calls.now(() => this.#core.state.permissions);
  }

  get epoch(): bigint {
    return this.#calls.now(() => this.#core.mls.epoch);
  }

  /** In hex; equal on two installations exactly when they are in the same epoch of the same history. */
  get epochAuthenticator(): string {
    return this.#calls.now(() => toHex(this.#core.mls.epochAuthenticator));
  }

  /** Tree hash in hex. */
  get treeHash(): string {
    return this.#calls.now(() => toHex(this.#core.mls.treeHash));
  }

  /** False once this installation was removed. */
  get isActive(): boolean {
    return this.#calls.now(() => this.#core.active);
  }

  /** False for a history that was shown until another one of the same id took its place; nothing is read into it. */
  get isCurrent(): boolean {
    return this.#calls.now(() => this.#core.record.role === "shown");
  }

  /** Where this installation stands in the group; see `GroupStatus`. */
  get status(): GroupStatus {
    return this.#calls.now(() => this.#core.record.status);
  }

  /** Leaves of the group: one for each installation of each member. */
  get installationCount(): number {
    return this.#calls.now(() => this.#core.mls.memberCount);
  }

  /** Members by inbox, in ascending order of inbox id. */
  members(): Member[] {
    return this.#calls.now(() => membersOf(this.#core));
  }

  /** As `invites.joins`; it goes with the first release. */
  joins(options?: { readonly after?: bigint }): InviteJoin[] {
    return this.invites.joins(options);
  }

  /**
   * Messages read so far, in the order of the log; with `after` only those behind that position. Those that were to
   * disappear by now are deleted first, and those stamped after the revocation of their sender's installation.
   */
  messages(options: { readonly after?: bigint } = {}): Message[] {
    return this.#calls.now(() => {
      const { after = 0n } = requireListOptions(options, "options");
      deleteExpired(this.#core);
      const rows = this.#core.context.store.messages.listAfter(this.#core.groupId, after);
      return withoutRevoked(this.#core, rows).map(toMessage);
    });
  }

  /** The newest refusals: entries of the log that broke a rule and were passed by. */
  rejections(): Rejection[] {
    return this.#calls.now(() =>
      this.#core.context.store.rejections
        .list(this.#core.groupId)
        .map(({ id, code, rule, message }) => ({ sequenceId: id, code, rule, message })),
    );
  }

  /** What makes it doubtful that this installation follows the group; it refuses nothing. Empty while there is no doubt. */
  hints(): Hint[] {
    return this.#calls.now(() => hintsOf(this.#core));
  }

  /** Stretches of the log that this installation could not read, between two of its memberships. */
  gaps(): MessageGap[] {
    return this.#calls.now(() =>
      this.#core.context.store.gaps
        .list(this.#core.groupId)
        .map(({ fromId, toId }) => ({ afterSequenceId: fromId, untilSequenceId: toId })),
    );
  }

  /** Deletes the group and its messages on this installation, without a word to its members; see `forgetGroup`. */
  forget(options: CallOptions = {}): Promise<void> {
    return this.#calls.run(requireCallOptions, options, ({ signal }) => forgetGroup(this.#core, signal));
  }

  /** Reads what is new, settles what is under way, and sends what is waiting. */
  sync(options: CallOptions = {}): Promise<void> {
    return this.#calls.run(requireCallOptions, options, ({ signal }) => this.#sync(signal));
  }

  async #sync(signal: AbortSignal): Promise<void> {
    const apart = new Apart(signal);
    requireNotRevoked(this.#core.context);
    await apart.run(() => readOwnInbox(this.#core, signal));
    requireNotRevoked(this.#core.context);
    await apart.run(() => readAndSettle(this.#core, signal));
    apart.finish();
  }

  /**
   * Set while reading the group waits for an identity update that a change of it names (IDN-02): the node's time, in
   * nanoseconds since 1970, at which the wait ends at the latest.
   */
  get waitsUntilNs(): bigint | undefined {
    return this.#calls.now(() => {
      const untilNs = this.#core.identityWait?.data["untilNs"];
      return typeof untilNs === "bigint" ? untilNs : undefined;
    });
  }

  /** Sends a text; returns it as it stands in the log. See `sendContent` in `group/send.ts` for failures. */
  send(text: string, options: SendOptions = {}): Promise<Message> {
    return this.#calls.run(requireSendOptions, options, async (checked) =>
      toMessage(await sendContent(this.#core, textCodec, requireText(text, "text"), checked)),
    );
  }

  /** As `send`, for a value of any content type; `decodeContent(codec, message.content)` reads it back. */
  sendContent<T>(codec: ContentCodec<T>, value: T, options: SendOptions = {}): Promise<Message> {
    return this.#calls.run(requireSendOptions, options, async (checked) =>
      toMessage(await sendContent(this.#core, requireCodec(codec, "codec"), value, checked)),
    );
  }

  /** Own messages that are not read back yet, and those that failed; they survive a restart. At most 512. */
  queue(): QueuedMessage[] {
    return this.#calls.now(() => queuedMessages(this.#core));
  }

  /** Takes a message out of the queue; says whether a copy may have left. See `cancelQueued`. */
  cancel(id: string, options: CallOptions = {}): Promise<Cancellation> {
    return this.#calls.run(requireCallOptions, options, ({ signal }) =>
      cancelQueued(this.#core, requireId(id, "id"), signal),
    );
  }

  /** Messages from now on, as they come, until the signal is aborted. */
  stream(options: CallOptions = {}): AsyncGenerator<Message, void, void> {
    const { context, groupId } = this.#core;
    const listAfter = (id: bigint) => context.store.messages.listAfter(groupId, id);
    return this.#calls.stream(options, (signal) => streamRecords(this.#core, listAfter, signal), toMessage);
  }

  /** Joins through invites from now on, as they come, until the signal is aborted. */
  streamJoins(options: CallOptions = {}): AsyncGenerator<InviteJoin, void, void> {
    const { context, groupId } = this.#core;
    const listAfter = (id: bigint) => context.store.admissions.listAfter(groupId, id);
    return this.#calls.stream(options, (signal) => streamRecords(this.#core, listAfter, signal), toInviteJoin);
  }

  /**
   * Adds inboxes with all their installations in one commit. What cannot be added stays out, is named in the result, and
   * keeps nobody else out; see `addMembers` in `group/add-members.ts` for the errors.
   */
  addMembers(inboxIds: readonly string[], options: AddOptions = {}): Promise<Addition> {
    return this.#calls.run(requireAddOptions, options, (checked) =>
      addMembers(this.#core, requireInboxIds(inboxIds, "inboxIds"), checked),
    );
  }

  /** Whom `createGroup` or the last `addMembers` of this client added, and whom not and why; in memory. */
  get lastAddition(): Addition {
    return this.#calls.now(() => this.#core.lastAddition);
  }

  /**
   * Removes inboxes with all their installations; super admins lose that role first, in a commit of its own. An invite in force stays in their hands, as the result says, unless
   * `rotateInvite` renews it: off with the removal, on with a fresh key in a later epoch.
   */
  removeMembers(inboxIds: readonly string[], options: RemoveOptions = {}): Promise<Removal> {
    return this.#calls.run(requireRemoveOptions, options, async (checked) => {
      const ids = requireInboxIds(inboxIds, "inboxIds");
      await demoteBeforeRemoval(this.#core, ids, checked.signal);
      const outcome = await removeMembers(this.#core, ids, checked);
      return { ...outcome, invite: activeInvite(this.#core) };
    });
  }

  /**
   * Adds installations that members registered since they were added, and removes those they revoked. Throws
   * INBOX_UNVERIFIABLE with the members that could not be followed when all others were.
   */
  updateInstallations(options: CallOptions = {}): Promise<void> {
    return this.#calls.run(requireCallOptions, options, ({ signal }) => updateInstallations(this.#core, signal));
  }

  updateName(name: string, options: CallOptions = {}): Promise<void> {
    return this.#updateText("name", name, options);
  }

  updateDescription(description: string, options: CallOptions = {}): Promise<void> {
    return this.#updateText("description", description, options);
  }

  updateImageUrl(imageUrl: string, options: CallOptions = {}): Promise<void> {
    return this.#updateText("imageUrl", imageUrl, options);
  }

  updateAppData(appData: string, options: CallOptions = {}): Promise<void> {
    return this.#updateText("appData", appData, options);
  }

  /** From when on, and how long after they were sent, clients are to delete messages; undefined lets them stay. */
  updateMessageDisappearingSettings(
    settings: DisappearingSettings | undefined,
    options: CallOptions = {},
  ): Promise<void> {
    return this.#calls.run(requireCallOptions, options, ({ signal }) => {
      const checked = requireDisappearing(settings, "settings");
      return this.#commit(() => planDisappearing(this.#core, checked), signal);
    });
  }

  /** Says who may do something from now on. Super admins only. */
  updatePermission(action: RegulatedAction, policy: PermissionPolicy, options: CallOptions = {}): Promise<void> {
    return this.#calls.run(requireCallOptions, options, ({ signal }) => {
      const [checked, allowed] = [requireAction(action, "action"), requirePolicy(policy, "policy")];
      return this.#commit(() => planPermission(this.#core, checked, allowed), signal);
    });
  }

  /**
   * Gives this installation fresh keys in the group: who got hold of the ones before reads nothing from then on (RFC 9420
   * §16.6). Every other change does that as well; call it where there are none for long.
   */
  rotateKeys(options: CallOptions = {}): Promise<void> {
    return this.#calls.run(requireCallOptions, options, ({ signal }) =>
      this.#commit(() => ({ proposals: [] }), signal),
    );
  }

  /** Asks to be taken out of the group; see `leaveGroup` in `group/leave.ts`. */
  leave(options: CallOptions = {}): Promise<void> {
    return this.#calls.run(requireCallOptions, options, ({ signal }) => leaveGroup(this.#core, signal));
  }

  /** Makes a member an admin, or a super admin; see `promote` in `group/roles.ts`. */
  promote(inboxId: string, to: Role, options: CallOptions = {}): Promise<void> {
    return this.#calls.run(requireCallOptions, options, ({ signal }) =>
      promote(this.#core, requireInboxId(inboxId, "inboxId"), requireRole(to, "role"), signal),
    );
  }

  /** Takes a role away; see `demote` in `group/roles.ts`. */
  demote(inboxId: string, from: Role, options: CallOptions = {}): Promise<void> {
    return this.#calls.run(requireCallOptions, options, ({ signal }) =>
      demote(this.#core, requireInboxId(inboxId, "inboxId"), requireRole(from, "role"), signal),
    );
  }

  /** Roles of inboxes that are no members; one that comes back before a super admin's next commit has its role again. */
  absentRoles(): AbsentRole[] {
    return this.#calls.now(() => absentRoles(this.#core));
  }

  /** As `invites.create`; it goes with the first release. */
  createInvite(options?: InviteOptions): Promise<Invite> {
    return this.invites.create(options);
  }

  /** As `invites.rotate`; it goes with the first release. */
  rotateInvite(options?: RotateOptions): Promise<Invite> {
    return this.invites.rotate(options);
  }

  /** As `invites.change`; it goes with the first release. */
  changeInvite(changes: InviteChanges): Promise<Invite> {
    return this.invites.change(changes);
  }

  /** As `invites.revoke`; it goes with the first release. */
  revokeInvite(options?: CallOptions): Promise<void> {
    return this.invites.revoke(options);
  }

  /** As `invites.refresh`; it goes with the first release. */
  refreshInvite(options?: RefreshOptions): Promise<void> {
    return this.invites.refresh(options);
  }

  /** As `invites.current`; it goes with the first release. */
  get invite(): Invite | undefined {
    return this.invites.current;
  }

  /** As `invites.load`; it goes with the first release. */
  loadInvite(options?: CallOptions): Promise<Invite | undefined> {
    return this.invites.load(options);
  }

  /** As `invites.export`; it goes with the first release. */
  createExternalInvite(options?: ExternalInviteOptions): Promise<ExternalInvite> {
    return this.invites.export(options);
  }

  #updateText(kind: GroupText, text: string, options: CallOptions): Promise<void> {
    return this.#calls.run(requireCallOptions, options, ({ signal }) => {
      const checked = requireText(text, kind);
      return this.#commit(() => planText(this.#core, kind, checked), signal);
    });
  }

  /** Commits a plan that needs nothing from the network. */
  async #commit(plan: () => CommitPlan | undefined, signal: AbortSignal): Promise<void> {
    await commitChange(this.#core, async () => plan(), signal);
  }
}
