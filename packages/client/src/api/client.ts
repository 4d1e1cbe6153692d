import { LatchkeyError, toHex, XIP_82_EXTERNAL_COMMITS, type GroupConfig } from "@latchkey/mls";
import { encodeMlsCredential, leafInboxId, type WalletSigner } from "@latchkey/xmtp";
import type { ClientContext } from "../group/client-context.ts";
import type { OwnIdentity } from "../identity/identity-context.ts";
import { Conversations, type JoinedGroup } from "./conversations.ts";
import type { Environment } from "../identity/environment.ts";
import { clientError } from "../errors.ts";
import { requireKeepFreshOptions, requireSigner } from "./arguments.ts";
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
import { keepKeyPackage } from "../identity/key-packages.ts";
import { keepInvitesFresh, keepInvitesFreshInBackground, type KeepFreshOptions } from "../upkeep/keep-invites-fresh.ts";
import { tryFinishRenewal } from "../group/renewal.ts";
import { uploadBlob } from "../invite/upload.ts";
import { afterReading } from "../upkeep/after-reading.ts";
import type { JoinOptions } from "../join/options.ts";
import { SlotPollBackoff } from "../transport/slot-poll-backoff.ts";
import { resumeInTurn } from "../join/resume.ts";
import { Mutex } from "../mutex.ts";
import { PublicCalls, walledWith, type CallOptions } from "../public-calls.ts";
import type { IdentityRecord } from "../store/records.ts";

function newTurns(): Pick<ClientContext, "joinTurn" | "keyPackageTurn" | "welcomeTurn"> {
  return { joinTurn: new Mutex(), keyPackageTurn: new Mutex(), welcomeTurn: new Mutex() };
}

/** What opening a client has made so far. */
interface Opened {
  readonly record: IdentityRecord;
  readonly directory: IdentityDirectory;
  readonly time: NodeTime;
  readonly calls: PublicCalls;
}

function contextOf(environment: Environment, opened: Opened): GroupsContext {
  const { record, directory, time, calls } = opened;
  const { inboxId, signaturePrivateKey, signaturePublicKey, hmacRoot } = record;
  const own: OwnIdentity = {
    inboxId,
    installationId: toHex(signaturePublicKey),
    installationKey: signaturePublicKey,
    hmacRoot,
  };
  const groupConfig: GroupConfig = {
    crypto: environment.crypto,
    identity: {
      credential: encodeMlsCredential(inboxId),
      signatureKeyPair: { privateKey: signaturePrivateKey, publicKey: signaturePublicKey },
    },
    identityOf: leafInboxId,
    externalCommitPolicy: XIP_82_EXTERNAL_COMMITS,
  };
  const waits = { ...newTurns(), slotPolls: new SlotPollBackoff() };
  const learnt = { welcomesAhead: new Set<bigint>(), linkBases: new Map<string, string | undefined>() };
  const refreshSlots: GroupHooks["refreshSlots"] = (core, scanned, signal) => uploadBlob(core, { scanned, signal });
  const identity = { own, directory, time, calls, groupConfig, keyPackageFaults: new KeyPackageFaults() };
  const context: ClientContext = { ...environment, ...identity, ...waits, ...learnt };
  const groups = new GroupRegistry(context, { refreshSlots, afterReading });
  directory.onRevocation((tables, inbox, states) => deleteRevokedMessages(groups, tables, inbox, states));
  return { ...context, groups };
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
   * wallet and uploads a key package. Opening a registered installation works offline; the clock is checked and
   * interrupted joins are taken up when the node can be reached. A node that does not answer is waited for 3 s before.
   * The client owns store and transport from here on, also when this call fails.
   *
   * @throws ARGUMENT_INVALID, CLOCK_WRONG, IDENTITY_MISMATCH, IDENTITY_REVOKED, NODE_UNREACHABLE, NODE_REJECTED, and the
   * codes that begin with STORE_. What the wallet throws passes through.
   */
  static async create(signer: WalletSigner, environment: Environment, options: CallOptions = {}): Promise<Client> {
    const parts = requireEnvironment(environment, "environment");
    try {
      return await walledWith(requireCallOptions, options, ({ signal }) =>
        Client.#open(requireSigner(signer, "signer"), parts, signal),
      );
    } catch (error) {
      closeParts(parts);
      throw error;
    }
  }

  static async #open(signer: WalletSigner, environment: Environment, signal?: AbortSignal): Promise<Client> {
    const time = new NodeTime(environment.clock);
    const directory = new IdentityDirectory(environment.store, environment.transport, {
      time,
      // Time is the clock's alone: whatever moves by itself would escape a virtual one.
      pause: () => environment.clock.sleep(0),
    });
    const known = environment.store.identity.get("self")?.registered === 1n;
    const record = await openAccount(signer, environment, directory, signal);
    const closing = new AbortController();
    const context = contextOf(environment, { record, directory, time, calls: new PublicCalls(closing.signal) });
    markKeptMessages(context);
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
  try {
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
