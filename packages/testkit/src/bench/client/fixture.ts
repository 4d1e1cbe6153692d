import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Transport as RpcTransport } from "@connectrpc/connect";
import {
  Client,
  connectTransport,
  LatchkeyError,
  type Environment,
  type SlotService,
  type Table,
  type Tables,
  type Transport,
} from "@latchkey/client";
import { encodePng, judgeInWorkers, openSqliteStore } from "@latchkey/client/node";
import { toHex } from "@latchkey/mls";
import { nodeCrypto } from "@latchkey/mls/node";
import { openInProcess, type InProcessNode } from "@latchkey/node/internals";
import type { WalletSigner } from "@latchkey/xmtp";
import { hurriedClock } from "../../crash/scenario.ts";

/** What a client has asked of its node and written to its store. */
export interface Traffic {
  /** Bytes and text of all rows that were put; numbers count eight bytes. */
  bytes: number;
  /** Durable transactions: those that put or deleted something. */
  transactions: number;
  /** Requests to the node, but for those of slots. */
  requests: number;
}

/** Nothing yet. */
export function noTraffic(): Traffic {
  return { bytes: 0, transactions: 0, requests: 0 };
}

function sizeOf(value: unknown): number {
  if (value instanceof Uint8Array) return value.length;
  if (typeof value === "string") return value.length;
  return typeof value === "bigint" ? 8 : 0;
}

type Row = Readonly<Record<string, unknown>>;
type AnyTable = Table<Row, string[]>;

function countingTable(table: AnyTable, traffic: Traffic, changed: () => void): AnyTable {
  return {
    get: (...key) => table.get(...key),
    list: (...prefix) => table.list(...prefix),
    listAfter: (...key) => table.listAfter(...key),
    count: (...prefix) => table.count(...prefix),
    delete(...prefix) {
      changed();
      table.delete(...prefix);
    },
    put(row) {
      changed();
      for (const value of Object.values(row)) traffic.bytes += sizeOf(value);
      table.put(row);
    },
  };
}

/** Counts what goes into the tables of a store. */
function counting({ store, ...rest }: Environment, traffic: Traffic): Environment {
  const transaction: typeof store.transaction = (write) => {
    let writes = 0;
    const changed = () => {
      writes++;
    };
    const result = store.transaction((tables) => {
      const all = Object.entries(tables) as unknown as [string, AnyTable][];
      const counted = all.map(([name, table]) => [name, countingTable(table, traffic, changed)]);
      return write(Object.fromEntries(counted) as Tables);
    });
    if (writes > 0) traffic.transactions++;
    return result;
  };
  return { ...rest, store: { ...store, transaction } };
}

/** Counts the requests of a client. */
function countingRpc(rpc: RpcTransport, traffic: Traffic): RpcTransport {
  return {
    unary(...call) {
      traffic.requests++;
      return rpc.unary(...call);
    },
    stream(...call) {
      traffic.requests++;
      return rpc.stream(...call);
    },
  };
}

/** Blobs in memory: what the invite service does is not measured here. */
function memorySlots(): SlotService {
  const slots = new Map<string, Uint8Array[]>();
  return {
    async upload({ externalGroupId }, blob) {
      slots.set(toHex(externalGroupId), [blob]);
      return undefined;
    },
    async fetch({ externalGroupId }) {
      const blobs = slots.get(toHex(externalGroupId));
      if (blobs === undefined) throw new LatchkeyError("INVITE_UNKNOWN_SLOT", "nothing in this slot");
      return { blobs, tag: undefined, waiting: undefined };
    },
    exists: async () => false,
  };
}

/** A node in this process, on disk, and clients that reach it by function calls. */
export class Place {
  readonly transport: Transport;
  readonly #node: InProcessNode;
  readonly #directory = mkdtempSync(join(tmpdir(), "latchkey-bench-"));
  readonly #slots = memorySlots();
  readonly #clients: Client[] = [];

  constructor() {
    const nowNs = () => BigInt(Date.now()) * 1_000_000n;
    this.#node = openInProcess({ dataDir: join(this.#directory, "node"), nowNs });
    this.transport = connectTransport(this.#node.rpc, () => undefined);
  }

  /** Opens the client with that database, anew when it is there. */
  async open(signer: WalletSigner, name: string, traffic: Traffic = noTraffic()): Promise<Client> {
    const environment: Environment = {
      crypto: nodeCrypto,
      store: openSqliteStore(join(this.#directory, `${name}.db`)),
      transport: connectTransport(countingRpc(this.#node.rpc, traffic), () => undefined),
      slots: this.#slots,
      clock: hurriedClock(),
      random: Math.random,
      encodePng,
      judgeLogs: judgeInWorkers,
      inviteServiceUrl: "https://invites.example",
      joinReceipts: false,
      keepInvitesFresh: false,
      inviteBaseUrl: "https://latchkey.link/i",
    };
    const client = await Client.create(signer, counting(environment, traffic));
    this.#clients.push(client);
    return client;
  }

  async close(): Promise<void> {
    for (const client of this.#clients) client.close();
    await this.#node.close();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
