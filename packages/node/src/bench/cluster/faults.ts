import { randomBytes } from "node:crypto";
import { setTimeout as wait } from "node:timers/promises";
import type { ClientHttp2Session } from "node:http2";
import type { PostgresServer } from "../../testing/postgres.ts";
import { PostgresProxy } from "../../testing/postgres-proxy.ts";
import { mlsMessage } from "../../testing/support.ts";
import { call, grpcFrame, openSession } from "../../siege/wire.ts";
import { SEND, sendRequest } from "../../siege/crowd.ts";
import { BenchServer } from "../server.ts";
import { Followers } from "./followers.ts";

const STREAMS = 500;
const GROUPS = 50;
const SENDERS = 16;

/** Milliseconds between two messages of a sender, and before a refused one is sent again. */
const PAUSE_MS = 20;
const AGAIN_MS = 100;

/** Milliseconds for streams to get what they miss when all faults are over. */
const CATCH_UP_MS = 60_000;

/** Lengths of the network cut and of the quiet time before the first fault, in milliseconds. */
const CUT_MS = 12_000;
const QUIET_MS = 4_000;

/** What became of the messages. */
export interface FaultReport {
  readonly processes: number;
  readonly acknowledged: number;
  readonly lost: number;
  readonly repeatedIds: number;
  readonly outOfOrder: number;
  readonly streams: number;
  readonly missing: number;
  readonly duplicates: number;
  /** Of the quiet time before the first fault, and of the whole. */
  readonly streamMedianMs: number;
  readonly streamMedianUnderFaultsMs: number;
  readonly kills: number;
  readonly databaseRestarts: number;
  readonly reopenedStreams: number;
}

/** Processes that are killed and started again, on a database that restarts and is cut off, under senders and streams. */
class Cluster {
  readonly #url: string;
  readonly #servers: (BenchServer | undefined)[];

  constructor(url: string, count: number) {
    this.#url = url;
    this.#servers = new Array<undefined>(count).fill(undefined);
  }

  get urls(): string[] {
    return this.#servers.flatMap((server) => (server?.isAlive === true ? [server.url] : []));
  }

  async start(): Promise<void> {
    await Promise.all(this.#servers.map((_, at) => this.#startOne(at)));
  }

  async killOne(at: number): Promise<void> {
    const index = at % this.#servers.length;
    const server = this.#servers[index];
    this.#servers[index] = undefined;
    await server?.kill();
    await this.#startOne(index);
  }

  async stop(): Promise<void> {
    for (const server of this.#servers) await server?.stop();
  }

  async #startOne(at: number): Promise<void> {
    this.#servers[at] = await BenchServer.start(undefined, this.#url);
  }
}

interface Sent {
  readonly group: Uint8Array;
  readonly text: string;
}

/** Sends to any process, and again until it is acknowledged, as clients do. */
async function send(
  cluster: Cluster,
  groups: readonly Uint8Array[],
  number: number,
  isOver: () => boolean,
): Promise<Sent[]> {
  const acknowledged: Sent[] = [];
  let session: ClientHttp2Session | undefined;
  for (let turn = 0; !isOver(); turn++) {
    const group = groups[(number + turn * SENDERS) % groups.length] ?? new Uint8Array();
    const text = `${performance.now()} ${number} ${turn}`;
    const body = grpcFrame(sendRequest(group, text));
    for (let attempt = 0; ; attempt++) {
      if (session === undefined || session.destroyed) session = await connectAnywhere(cluster, number + attempt);
      const status = session === undefined ? "" : (await call(session, SEND, body)).status;
      if (status === "0") break;
      session?.destroy();
      await wait(AGAIN_MS);
    }
    acknowledged.push({ group, text });
    await wait(PAUSE_MS);
  }
  session?.destroy();
  return acknowledged;
}

async function connectAnywhere({ urls }: Cluster, at: number): Promise<ClientHttp2Session | undefined> {
  const url = urls[at % Math.max(1, urls.length)];
  return url === undefined ? undefined : openSession(Number(new URL(url).port));
}

/** Runs senders and streams under faults, and counts what is wrong in the end. */
export async function runFaults(postgres: PostgresServer, processes: number, ms: number): Promise<FaultReport> {
  const direct = await postgres.createDatabase();
  const network = await PostgresProxy.start(postgres.socket);
  const cluster = new Cluster(network.url(direct), processes);
  await cluster.start();
  const groups = Array.from({ length: GROUPS }, () => new Uint8Array(randomBytes(16)));
  const followers = new Followers(groups, STREAMS, () => cluster.urls);
  try {
    let isOver = false;
    const senders = Array.from({ length: SENDERS }, (_, number) => send(cluster, groups, number, () => isOver));
    await wait(QUIET_MS);
    followers.latencies.length = 0;
    await wait(QUIET_MS);
    const quiet = median(followers.latencies);
    const { kills, databaseRestarts } = await breakThings(cluster, postgres, network, ms);
    isOver = true;
    const acknowledged = (await Promise.all(senders)).flat();
    const stored = await readAll(postgres, direct);
    await caughtUp(followers, stored);
    const underFaults = median(followers.latencies);
    const found = judge(followers, stored, acknowledged);
    const { reopened: reopenedStreams } = followers;
    const latencies = { streamMedianMs: quiet, streamMedianUnderFaultsMs: underFaults };
    return { processes, ...found, streams: STREAMS, ...latencies, kills, databaseRestarts, reopenedStreams };
  } finally {
    await followers.end();
    await cluster.stop();
    await network.close();
  }
}

/** A process is killed every three seconds, the database restarts twice, and the network is cut once for a long time. */
async function breakThings(cluster: Cluster, postgres: PostgresServer, network: PostgresProxy, ms: number) {
  const startedMs = performance.now();
  let [kills, databaseRestarts, isCut] = [0, 0, false];
  while (performance.now() - startedMs < ms) {
    await wait(3_000);
    await cluster.killOne(kills++);
    const share = (performance.now() - startedMs) / ms;
    if (databaseRestarts < Math.floor(share * 3) && databaseRestarts < 2) {
      await postgres.halt(databaseRestarts === 0 ? "SIGQUIT" : "SIGINT");
      await postgres.resume();
      databaseRestarts += 1;
    }
    if (!isCut && share > 0.5) {
      isCut = true;
      network.freeze();
      await wait(CUT_MS);
      network.mend();
    }
  }
  return { kills, databaseRestarts };
}

interface Stored {
  readonly id: bigint;
  readonly payload: string;
}

async function readAll(postgres: PostgresServer, url: string): Promise<Map<string, Stored[]>> {
  const all =
    "SELECT id::text AS id, encode(topic, 'hex') AS topic, encode(payload, 'hex') AS payload FROM group_messages ORDER BY id";
  const stored = new Map<string, Stored[]>();
  for (const { id, topic, payload } of await postgres.run(url, all)) {
    const rows = stored.get(String(topic)) ?? [];
    stored.set(String(topic), rows);
    rows.push({ id: BigInt(String(id)), payload: String(payload) });
  }
  return stored;
}

function keyOf(group: Uint8Array): string {
  return Buffer.from(group).toString("hex");
}

async function caughtUp({ followers }: Followers, stored: ReadonlyMap<string, readonly Stored[]>): Promise<void> {
  const untilMs = performance.now() + CATCH_UP_MS;
  const isBehind = () => followers.some(({ group, seen }) => seen.length < (stored.get(keyOf(group))?.length ?? 0));
  while (isBehind() && performance.now() < untilMs) await wait(100);
}

function judge(
  { followers }: Followers,
  stored: ReadonlyMap<string, readonly Stored[]>,
  acknowledged: readonly Sent[],
) {
  const payloads = new Map([...stored].map(([topic, rows]) => [topic, rows.map(({ payload }) => payload).join(" ")]));
  const lost = acknowledged.filter(({ group, text }) => {
    const sent = Buffer.from(mlsMessage(group, text)).toString("hex");
    return payloads.get(keyOf(group))?.includes(sent) !== true;
  }).length;
  const texts = new Map<string, string>();
  let [repeatedIds, outOfOrder, missing, duplicates] = [0, 0, 0, 0];
  for (const { group, seen } of followers) {
    const ids = new Set(seen.map(({ id }) => id));
    duplicates += seen.length - ids.size;
    missing += (stored.get(keyOf(group)) ?? []).filter(({ id }) => !ids.has(id)).length;
    for (const [at, { id, text }] of seen.entries()) {
      if (id < (seen[at - 1]?.id ?? 0n)) outOfOrder += 1;
      const known = texts.get(`${id}`);
      if (known !== undefined && known !== text) repeatedIds += 1;
      texts.set(`${id}`, text);
    }
  }
  return { acknowledged: acknowledged.length, lost, repeatedIds, outOfOrder, missing, duplicates };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return Number((sorted[Math.floor(sorted.length / 2)] ?? NaN).toFixed(1));
}
