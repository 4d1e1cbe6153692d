/**
 * Measures a node in a process of its own, on SQLite on disk, over gRPC on loopback: group messages accepted per second
 * (each answered after it is durable) and the processor time of the node that it took, beside the rate at which SQLite alone
 * takes such rows one synced transaction at a time, and how long a message takes to reach each of 200 open streams. The exit
 * status is 0 when both are as promised; a machine that is busy with other things may miss that.
 * Usage: main.ts [--json] [--directory <where the databases go, on a disk; default: the system's temporary files>]
 */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect, type ClientHttp2Session, type IncomingHttpHeaders } from "node:http2";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { parseArgs } from "node:util";
import { create, toBinary } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { MlsApi, SendGroupMessagesRequestSchema } from "@latchkey/xmtp/proto";
import { fieldsOf, groupMessage } from "../testing/support.ts";
import { BenchServer } from "./server.ts";

/** What is promised of a node on one core. */
const PROMISED = { messagesPerSecond: 1_500, streamMedianMs: 50 };

/** Length of each timed run, in milliseconds. */
const RUN_MS = 5_000;

/** Calls under way at once, as from so many clients. */
const CONCURRENCY = 64;

const CONNECTIONS = 4;

const PATH = `/${MlsApi.typeName}/${MlsApi.method.sendGroupMessages.name}`;

/** Groups that the messages go to. */
const GROUPS = 100;

const STREAMS = 200;

/** Messages that each stream is sent, one after the other. */
const STREAMED = 50;

/** Rows per second of SQLite alone, with the node's settings: one row, one transaction, one sync. */
function rawInsertRate(directory: string): number {
  const database = new DatabaseSync(join(directory, "raw.sqlite"));
  database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
  database.exec("CREATE TABLE log (id INTEGER PRIMARY KEY, topic BLOB, digest BLOB UNIQUE, payload BLOB) STRICT");
  const insert = database.prepare("INSERT INTO log (topic, digest, payload) VALUES (?, ?, ?)");
  const endMs = performance.now() + RUN_MS;
  let rows = 0;
  for (; performance.now() < endMs; rows++) insert.run(randomBytes(16), randomBytes(32), randomBytes(200));
  database.close();
  return rows / (RUN_MS / 1000);
}

function newGroups(): Uint8Array[] {
  return Array.from({ length: GROUPS }, () => new Uint8Array(randomBytes(16)));
}

/** The call of a client as bytes: gRPC's frame (uncompressed, length) around the request. */
function requestBytes(group: Uint8Array, text: string): Buffer {
  const request = create(SendGroupMessagesRequestSchema, { messages: [groupMessage(group, text)] });
  const message = toBinary(SendGroupMessagesRequestSchema, request);
  const frame = Buffer.alloc(5 + message.length);
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, 5);
  return frame;
}

/** Sends one request; throws unless gRPC's status is 0. Plain HTTP/2, so that the node is measured and not a client. */
async function post(session: ClientHttp2Session, body: Buffer): Promise<void> {
  const headers = { ":method": "POST", ":path": PATH, "content-type": "application/grpc+proto", te: "trailers" };
  const stream = session.request(headers);
  let status: unknown;
  const note = (received: IncomingHttpHeaders): void => void (status = received["grpc-status"] ?? status);
  stream.on("response", note).on("trailers", note).resume();
  stream.end(body);
  await once(stream, "close");
  if (status !== "0") throw new Error(`a message was refused with gRPC status ${String(status)}`);
}

async function acceptedPerSecond(url: string): Promise<number> {
  const sessions = Array.from({ length: CONNECTIONS }, () => connect(url));
  const groups = newGroups();
  let [accepted, sent] = [0, 0];
  const endMs = performance.now() + RUN_MS;
  async function send(session: ClientHttp2Session): Promise<void> {
    while (performance.now() < endMs) {
      const group = groups[sent % GROUPS];
      if (group === undefined) return;
      await post(session, requestBytes(group, `${sent++} ${"x".repeat(180)}`));
      accepted += 1;
    }
  }
  await Promise.all(
    sessions.flatMap((session) => Array.from({ length: CONCURRENCY / CONNECTIONS }, () => send(session))),
  );
  for (const session of sessions) session.close();
  return accepted / (RUN_MS / 1000);
}

/** Milliseconds from the call that sends a message to its arrival at each of the streams, sorted. */
async function streamLatencies(url: string): Promise<number[]> {
  const sessionManager = new Http2SessionManager(url);
  const mls = createClient(MlsApi, createGrpcTransport({ baseUrl: url, sessionManager }));
  const group = new Uint8Array(randomBytes(16));
  const stop = new AbortController();
  const latencies: number[] = [];
  let sentMs = 0;
  let missing = 0;
  let everybodyHasIt: () => void = () => undefined;
  async function follow(): Promise<void> {
    const filters = [{ groupId: group, idCursor: 0n }];
    for await (const message of mls.subscribeGroupMessages({ filters }, { signal: stop.signal })) {
      latencies.push(performance.now() - sentMs);
      if (fieldsOf(message).data.length === 0) throw new Error("a message arrived without its content");
      if (--missing === 0) everybodyHasIt();
    }
  }
  const streams = Array.from({ length: STREAMS }, () =>
    follow().catch((error: unknown) => {
      if (!stop.signal.aborted) throw error;
    }),
  );
  for (let index = 0; index <= STREAMED; index++) {
    missing = STREAMS;
    const arrived = new Promise<void>((resolve) => (everybodyHasIt = resolve));
    sentMs = performance.now();
    await mls.sendGroupMessages({ messages: [groupMessage(group, `message ${index}`)] });
    await arrived;
    // The first one waits for the streams to open.
    if (index === 0) latencies.length = 0;
  }
  stop.abort();
  await Promise.all(streams);
  sessionManager.abort();
  return latencies.sort((a, b) => a - b);
}

const { values } = parseArgs({ options: { json: { type: "boolean" }, directory: { type: "string" } } });
const server = await BenchServer.start(values.directory);
const { url } = server;
try {
  const rawRowsPerSecond = Math.round(rawInsertRate(server.directory));
  const before = await server.usage();
  const messagesPerSecond = Math.round(await acceptedPerSecond(url));
  const { cpuMicros } = await server.usage();
  const nodeCores = Number(((cpuMicros - before.cpuMicros) / 1_000 / RUN_MS).toFixed(2));
  const latencies = await streamLatencies(url);
  const at = (share: number): number => Number((latencies[Math.floor(latencies.length * share)] ?? NaN).toFixed(1));
  const streamMedianMs = at(0.5);
  const perCoreSecond = Math.round(messagesPerSecond / Math.max(1, nodeCores));
  const ok = perCoreSecond >= PROMISED.messagesPerSecond && streamMedianMs <= PROMISED.streamMedianMs;
  const result = {
    ok,
    messagesPerSecond,
    nodeCores,
    messagesPerCoreSecond: perCoreSecond,
    rawRowsPerSecond,
    streams: STREAMS,
    streamMedianMs,
    stream99Ms: at(0.99),
  };
  process.exitCode = ok ? 0 : 1;
  if (values.json === true) console.log(JSON.stringify(result));
  else {
    console.log(`${messagesPerSecond} group messages per second accepted, each durable before its answer`);
    console.log(`${nodeCores} cores busy with the node meanwhile: ${perCoreSecond} on one core`);
    console.log(`${rawRowsPerSecond} rows per second by SQLite alone, one synced transaction each`);
    console.log(
      `${STREAMS} open streams: a message arrives after ${streamMedianMs} ms (median), ${at(0.99)} ms (99 of 100)`,
    );
  }
} finally {
  await server.stop();
}
