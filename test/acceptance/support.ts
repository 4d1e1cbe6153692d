import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import {
  Client,
  type Clock,
  type SleepOptions,
  type Environment,
  type Group,
  type Table,
  type TableName,
} from "@latchkey/client";
import { generatedSigner, nodeEnvironment } from "@latchkey/client/node";
import {
  fromHex,
  LatchkeyError,
  MlsGroup,
  peekMlsMessage,
  XIP_82_EXTERNAL_COMMITS,
  type GroupConfig,
} from "@latchkey/mls";
import { nodeCrypto } from "@latchkey/mls/node";
import { createNode, type DeliveryNode, type NodeSettings } from "@latchkey/node";
import {
  decodeInvitePayload,
  encodeMlsCredential,
  selectCandidates,
  XMTP_CIPHER_SUITE,
  type WalletSigner,
} from "@latchkey/xmtp";

/** A clock that never waits: sleeping moves it on, and timeouts fire when it has moved far enough. */
export class TestClock implements Clock {
  #aheadNs = 0n;
  readonly #waiters = new Set<{ readonly dueNs: bigint; readonly resolve: () => void }>();
  readonly #timeouts: { dueNs: bigint; controller: AbortController }[] = [];

  nowNs(): bigint {
    return BigInt(Date.now()) * 1_000_000n + this.#aheadNs;
  }

  /** Who waits in the background waits until the test, or somebody in the foreground, moves the clock that far. */
  async sleep(ms: number, signal?: AbortSignal, { background = false }: SleepOptions = {}): Promise<void> {
    if (background) return this.#wait(ms, signal);
    this.forward(ms);
    await new Promise((resolve) => setImmediate(resolve));
    signal?.throwIfAborted();
  }

  #wait(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiter = { dueNs: this.nowNs() + BigInt(Math.ceil(ms)) * 1_000_000n, resolve };
      this.#waiters.add(waiter);
      const stop = () => {
        this.#waiters.delete(waiter);
        reject(signal?.reason as Error);
      };
      if (signal?.aborted === true) stop();
      else signal?.addEventListener("abort", stop, { once: true });
    });
  }

  timeout(ms: number): AbortSignal {
    const controller = new AbortController();
    this.#timeouts.push({ dueNs: this.nowNs() + BigInt(ms) * 1_000_000n, controller });
    return controller.signal;
  }

  /** Moves the clock on. */
  forward(ms: number): void {
    this.#aheadNs += BigInt(Math.ceil(ms)) * 1_000_000n;
    const nowNs = this.nowNs();
    for (const { dueNs, controller } of this.#timeouts) if (dueNs <= nowNs) controller.abort();
    for (const waiter of [...this.#waiters]) {
      if (waiter.dueNs > nowNs) continue;
      this.#waiters.delete(waiter);
      waiter.resolve();
    }
  }
}

/** One installation: its client, and the parts it runs on. */
export interface Device {
  readonly name: string;
  readonly signer: WalletSigner;
  readonly dbPath: string;
  readonly clock: TestClock;
  client: Client;
  environment: Environment;
}

/** What it takes to act for a device without its client. */
export type Parts = Pick<Device, "client" | "environment">;

/** Real parts on this machine: a node over its network API, databases on disk. All of it goes after the test. */
export class World {
  readonly directory: string;
  readonly node: DeliveryNode;
  readonly #devices: Device[] = [];

  private constructor(node: DeliveryNode, directory: string) {
    this.node = node;
    this.directory = directory;
  }

  /** `options` as of `createNode`, for a node with clocks of its own. */
  static async start(t: TestContext, options: NodeSettings = {}): Promise<World> {
    const directory = mkdtempSync(join(tmpdir(), "latchkey-acceptance-"));
    const world = new World(await createNode({ dataDir: join(directory, "node"), ...options }), directory);
    t.after(() => world.stop());
    return world;
  }

  async stop(): Promise<void> {
    for (const { client } of this.#devices) client.close();
    await this.node.close();
    rmSync(this.directory, { recursive: true, force: true });
  }

  path(name: string): string {
    return join(this.directory, name);
  }

  /** A new installation, of a new person unless `signer` says whose. */
  async device(name: string, options: { signer?: WalletSigner; wrap?: Wrap } = {}): Promise<Device> {
    const signer = options.signer ?? generatedSigner();
    const dbPath = this.path(`${name}.db`);
    const clock = new TestClock();
    const environment = this.environment(dbPath, clock, options.wrap);
    const device = { name, signer, dbPath, clock, environment, client: await Client.create(signer, environment) };
    this.#devices.push(device);
    return device;
  }

  environment(dbPath: string, clock: Clock, wrap: Wrap = (environment) => environment): Environment {
    return wrap({ ...nodeEnvironment({ dbPath, nodeUrl: this.node.url, keepInvitesFresh: false }), clock });
  }

  /** Closes a device's client and opens it again, as after a restart of its program; with `unsigned` without its wallet. */
  async restart(device: Device, wrap?: Wrap, unsigned?: "unsigned"): Promise<void> {
    device.client.close();
    device.environment = this.environment(device.dbPath, device.clock, wrap);
    device.client = await Client.create(unsigned === undefined ? device.signer : undefined, device.environment);
  }

  /** An admin and a member in a group, synced. */
  async group(): Promise<{ admin: Device; member: Device; adminGroup: Group; memberGroup: Group }> {
    const admin = await this.device("admin");
    const member = await this.device("member");
    const adminGroup = await admin.client.conversations.createGroup([member.client.inboxId], {
      name: "Reading circle",
    });
    await member.client.conversations.sync();
    return { admin, member, adminGroup, memberGroup: groupOf(member, adminGroup.id) };
  }
}

/** Changes parts of an environment, to let them fail. */
export type Wrap = (environment: Environment) => Environment;

/** The device's view of a group; throws when it has none. */
export function groupOf(device: Device, groupId: string): Group {
  const group = device.client.conversations.get(groupId);
  if (group === undefined) throw new Error(`${device.name} does not have the group`);
  return group;
}

/** Every envelope of a group's log, as the node serves it to anybody. */
export async function readLog(
  device: Device,
  groupId: string,
): Promise<{ id: bigint; createdNs: bigint; data: Uint8Array }[]> {
  const page = await device.environment.transport.queryGroupMessages({ topic: fromHex(groupId), afterId: 0n });
  return [...page.items];
}

/** The commits in a group's log, accepted or not. */
export async function readCommits(
  device: Device,
  groupId: string,
): Promise<{ id: bigint; createdNs: bigint; data: Uint8Array }[]> {
  const log = await readLog(device, groupId);
  return log.filter(({ data }) => peekMlsMessage(data).contentKind === "commit");
}

/** The rows of a device's group, as MLS state of its own: for building what the client would never send. */
export function mlsOf(device: Parts, groupId: string): MlsGroup {
  const rows = device.environment.store.groupRows.list(fromHex(groupId));
  return MlsGroup.load(
    configOf(device),
    rows.map(({ rowKey, value }): [string, Uint8Array] => [rowKey, value]),
  );
}

/** How a device signs; `inboxId` puts another name into its credential. */
export function configOf(device: Parts, inboxId: string = device.client.inboxId): GroupConfig {
  const self = device.environment.store.identity.get("self");
  if (self === undefined) throw new Error("the device has no identity");
  return {
    crypto: nodeCrypto,
    identity: {
      credential: encodeMlsCredential(inboxId),
      signatureKeyPair: { privateKey: self.signaturePrivateKey, publicKey: self.signaturePublicKey },
    },
    externalCommitPolicy: XIP_82_EXTERNAL_COMMITS,
  };
}

/** The best GroupInfo of an invite's slot, opened as any holder of the link can. */
export async function openSlot(device: Device, payload: Uint8Array, serviceUrl: string): Promise<Uint8Array> {
  const { externalGroupId, symmetricKey } = decodeInvitePayload(payload);
  const { blobs = [] } = await device.environment.slots.fetch({ serviceUrl, externalGroupId });
  const suite = nodeCrypto.suite(XMTP_CIPHER_SUITE);
  const nowNs = device.clock.nowNs();
  const [best] = selectCandidates({ suite, blobs, key: symmetricKey, nowNs }).candidates;
  if (best === undefined) throw new Error("the slot holds nothing that opens");
  return best.groupInfo;
}

/** Puts bytes into a group's log, whatever they are. */
export async function publishRaw(device: Parts, data: Uint8Array): Promise<void> {
  await device.environment.transport.sendGroupMessages([{ data, senderHmac: new Uint8Array(32), shouldPush: false }]);
}

/** What two installations have to have in common to be in the same epoch. */
export function epochOf(group: Group): { epoch: bigint; tree: string; authenticator: string } {
  return { epoch: group.epoch, tree: group.treeHash, authenticator: group.epochAuthenticator };
}

/** Texts a device has read in a group. */
export function textsOf(group: Group): (string | undefined)[] {
  return group.messages().map(({ text }) => text);
}

/** Tables of a device that may hold something of a group, as row counts. */
export function traces(device: Device): Record<string, number> {
  const { store } = device.environment;
  return {
    groups: store.groups.list().length,
    groupRows: store.groupRows.list().length,
    joins: store.joins.list().length,
    messages: store.messages.list().length,
    followUps: store.followUps.list().length,
    pendingCommits: store.pendingCommits.list().length,
  };
}

/** No trace of any group. */
export const NO_TRACES = { groups: 0, groupRows: 0, joins: 0, messages: 0, followUps: 0, pendingCommits: 0 };

/** Expects a LatchkeyError of that code, and rule where one is given, and returns it. */
export async function failsWith(promise: Promise<unknown>, code: string, rule?: string): Promise<LatchkeyError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof LatchkeyError)) throw new Error(`expected ${code}`, { cause: error });
  assert.deepEqual({ code: error.code, rule: rule ?? error.rule }, { code, rule: error.rule }, error.message);
  return error;
}

/** Lets every transaction fail, as on a full disk, that writes to the given table while `broken()`. */
export function failingWrites(environment: Environment, table: TableName, broken: () => boolean): Environment {
  const { store } = environment;
  const transaction: typeof store.transaction = (write) =>
    store.transaction((tables) => {
      const touched: string[] = [];
      const inner = tables[table] as Table<never, never>;
      const watched: Table<never, never> = {
        get: (...key) => inner.get(...key),
        list: (...prefix) => inner.list(...prefix),
        listAfter: (...key) => inner.listAfter(...key),
        count: (...prefix) => inner.count(...prefix),
        delete: (...prefix) => inner.delete(...prefix),
        put(row) {
          touched.push(table);
          inner.put(row);
        },
      };
      const result = write({ ...tables, [table]: watched });
      if (touched.length === 0 || !broken()) return result;
      throw new LatchkeyError("STORE_FULL", "the disk is full (made up by a test)", { scope: "availability" });
    });
  return { ...environment, store: { ...store, transaction } };
}

/** Counts what leaves a device: messages, Welcomes and blobs. */
export function countingWrites(environment: Environment, counts: { writes: number }): Environment {
  const { transport, slots } = environment;
  const sendGroupMessages: typeof transport.sendGroupMessages = (messages, signal) => {
    counts.writes++;
    return transport.sendGroupMessages(messages, signal);
  };
  const sendWelcomeMessages: typeof transport.sendWelcomeMessages = (messages, signal) => {
    counts.writes++;
    return transport.sendWelcomeMessages(messages, signal);
  };
  const upload: typeof slots.upload = (slot, blob, signal) => {
    counts.writes++;
    return slots.upload(slot, blob, signal);
  };
  return {
    ...environment,
    transport: { ...transport, sendGroupMessages, sendWelcomeMessages },
    slots: { ...slots, upload },
  };
}
