/**
 * Measures the invite slots of a node in a process of its own, on SQLite on disk, over HTTP on loopback: existence
 * queries and uploads of 300 KB per second, beside the rates at which SQLite alone answers and takes such rows, and what
 * a flood of uploads that never end makes the process hold. The node answers from one thread; what it can do in a second
 * of processor time is printed too, which others on the machine do not disturb. Fails unless the flood is bounded.
 * Usage: slots.ts [--json] [--directory <where the databases go, on a disk; default: the system's temporary files>]
 */
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { Agent, request, type ClientRequest, type IncomingMessage } from "node:http";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as wait } from "node:timers/promises";
import { parseArgs } from "node:util";
import { NODE_LIMITS } from "../limits.ts";
import { slotBlob } from "../testing/support.ts";
import { BenchServer } from "./server.ts";

/** Length of each timed run, in milliseconds. */
const RUN_MS = 5_000;
/** Requests under way at once, as from so many clients. */
const CONCURRENCY = 32;
const SLOTS = 100;
/** A GroupInfo of a thousand members, in bytes. */
const BLOB_BYTES = 300_000;
/** Connections of the flood; together they send three times as much as the node may hold. */
const FLOODERS = 192;
const GOALS = { queriesPerSecond: 2_000, uploadsPerSecond: 300 };

interface Rate {
  readonly perSecond: number;
  /** How much of one core the node used meanwhile. */
  readonly cores: number;
}

/** Runs calls one after the other in each of so many lanes for the length of a run. */
async function rateOf(server: BenchServer, call: (count: number) => Promise<void>): Promise<Rate> {
  const before = await server.usage();
  const startMs = performance.now();
  let calls = 0;
  await Promise.all(
    Array.from({ length: CONCURRENCY }, async () => {
      while (performance.now() - startMs < RUN_MS) await call(calls++);
    }),
  );
  const seconds = (performance.now() - startMs) / 1_000;
  const { cpuMicros } = await server.usage();
  return { perSecond: calls / seconds, cores: (cpuMicros - before.cpuMicros) / 1e6 / seconds };
}

const agent = new Agent({ keepAlive: true, maxSockets: CONCURRENCY });
const slotIds = Array.from({ length: SLOTS }, () => randomBytes(16));
const digest = Buffer.alloc(32, 9);

function slotUrl({ url }: BenchServer, index: number): string {
  return `${url}/v1/slots/${slotIds[index % SLOTS]?.toString("hex") ?? ""}`;
}

async function statusOf(call: ClientRequest, body?: Uint8Array): Promise<number | undefined> {
  call.end(body);
  const [response] = (await once(call, "response")) as [IncomingMessage];
  response.resume();
  await once(response, "end");
  return response.statusCode;
}

function newBlob(count: number): Uint8Array {
  const ciphertext = new Uint8Array(BLOB_BYTES);
  new DataView(ciphertext.buffer).setUint32(0, count);
  return slotBlob("", { ciphertext, epoch: 1n });
}

async function upload(server: BenchServer, count: number): Promise<void> {
  const status = await statusOf(request(slotUrl(server, count), { method: "PUT", agent }), newBlob(count));
  if (status !== 201) throw new Error(`an upload is answered with status ${status}`);
}

/** Every other question is about a blob that is not there. */
async function ask(server: BenchServer, count: number): Promise<void> {
  const query = `?epoch=${count % 2 === 0 ? 1 : 2}&digest=${digest.toString("hex")}`;
  const status = await statusOf(request(`${slotUrl(server, count >> 1)}${query}`, { method: "HEAD", agent }));
  if (status !== (count % 2 === 0 ? 200 : 404)) throw new Error(`a question is answered with status ${status}`);
}

/** The same rows in SQLite alone, with the node's settings and keys: one synced transaction each, eight rows per slot. */
function rawRates(directory: string): { uploads: number; queries: number } {
  const database = new DatabaseSync(join(directory, "raw.sqlite"));
  database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
  database.exec(
    `CREATE TABLE blobs (id INTEGER PRIMARY KEY, slot BLOB, epoch INTEGER, digest BLOB, hash BLOB, bytes BLOB,
       UNIQUE (slot, hash)) STRICT`,
  );
  const insert = database.prepare("INSERT INTO blobs (slot, epoch, digest, hash, bytes) VALUES (?, 1, ?, ?, ?)");
  const evict = database.prepare("DELETE FROM blobs WHERE id <= ?");
  const select = database.prepare("SELECT count(*) FROM blobs WHERE slot = ? AND epoch = ? AND digest = ?");
  const perSecond = (step: (count: number) => void): number => {
    const endMs = performance.now() + RUN_MS;
    let count = 0;
    for (; performance.now() < endMs; count++) step(count);
    return count / (RUN_MS / 1_000);
  };
  const uploads = perSecond((count) => {
    const bytes = newBlob(count);
    database.exec("BEGIN IMMEDIATE");
    const hash = createHash("sha256").update(bytes).digest();
    insert.run(slotIds[count % SLOTS] ?? null, digest, hash, bytes);
    evict.run(count + 1 - SLOTS * NODE_LIMITS.slotBlobs);
    database.exec("COMMIT");
  });
  const queries = perSecond((count) => void select.get(slotIds[(count >> 1) % SLOTS] ?? null, 1 + (count % 2), digest));
  database.close();
  return { uploads, queries };
}

/** Uploads that stop one byte before their end: what the node holds of them, and whether it still answers others. */
async function flood(server: BenchServer): Promise<{ grownBytes: number; answersMeanwhile: boolean }> {
  const before = (await server.usage()).rss;
  const body = Buffer.alloc(NODE_LIMITS.slotBlobBytes - 1);
  const headers = { "content-length": NODE_LIMITS.slotBlobBytes };
  const calls = Array.from({ length: FLOODERS }, (_, index) => {
    const call = request(slotUrl(server, index), { method: "PUT", headers, agent: false });
    call.on("error", () => undefined);
    call.on("response", (response) => response.resume());
    call.write(body);
    return call;
  });
  let peak = before;
  const endMs = performance.now() + RUN_MS;
  let answersMeanwhile = true;
  while (performance.now() < endMs) {
    peak = Math.max(peak, (await server.usage()).rss);
    const status = await statusOf(request(slotUrl(server, 0), { method: "HEAD", agent }));
    answersMeanwhile &&= status === 200;
    await wait(50);
  }
  for (const call of calls) call.destroy();
  return { grownBytes: peak - before, answersMeanwhile };
}

const { values } = parseArgs({ options: { json: { type: "boolean" }, directory: { type: "string" } } });
const server = await BenchServer.start(values.directory);
try {
  const uploads = await rateOf(server, (count) => upload(server, count));
  const queries = await rateOf(server, (count) => ask(server, count));
  const raw = rawRates(server.directory);
  const { grownBytes, answersMeanwhile } = await flood(server);
  const floodBoundMb = (NODE_LIMITS.bodyBytesInFlight * 1.5) / 2 ** 20;
  const result = {
    queriesPerSecond: Math.round(queries.perSecond),
    queriesPerCoreSecond: Math.round(queries.perSecond / queries.cores),
    rawQueriesPerSecond: Math.round(raw.queries),
    uploadsPerSecond: Math.round(uploads.perSecond),
    uploadsPerCoreSecond: Math.round(uploads.perSecond / uploads.cores),
    rawUploadsPerSecond: Math.round(raw.uploads),
    floodGrownMb: Math.round(grownBytes / 2 ** 20),
    floodBoundMb,
    answersDuringFlood: answersMeanwhile,
    goals: {
      queries: queries.perSecond >= GOALS.queriesPerSecond,
      uploads: uploads.perSecond >= GOALS.uploadsPerSecond,
      flood: grownBytes / 2 ** 20 <= floodBoundMb && answersMeanwhile,
    },
  };
  if (values.json === true) console.log(JSON.stringify(result));
  else {
    console.log(
      `${result.queriesPerSecond} existence queries per second (goal: 2 000), ${result.queriesPerCoreSecond} per second of processor time`,
    );
    console.log(`${result.rawQueriesPerSecond} such look-ups per second by SQLite alone`);
    console.log(
      `${result.uploadsPerSecond} uploads of 300 KB per second (goal: 300), ${result.uploadsPerCoreSecond} per second of processor time`,
    );
    console.log(`${result.rawUploadsPerSecond} such rows per second by SQLite alone, one synced transaction each`);
    console.log(`a flood makes the node grow by ${result.floodGrownMb} MB (bound: ${floodBoundMb} MB)`);
  }
  process.exitCode = result.goals.flood ? 0 : 1;
} finally {
  agent.destroy();
  await server.stop();
}
