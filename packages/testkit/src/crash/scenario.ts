import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { randomBytes } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client, httpSlots, type Clock, type Environment, type Group } from "@latchkey/client";
import { encodePng, generatedSigner, grpcTransport, openSqliteStore } from "@latchkey/client/node";
import { fromHex, toHex } from "@latchkey/mls";
import { nodeCrypto } from "@latchkey/mls/node";
import { createNode, type DeliveryNode } from "@latchkey/node";
import { KeyLedger } from "./key-ledger.ts";

/** A clock that never waits: sleeping moves it on, and timeouts fire when it has moved far enough; may go ahead or behind. */
export function hurriedClock(aheadMs = 0): Clock {
  let aheadNs = BigInt(aheadMs) * 1_000_000n;
  const timeouts: { readonly dueNs: bigint; readonly controller: AbortController }[] = [];
  const nowNs = () => BigInt(Date.now()) * 1_000_000n + aheadNs;
  return {
    nowNs,
    async sleep(ms, signal) {
      aheadNs += BigInt(Math.ceil(ms)) * 1_000_000n;
      for (const { dueNs, controller } of timeouts) if (dueNs <= nowNs()) controller.abort();
      await new Promise((resolve) => setImmediate(resolve));
      signal?.throwIfAborted();
    },
    timeout(ms) {
      const controller = new AbortController();
      timeouts.push({ dueNs: nowNs() + BigInt(ms) * 1_000_000n, controller });
      return controller.signal;
    },
  };
}

/** How a database with that key in hex is opened. */
export function keyed(dbKey: string): { readonly encryptionKey?: Uint8Array } {
  return dbKey === "" ? {} : { encryptionKey: fromHex(dbKey) };
}

/** Real parts for one installation: SQLite on disk, gRPC, slots over HTTP. */
export function realEnvironment(options: {
  readonly dbPath: string;
  readonly nodeUrl: string;
  readonly clock: Clock;
  readonly maxPages?: number;
  /** Key of the database in hex; empty for none. */
  readonly dbKey?: string;
}): Environment {
  const { dbPath, nodeUrl, clock, maxPages, dbKey = "" } = options;
  return {
    crypto: nodeCrypto,
    store: openSqliteStore(dbPath, { ...keyed(dbKey), ...(maxPages === undefined ? {} : { maxPages }) }),
    transport: grpcTransport(nodeUrl),
    slots: httpSlots,
    clock,
    random: Math.random,
    encodePng,
    inviteServiceUrl: nodeUrl,
    keepInvitesFresh: false,
    inviteBaseUrl: "https://latchkey.link/i",
  };
}

/** One installation: whose it is, and where its data lies. */
export class Device {
  readonly name: string;
  /** The wallet's private key in hex, for a process of its own. */
  readonly walletKey: string;
  readonly dbPath: string;
  readonly nodeUrl: string;
  /** Key of the database in hex; empty for none. */
  readonly dbKey: string;
  environment: Environment | undefined;
  #client: Client | undefined;
  readonly #transports: Environment["transport"][] = [];

  constructor(name: string, walletKey: string, dbPath: string, nodeUrl: string, dbKey: string) {
    this.name = name;
    this.dbKey = dbKey;
    this.walletKey = walletKey;
    this.dbPath = dbPath;
    this.nodeUrl = nodeUrl;
  }

  get client(): Client {
    if (this.#client === undefined) throw new Error(`${this.name} is closed`);
    return this.#client;
  }

  get isOpen(): boolean {
    return this.#client !== undefined;
  }

  /** Opens the client; `wrap` changes parts of its environment, `maxPages` bounds its database, `aheadMs` moves its clock. */
  async open(
    options: {
      readonly wrap?: (environment: Environment) => Environment;
      readonly maxPages?: number;
      readonly aheadMs?: number;
    } = {},
  ) {
    const { wrap, aheadMs, ...bounds } = options;
    const { dbPath, nodeUrl, dbKey } = this;
    const environment = realEnvironment({ dbPath, nodeUrl, dbKey, ...bounds, clock: hurriedClock(aheadMs) });
    this.environment = environment;
    this.#transports.push(environment.transport);
    const signer = generatedSigner(fromHex(this.walletKey));
    this.#client = await Client.create(signer, wrap === undefined ? environment : wrap(environment));
  }

  /** Drops the client, whatever it is doing, and lets go of its database; requests on their way stay on their way. */
  close(): void {
    this.#client = undefined;
    this.environment?.store.close();
    this.environment = undefined;
  }

  /** Closes everything, for good. */
  dispose(): void {
    this.close();
    for (const transport of this.#transports) transport.close();
  }

  /** This installation's view of a group, if it has it. */
  group(groupId: string): Group | undefined {
    return this.#client?.conversations.get(groupId);
  }
}

/** The installations of one point of the matrix, with files of their own. */
export class Scenario {
  readonly devices: Device[] = [];
  readonly ledger = new KeyLedger();
  readonly nodeUrl: string;
  readonly #directory: string;
  /** Epoch of a group → the authenticator that somebody had in it. */
  readonly #authenticators = new Map<string, string>();

  readonly #dbKey: string;

  /** `dbKey` is the key of all databases in hex; empty for none. */
  constructor(nodeUrl: string, directory: string, dbKey: string) {
    this.#dbKey = dbKey;
    this.nodeUrl = nodeUrl;
    this.#directory = directory;
    mkdirSync(directory);
  }

  /** A new installation, of a new person unless `owner` says whose; not opened. */
  newDevice(name: string, owner?: Device): Device {
    const walletKey = owner?.walletKey ?? toHex(randomBytes(32));
    const device = new Device(name, walletKey, join(this.#directory, `${name}.db`), this.nodeUrl, this.#dbKey);
    this.devices.push(device);
    return device;
  }

  /** A new installation, opened. */
  async device(name: string, owner?: Device): Promise<Device> {
    const device = this.newDevice(name, owner);
    await device.open();
    return device;
  }

  /**
   * Looks at every open installation: learns the keys of its epochs, and returns what contradicts what was seen before,
   * which is two histories of one group.
   */
  observe(): string[] {
    const contradictions: string[] = [];
    for (const { name, environment, client } of this.devices.filter(({ isOpen }) => isOpen)) {
      if (environment !== undefined) this.ledger.learn(environment.store);
      for (const group of client.conversations.list()) {
        if (!group.isActive) continue;
        const key = `${group.id}/${group.epoch}`;
        const seen = this.#authenticators.get(key) ?? group.epochAuthenticator;
        this.#authenticators.set(key, seen);
        if (seen !== group.epochAuthenticator) contradictions.push(`${name} is in another epoch ${group.epoch}`);
      }
    }
    return contradictions;
  }

  /** Closes all installations and deletes their files. */
  close(): void {
    for (const device of this.devices) device.dispose();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

/** A node on this machine, with a directory for everything. */
export class World {
  readonly node: DeliveryNode;
  readonly #directory: string;
  #stages = 0;

  private constructor(node: DeliveryNode, directory: string) {
    this.node = node;
    this.#directory = directory;
  }

  static async start(): Promise<World> {
    const directory = mkdtempSync(join(tmpdir(), "latchkey-crash-"));
    // All clients come from one address: its rate limits are not what is proved.
    const many = 1_000_000;
    const limits = { rpcBurst: many, rpcPerSecond: many, slotAddressBurst: many, slotAddressPerSecond: many };
    return new World(await createNode({ dataDir: join(directory, "node"), limits }), directory);
  }

  /** A scenario whose installations have encrypted databases, or readable ones. */
  newScenario(encrypted = false): Scenario {
    const dbKey = encrypted ? toHex(randomBytes(32)) : "";
    return new Scenario(this.node.url, join(this.#directory, `scenario-${++this.#stages}`), dbKey);
  }

  async stop(): Promise<void> {
    await this.node.close();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
