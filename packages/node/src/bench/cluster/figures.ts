import { randomBytes } from "node:crypto";
import type { ClientHttp2Session } from "node:http2";
import { setTimeout as wait } from "node:timers/promises";
import { Client } from "pg";
import type { PostgresServer } from "../../testing/postgres.ts";
import { call, grpcFrame, openSession } from "../../siege/wire.ts";
import { SEND, sendRequest } from "../../siege/crowd.ts";
import { BenchServer } from "../server.ts";
import { familyMs } from "./processor-time.ts";

/** Calls under way at each process, and the groups that they go to. */
const CONCURRENCY = 64;
const GROUPS_PER_PROCESS = 100;

/** Messages that each process takes before it is measured, because its code is compiled meanwhile; and most milliseconds for it. */
const WARM_MESSAGES = 3_000;
const WARM_MS = 30_000;

/** Milliseconds between two looks at what waits for a lock. */
const LOOK_MS = 50;

/** What some processes took. */
export interface Figures {
  readonly messagesPerSecond: number;
  readonly nodeMsPerMessage: number;
  readonly databaseMsPerMessage: number;
  /** Backends that were seen to wait for a lock or a row of another, of all that were looked at. */
  readonly lockWaits: number;
  readonly looks: number;
}

async function sendAll(url: string, isOver: () => boolean, taken: () => void): Promise<number> {
  const groups = Array.from({ length: GROUPS_PER_PROCESS }, () => new Uint8Array(randomBytes(16)));
  const sessions = await Promise.all([0, 1, 2, 3].map(() => openSession(Number(new URL(url).port))));
  let sent = 0;
  const send = async (session: ClientHttp2Session | undefined): Promise<void> => {
    while (session !== undefined && !isOver()) {
      const group = groups[sent++ % groups.length] ?? randomBytes(16);
      const text = `${sent} ${"x".repeat(180)}`;
      const { status } = await call(session, SEND, grpcFrame(sendRequest(group, text)));
      taken();
      if (status !== "0") throw new Error(`a message was refused with status ${status}`);
    }
  };
  await Promise.all(sessions.flatMap((session) => Array.from({ length: CONCURRENCY / 4 }, () => send(session))));
  for (const session of sessions) session?.destroy();
  return sent;
}

/** Counts who waits for a lock until a time. */
async function watchLocks(postgres: PostgresServer | undefined, untilMs: number) {
  let [lockWaits, looks] = [0, 0];
  if (postgres === undefined) {
    await wait(untilMs - performance.now());
    return { lockWaits, looks };
  }
  const client = new Client({ connectionString: postgres.url() });
  await client.connect();
  for (; performance.now() < untilMs; looks++) {
    await wait(LOOK_MS);
    const waits = "SELECT count(*)::integer AS n FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
    const { rows } = await client.query<{ n: number }>(waits);
    lockWaits += rows[0]?.n ?? 0;
  }
  await client.end();
  return { lockWaits, looks };
}

/** Sends as fast as processes take it, and measures what each message costs them and the database. */
export async function measure(count: number, ms: number, postgres?: PostgresServer): Promise<Figures> {
  const database = await postgres?.createDatabase();
  const servers = await Promise.all(Array.from({ length: count }, () => BenchServer.start(undefined, database)));
  try {
    let phase: "warm" | "measured" | "over" = "warm";
    let taken = 0;
    const warmed = (): number => taken;
    const run = async (until: typeof phase): Promise<number> => {
      const sent = await Promise.all(
        servers.map(({ url }) =>
          sendAll(
            url,
            () => phase === until,
            () => void (taken += 1),
          ),
        ),
      );
      return sent.reduce((sum, one) => sum + one, 0);
    };
    const warm = run("measured");
    const until = performance.now() + WARM_MS;
    while (warmed() < WARM_MESSAGES * count && performance.now() < until) await wait(LOOK_MS);
    phase = "measured";
    await warm;
    const usage = async () =>
      (await Promise.all(servers.map((server) => server.usage()))).map(({ cpuMicros }) => cpuMicros);
    const sum = (values: readonly number[]): number => values.reduce((all, one) => all + one, 0);
    const before = { node: sum(await usage()), database: postgres === undefined ? 0 : familyMs(postgres.pid) };
    const startedMs = performance.now();
    const running = run("over");
    const { lockWaits, looks } = await watchLocks(postgres, startedMs + ms);
    phase = "over";
    const messages = await running;
    const seconds = (performance.now() - startedMs) / 1_000;
    const nodeMs = (sum(await usage()) - before.node) / 1_000;
    const databaseMs = postgres === undefined ? 0 : familyMs(postgres.pid) - before.database;
    return {
      messagesPerSecond: Math.round(messages / seconds),
      nodeMsPerMessage: nodeMs / messages,
      databaseMsPerMessage: databaseMs / messages,
      lockWaits,
      looks,
    };
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
  }
}
