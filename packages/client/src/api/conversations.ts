import { fromHex, MlsGroup, toHex } from "@latchkey/mls";
import { installationLeaf, newGroupExtensions, XMTP_CIPHER_SUITE } from "@latchkey/xmtp";
import { Apart } from "../apart.ts";
import {
  requireBlobs,
  requireGroupOptions,
  requireId,
  requireInboxIds,
  requireJoinOptions,
  requirePayload,
} from "./arguments.ts";
import type { GroupOptions } from "./group-options.ts";
import { requireInvite } from "../invite/require-invite.ts";
import { requireCallOptions } from "../public-calls.ts";
import type { GroupsContext } from "../group/group-registry.ts";
import { addFirstMembers } from "../group/add-members.ts";
import { Group } from "./group.ts";
import type { GroupCore } from "../group/group-core.ts";
import { newGroupRecord } from "../group/group-record.ts";
import { tellFailed } from "../group/queue.ts";
import { requireShortText } from "../group/settings.ts";
import { syncWelcomes } from "../group/welcomes.ts";
import { keepKeyPackage } from "../identity/key-packages.ts";
import { joinByBlobs } from "../join/join.ts";
import { joinByInvite } from "../join/kinds.ts";
import type { JoinOptions } from "../join/options.ts";
import { previewInvite, type InvitePreview } from "../join/preview.ts";
import { listPendingJoins, resumePendingJoins, type PendingJoin } from "../join/resume.ts";
import type { CallOptions, PublicCalls } from "../public-calls.ts";
import type { GroupStatus } from "../store/records.ts";
import { chooseHistory, listConflicts, settleConflicts, type Conflict } from "../upkeep/conflicts.ts";
import { readAndSettleAll } from "../upkeep/after-reading.ts";
import { requireNotRevoked } from "../identity/own-revocation.ts";
import { readOwnInbox } from "../upkeep/follow-identities.ts";

/** Bytes of a group id: XMTP's are random UUIDs. */
const GROUP_ID_BYTES = 16;

/** A group that was joined by invite. */
export interface JoinedGroup {
  readonly group: Group;
  /** `confirmed` once a member has shown that it is in the same epoch. */
  readonly status: GroupStatus;
}

/** A group that is of a form this version cannot open. */
export interface UnsupportedGroup {
  /** In hex. */
  readonly id: string;
  /** The node's clock. */
  readonly addedAtNs: bigint;
}

/** The groups of this installation. */
export class Conversations {
  readonly #context: GroupsContext;
  readonly #calls: PublicCalls;

  constructor(context: GroupsContext) {
    this.#context = context;
    this.#calls = context.calls;
  }

  /** Groups on disk, also those this installation was removed from. */
  list(): Group[] {
    return this.#calls.now(() => this.#context.groups.listed().map((core) => new Group(core)));
  }

  /**
   * Group ids that several histories claim: anybody can make a group of any id. Of a history that was never shown only
   * signer, size and time are told. Reads at most 200 envelopes of their logs.
   */
  conflicts(options: CallOptions = {}): Promise<Conflict[]> {
    return this.#calls.run(requireCallOptions, options, ({ signal }) => listConflicts(this.#context, signal));
  }

  /**
   * Says which history of a group id is the right one. What was shown before stays as an entry of its own if it has
   * messages, and can be chosen again. Throws GROUP_CONFLICT for an id that `conflicts` does not return.
   */
  choose(claimId: string, options: CallOptions = {}): Promise<Group> {
    return this.#calls.run(requireCallOptions, options, async ({ signal }) => {
      const id = requireId(claimId, "claimId");
      return new Group(await chooseHistory(this.#context, id, signal));
    });
  }

  /** The group with that id in hex, in upper or lower case; undefined for any other text. */
  get(groupId: string): Group | undefined {
    return this.#calls.now(() => this.#get(requireId(groupId, "groupId")));
  }

  #get(groupId: string): Group | undefined {
    if (!/^([0-9a-f]{2})+$/i.test(groupId)) return undefined;
    const core = this.#context.groups.get(fromHex(groupId.toLowerCase()));
    if (core?.record.role === "claim" || core?.record.role === "kept") return undefined;
    return core === undefined ? undefined : new Group(core);
  }

  /**
   * Opens new groups, takes up interrupted joins, reads every group, and sees to the key package; returns the groups that
   * are new. A Welcome, a join or a group that fails keeps no other from being served; the first error is thrown at the end.
   */
  sync(options: CallOptions = {}): Promise<Group[]> {
    return this.#calls.run(requireCallOptions, options, ({ signal }) => this.#sync(signal));
  }

  async #sync(signal: AbortSignal): Promise<Group[]> {
    const apart = new Apart(signal);
    requireNotRevoked(this.#context);
    await apart.run(() => readOwnInbox({ context: this.#context }, signal));
    requireNotRevoked(this.#context);
    const joined = await syncWelcomes(this.#context, apart, signal);
    await apart.run(async () => joined.push(...(await resumePendingJoins(this.#context, signal))));
    await readAndSettleAll(this.#context, this.#context.groups.all(), apart, signal);
    await apart.run(() => settleConflicts(this.#context, signal));
    await apart.run(() => keepKeyPackage(this.#context, signal));
    for (const core of this.#context.groups.listed()) tellFailed(core);
    apart.finish();
    return joined.map((core) => new Group(core));
  }

  /**
   * Creates a group with these inboxes and all their installations; the creator's other installations come along. Whoever
   * cannot be added keeps nobody else out: `lastAddition` of the group names them.
   *
   * @throws INBOX_UNKNOWN, KEY_PACKAGE_MISSING when none of the inboxes can be added, and errors of the network: there is no group then, unless its first
   * commit may have been sent; that one is settled by the next sync.
   */
  createGroup(inboxIds: readonly string[] = [], options: GroupOptions = {}): Promise<Group> {
    return this.#calls.run(requireGroupOptions, options, (checked) =>
      this.#createGroup(requireInboxIds(inboxIds, "inboxIds"), checked),
    );
  }

  async #createGroup(inboxIds: readonly string[], options: GroupOptions): Promise<Group> {
    requireNotRevoked(this.#context);
    const { signal, allOrNothing = false, ...state } = options;
    for (const kind of ["name", "description", "imageUrl"] as const) requireShortText(kind, state[kind] ?? "");
    const core = await this.#create(state, signal);
    try {
      await addFirstMembers(core, inboxIds, { allOrNothing, ...(signal && { signal }) });
      // Nobody came along, so that there was no commit to write the group with.
      if (!core.isWritten) core.step({});
    } catch (error) {
      // Nothing has left this installation: a group that was never shared goes as it came.
      if (core.mls.epoch === 0n && core.pendingCommit === undefined) core.delete();
      throw error;
    }
    return new Group(core);
  }

  async #create(
    options: Omit<GroupOptions, "signal" | "allOrNothing">,
    signal: AbortSignal | undefined,
  ): Promise<GroupCore> {
    const context = this.#context;
    const { inboxId } = context.own;
    const { sequenceId: creatorSequenceId } = await context.directory.latestOf(inboxId, signal);
    const nowNs = context.time.bestNs();
    const nowSeconds = nowNs / 1_000_000_000n;
    const mls = await MlsGroup.create(context.groupConfig, {
      cipherSuite: XMTP_CIPHER_SUITE,
      groupId: context.crypto.randomBytes(GROUP_ID_BYTES),
      extensions: newGroupExtensions({
        creatorInboxId: inboxId,
        creatorSequenceId,
        ...options,
      }),
      leaf: installationLeaf(inboxId),
      lifetime: { notBefore: nowSeconds - 3_600n, notAfter: nowSeconds + 84n * 86_400n },
    });
    const record = newGroupRecord({
      groupId: mls.groupId,
      cursor: 0n,
      epochEnteredAtNs: nowNs,
      createdAtNs: nowNs,
      status: "confirmed",
      proven: 1n,
    });
    return context.groups.create(record, mls);
  }

  /**
   * Groups that this installation was added to and cannot open, because they are of XMTP's form before app data. One is
   * in `list` once its admins have migrated it, removed this inbox and added it again.
   */
  listUnsupported(): UnsupportedGroup[] {
    const { store, groups } = this.#context;
    return this.#calls.now(() =>
      store.unsupportedGroups
        .list()
        .filter(({ groupId }) => groups.get(groupId) === undefined)
        .map(({ groupId, addedAtNs }) => ({ id: toHex(groupId), addedAtNs })),
    );
  }

  /** Joins by an invite, given as link or as payload bytes; see `joinByExternalCommit` in `join/join.ts` for the errors. */
  joinByInvite(invite: string | Uint8Array, options: JoinOptions = {}): Promise<JoinedGroup> {
    return this.#calls.run(requireJoinOptions, options, async (checked) => {
      const payload = requireInvite(invite, "invite");
      requireNotRevoked(this.#context);
      return shown(await joinByInvite(this.#context, payload, checked));
    });
  }

  /** What an invite leads to, before anything is written anywhere; see `InvitePreview`. */
  previewInvite(invite: string | Uint8Array, options: CallOptions = {}): Promise<InvitePreview> {
    return this.#calls.run(requireCallOptions, options, ({ signal }) =>
      previewInvite(this.#context, requireInvite(invite, "invite"), signal),
    );
  }

  /** Joins by an invite and blobs that the application got by itself. */
  joinByExternalInvite(
    invite: Uint8Array,
    blobs: Uint8Array | readonly Uint8Array[],
    options: JoinOptions = {},
  ): Promise<JoinedGroup> {
    return this.#calls.run(requireJoinOptions, options, async (checked) => {
      const payload = requirePayload(invite, "invite");
      return shown(await joinByBlobs(this.#context, payload, requireBlobs(blobs, "blobs"), checked));
    });
  }

  /** Joins that are under way, or that no member has confirmed yet; they survive a restart. */
  listPendingJoins(): PendingJoin[] {
    return this.#calls.now(() => listPendingJoins(this.#context));
  }
}

function shown(core: GroupCore): JoinedGroup {
  return { group: new Group(core), status: core.record.status };
}
