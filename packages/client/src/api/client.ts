import { LatchkeyError } from "@latchkey/mls";
import type { WalletSigner } from "@latchkey/xmtp";
import type { ClientContext } from "../group/client-context.ts";
import { Conversations, type JoinedGroup } from "./conversations.ts";
import type { Environment } from "../identity/environment.ts";
import { clientError } from "../errors.ts";
import {
  requireEthereumAddress,
  requireInstallationIds,
  requireKeepFreshOptions,
  requireLinkDeviceOptions,
  requireLinkNewDeviceOptions,
  requireMaybeSigner,
  requireRevocationEnvironment,
  requireRevokeOptions,
  requireSignedCallOptions,
  requireSigner,
} from "./arguments.ts";
import {
  addAccount,
  changeRecovery,
  inboxOfSigner,
  previewRevocation,
  previewWithoutInstallation,
  removeAccount,
  revokeAllOthers,
  revokeInstallations,
  revokeWithoutInstallation,
  type RevocationEnvironment,
  type RevokeOptions,
  type SignedCallOptions,
} from "../identity/account-changes.ts";
import { readInboxState, type InboxState } from "../identity/inbox-state.ts";
import type { RevokedMember } from "../identity/revocation.ts";
import { listInstallations, type Installation } from "../group/own-installations.ts";
import { requireEnvironment } from "../identity/require-environment.ts";
import { requireCallOptions } from "../public-calls.ts";
import { isAborted } from "../clock.ts";
import { GroupRegistry, type GroupsContext } from "../group/group-registry.ts";
import type { GroupHooks } from "../group/group-core.ts";
import { markKeptMessages } from "../group/message-ids.ts";
import { deleteRevokedMessages } from "../group/revoked-messages.ts";
import { KeyPackageFaults } from "../identity/key-package-faults.ts";
import { openAccount } from "../identity/account.ts";
import { checkClock } from "../identity/check-clock.ts";
import { IdentityDirectory } from "../identity/directory.ts";
import { NodeTime } from "../identity/node-time.ts";
import { groupConfigOf, ownIdentityOf } from "../identity/own-identity.ts";
import { keepKeyPackage } from "../identity/key-packages.ts";
import { keepInvitesFresh, keepInvitesFreshInBackground, type KeepFreshOptions } from "../upkeep/keep-invites-fresh.ts";
import { tryFinishRenewal } from "../group/renewal.ts";
import { uploadBlob } from "../invite/upload.ts";
import { afterReading } from "../upkeep/after-reading.ts";
import { beforeWriting } from "../upkeep/follow-identities.ts";
import { newFollowing } from "../identity/identity-news.ts";
import { noteOwnGrowth, noteOwnRevocation } from "../identity/own-revocation.ts";
import type { JoinOptions } from "../join/options.ts";
import { arrive } from "../link/arrive.ts";
import { settleLink, settleNewDevice } from "../link/link-journal.ts";
import { linkToInbox } from "../link/new-device.ts";
import { linkDevice } from "../link/old-device.ts";
import type { LinkDeviceOptions, LinkedDevice, LinkNewDeviceOptions } from "../link/options.ts";
import { withHiddenGroups } from "../store/hidden-groups.ts";
import { SlotPollBackoff } from "../transport/slot-poll-backoff.ts";
import { resumeInTurn } from "../join/resume.ts";
import { Mutex } from "../mutex.ts";
import { PublicCalls, walledWith, type CallOptions } from "../public-calls.ts";
import type { IdentityRecord } from "../store/records.ts";

function newTurns(): Pick<ClientContext, "joinTurn" | "keyPackageTurn" | "welcomeTurn" | "linkTurn"> {
  const [joinTurn, keyPackageTurn, welcomeTurn, linkTurn] = [new Mutex(), new Mutex(), new Mutex(), new Mutex()];
  return { joinTurn, keyPackageTurn, welcomeTurn, linkTurn };
}

/** What opening a client has made so far. */
interface Opened {
  readonly signer: WalletSigner | undefined;
  readonly record: IdentityRecord;
  readonly directory: IdentityDirectory;
  readonly time: NodeTime;
  readonly calls: PublicCalls;
}

function contextOf(environment: Environment, opened: Opened): GroupsContext {
  const { signer, record, directory, time, calls } = opened;
  const own = ownIdentityOf(record);
  const groupConfig = groupConfigOf(environment.crypto, record);
  const waits = { ...newTurns(), slotPolls: new SlotPollBackoff() };
  const learnt = { welcomesAhead: new Set<bigint>(), linkBases: new Map<string, string | undefined>() };
  const refreshSlots: GroupHooks["refreshSlots"] = (core, scanned, signal) => uploadBlob(core, { scanned, signal });
  const identity = { own, signer, directory, time, calls, groupConfig, keyPackageFaults: new KeyPackageFaults() };
  const context: ClientContext = {
    ...{ ...environment, ...withHiddenGroups(environment.store) },
    ...{ ...newFollowing(directory, environment), ...identity, ...waits, ...learnt },
  };
  const groups = new GroupRegistry(context, { refreshSlots, afterReading, beforeWriting });
  directory.onRevocation((tables, inbox, states) => deleteRevokedMessages(groups, tables, inbox, states));
  noteOwnGrowth(context);
  return { ...context, groups };
}

function identityLogs({ store, transport, clock, judgeLogs }: Environment): Pick<Opened, "directory" | "time"> {
  const time = new NodeTime(clock);
  // Time is the clock's alone: whatever moves by itself would escape a virtual one.
  return { time, directory: new IdentityDirectory(store, transport, { time, judgeLogs, pause: () => clock.sleep(0) }) };
}

/**
 * One installation of one inbox: its identity, its groups, its database.
 *
 * @example
 * const client = await createNodeClient(generatedSigner(), { dbPath: "alice.db", nodeUrl: "http://127.0.0.1:5556" });
 * const { group } = await client.conversations.joinByInvite("latchkey:…");
 * await group.send("hello");
 */
export class Client {
  readonly conversations: Conversations;
  readonly #context: GroupsContext;
  readonly #closing: AbortController;

  private constructor(context: GroupsContext, closing: AbortController) {
    this.#context = context;
    this.#closing = closing;
    this.conversations = new Conversations(context);
    if (context.keepInvitesFresh) void keepInvitesFreshInBackground(context, closing.signal);
  }

  /**
   * Opens the installation of the store, or makes one: registers inbox and installation with one signature of the
   * wallet and uploads a key package. A registered one needs no signer. Opening a registered installation works offline; the clock is checked and
   * interrupted joins are taken up when the node can be reached. A node that does not answer is waited for 3 s before.
   * The client owns store and transport from here on, also when this call fails.
   *
   * @throws ARGUMENT_INVALID, CLOCK_WRONG, IDENTITY_MISMATCH, IDENTITY_REVOKED, SIGNER_MISSING, NODE_UNREACHABLE,
   * NODE_REJECTED, NOT_PERMITTED when the inbox has no room for one more installation, and the codes that begin with
   * STORE_. What the wallet throws passes through.
   */
  static async create(
    signer: WalletSigner | undefined,
    environment: Environment,
    options: CallOptions = {},
  ): Promise<Client> {
    const parts = requireEnvironment(environment, "environment");
    try {
      return await walledWith(requireCallOptions, options, ({ signal }) =>
        Client.#open(requireMaybeSigner(signer, "signer"), parts, signal),
      );
    } catch (error) {
      closeParts(parts);
      throw error;
    }
  }

  /**
   * Links this new device to the inbox of another device of its owner, and opens it. One of the two shows a code, which the
   * other one reads; then this one shows six digits, which a person types into the other one. No private key travels. The
   * client owns store and transport from here on, also when this call fails.
   *
   * @throws LINK_NOT_EMPTY, LINK_MALFORMED, LINK_DISTURBED, LINK_FAILED, LINK_EXPIRED, after which the store is empty as
   * before; LINK_OPEN, after which a second call finishes what is open, or begins anew; CLOCK_WRONG; errors of the network.
   */
  static async linkNewDevice(environment: Environment, options: LinkNewDeviceOptions = {}): Promise<Client> {
    const parts = requireEnvironment(environment, "environment");
    try {
      return await walledWith(requireLinkNewDeviceOptions, options, (checked) => Client.#link(parts, checked));
    } catch (error) {
      closeParts(parts);
      throw error;
    }
  }

  static async #link(environment: Environment, options: LinkNewDeviceOptions): Promise<Client> {
    const signal = options.signal ?? new AbortController().signal;
    const channel = await linkToInbox({ ...environment, ...identityLogs(environment) }, { ...options, signal });
    const client = await Client.#open(undefined, environment, signal);
    try {
      if (channel !== undefined) await arrive(client.#context, channel, options.onProgress, signal);
      return client;
    } catch (error) {
      client.close();
      throw error;
    }
  }

  static async #open(
    signer: WalletSigner | undefined,
    environment: Environment,
    signal?: AbortSignal,
  ): Promise<Client> {
    const { time, directory } = identityLogs(environment);
    await settleNewDevice({ ...environment, time, directory }, signal);
    const known = environment.store.identity.get("self")?.registered === 1n;
    const record = await openAccount(signer, environment, directory, signal);
    const closing = new AbortController();
    const context = contextOf(environment, { signer, record, directory, time, calls: new PublicCalls(closing.signal) });
    markKeptMessages(context);
    noteOwnRevocation(context, await directory.knownHistory(record.inboxId));
    if (known) await checkClock(context, signal);
    await settleStart(context, known, signal);
    return new Client(context, closing);
  }

  /** 64 hex digits: the person. */
  get inboxId(): string {
    return this.#context.calls.now(() => this.#context.own.inboxId);
  }

  /** 64 hex digits: this device's public signature key. */
  get installationId(): string {
    return this.#context.calls.now(() => this.#context.own.installationId);
  }

  /** The own inbox after the newest update of its identity log: recovery identifier, addresses, installations. */
  inboxState(options: CallOptions = {}): Promise<InboxState> {
    const { directory, own } = this.#context;
    return this.#context.calls.run(requireCallOptions, options, ({ signal }) =>
      readInboxState(directory, own.inboxId, signal),
    );
  }

  /** The installations of the own inbox; see `Installation`. Reads every message on disk. */
  installations(options: CallOptions = {}): Promise<Installation[]> {
    return this.#context.calls.run(requireCallOptions, options, ({ signal }) =>
      listInstallations(this.#context, signal),
    );
  }

  /** Everything that `revokeInstallations` would take out of the inbox; nobody is asked to sign. */
  previewRevocation(
    installationIds: readonly string[],
    options: Pick<RevokeOptions, "keep" | "signal"> = {},
  ): Promise<readonly RevokedMember[]> {
    return this.#context.calls.run(requireRevokeOptions, options, (checked) =>
      previewRevocation(this.#context, requireInstallationIds(installationIds, "installationIds"), checked),
    );
  }

  /**
   * Revokes installations, with the addresses that only they have and what those added, by one signature of the recovery
   * identifier; see `revokeInstallations` in `identity/account-changes.ts` for the errors. The next sync takes them out of
   * the groups.
   */
  revokeInstallations(
    installationIds: readonly string[],
    options: RevokeOptions = {},
  ): Promise<readonly RevokedMember[]> {
    return this.#context.calls.run(requireRevokeOptions, options, (checked) =>
      revokeInstallations(this.#context, requireInstallationIds(installationIds, "installationIds"), checked),
    );
  }

  /** As `revokeInstallations`, of all but this one. */
  revokeAllOtherInstallations(options: RevokeOptions = {}): Promise<readonly RevokedMember[]> {
    return this.#context.calls.run(requireRevokeOptions, options, (checked) => revokeAllOthers(this.#context, checked));
  }

  /**
   * As the method of that name, without an installation: the signer has to be the recovery identifier. The transport stays
   * open and the caller's.
   */
  static revokeInstallations(
    signer: WalletSigner,
    installationIds: readonly string[],
    environment: RevocationEnvironment,
    options: Pick<RevokeOptions, "keep" | "signal"> = {},
  ): Promise<readonly RevokedMember[]> {
    return walledWith(requireRevokeOptions, options, (checked) =>
      revokeWithoutInstallation(
        requireSigner(signer, "signer"),
        requireInstallationIds(installationIds, "installationIds"),
        requireRevocationEnvironment(environment, "environment"),
        checked,
      ),
    );
  }

  /** As the method of that name, without an installation, for the inbox of an address or the named one. */
  static previewRevocation(
    identifier: string,
    installationIds: readonly string[],
    environment: RevocationEnvironment,
    options: Pick<RevokeOptions, "keep" | "signal"> = {},
  ): Promise<readonly RevokedMember[]> {
    return walledWith(requireRevokeOptions, options, (checked) =>
      previewWithoutInstallation(
        requireEthereumAddress(identifier, "identifier"),
        requireInstallationIds(installationIds, "installationIds"),
        requireRevocationEnvironment(environment, "environment"),
        checked,
      ),
    );
  }

  /** As the method of that name, without an installation: the inbox that the address belongs to, or the named one. */
  static inboxState(
    identifier: string,
    environment: RevocationEnvironment,
    options: CallOptions = {},
  ): Promise<InboxState> {
    return walledWith(requireCallOptions, options, async ({ signal }) => {
      const address = requireEthereumAddress(identifier, "identifier");
      const parts = requireRevocationEnvironment(environment, "environment");
      const { directory, inboxId } = await inboxOfSigner({ identifier: address }, parts, signal);
      return readInboxState(directory, inboxId, signal);
    });
  }

  /** Adds the address of a wallet to the inbox, by this installation and with the wallet's own signature. */
  addAccount(account: WalletSigner, options: CallOptions = {}): Promise<void> {
    return this.#context.calls.run(requireCallOptions, options, (checked) =>
      addAccount(this.#context, requireSigner(account, "account"), checked),
    );
  }

  /** Removes an address with all that it added; see `removeAccount` in `identity/account-changes.ts` for the errors. */
  removeAccount(identifier: string, options: SignedCallOptions = {}): Promise<readonly RevokedMember[]> {
    return this.#context.calls.run(requireSignedCallOptions, options, (checked) =>
      removeAccount(this.#context, requireEthereumAddress(identifier, "identifier"), checked),
    );
  }

  /**
   * Hands the recovery of the inbox to another address, whose signer alone revokes from then on. Throws NOT_RECOVERY
   * before anybody is asked to sign.
   */
  changeRecovery(identifier: string, options: SignedCallOptions = {}): Promise<void> {
    return this.#context.calls.run(requireSignedCallOptions, options, (checked) =>
      changeRecovery(this.#context, requireEthereumAddress(identifier, "identifier"), checked),
    );
  }

  /**
   * Links a new device to this inbox and adds it to all groups; see `Client.linkNewDevice` for the other side. Offer it in a
   * list of devices only, and say that the new device will read everything and can act as its owner.
   *
   * @throws LINK_MALFORMED, LINK_DISTURBED, LINK_FAILED, LINK_EXPIRED, after which nothing was signed or published; LINK_OPEN;
   * NOT_PERMITTED when the inbox has no room for one more; IDENTITY_REVOKED; errors of the network. What the wallet and
   * `readDigits` throw passes through.
   */
  linkDevice(options: LinkDeviceOptions): Promise<LinkedDevice> {
    return this.#context.calls.run(requireLinkDeviceOptions, options, (checked) =>
      this.#context.linkTurn.run(() => linkDevice(this.#context, checked), checked.signal),
    );
  }

  /** The low-level way in: payload and blobs that the application got by itself. */
  joinGroupByExternalInvite(
    payload: Uint8Array,
    blobs: Uint8Array | readonly Uint8Array[],
    options: JoinOptions = {},
  ): Promise<JoinedGroup> {
    return this.conversations.joinByExternalInvite(payload, blobs, options);
  }

  /**
   * Looks after the invites of all groups until the signal is aborted: at once, then about every hour, and once a day
   * thoroughly. Clients do so by themselves unless `keepInvitesFresh` is off in their environment; see
   * `upkeep/keep-invites-fresh.ts`.
   */
  keepInvitesFresh(options: KeepFreshOptions): Promise<void> {
    return this.#context.calls.run(requireKeepFreshOptions, options, (checked) =>
      keepInvitesFresh(this.#context, checked),
    );
  }

  /** Closes database and connections. Calls under way and streams of this client end with CLIENT_CLOSED. */
  close(): void {
    this.#closing.abort(clientError("CLIENT_CLOSED", "the client is closed; create it again"));
    closeParts(this.#context);
  }
}

/** Closes both parts, whatever they throw: there is nothing that anybody could do about it. */
function closeParts({ transport, store }: Pick<Environment, "transport" | "store">): void {
  for (const part of [transport, store]) {
    try {
      part.close();
    } catch {
      // The other one is closed all the same.
    }
  }
}

/** Key package, interrupted joins and renewals of invites. A registered installation opens without network: then both wait. */
async function settleStart(context: GroupsContext, known: boolean, signal: AbortSignal | undefined): Promise<void> {
  if (context.revocation.signal.aborted) return;
  try {
    await settleLink(context, signal);
    await keepKeyPackage(context, signal);
    await context.joinTurn.run(() => resumeInTurn(context, signal), signal);
    for (const { groupId } of context.store.inviteRenewals.list()) {
      const core = context.groups.get(groupId);
      if (core !== undefined) await tryFinishRenewal(core, "due", signal);
    }
  } catch (error) {
    if (!known || isAborted(signal) || !(error instanceof LatchkeyError)) throw error;
    if (error.code.startsWith("STORE_")) throw error;
  }
}
