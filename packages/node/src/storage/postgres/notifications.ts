import { setTimeout as wait } from "node:timers/promises";
import type { Client } from "pg";
import type { Connections } from "./connections.ts";
import { topicKey, type TopicWatch } from "./topic-watch.ts";

const CHANNEL = "latchkey";

/** Bytes of one notification; PostgreSQL takes less than 8 000. */
const MAX_BYTES = 7_500;

/** How often a process looks after what it hears. */
export interface ListeningTimes {
  /** Milliseconds between two heartbeats, which the process sends to itself: a connection that is gone is seen by them. */
  readonly heartbeatMs: number;
  /** Milliseconds between two looks for what notifications have missed, with a share of it by chance. */
  readonly pollMs: number;
}

export const LISTENING_TIMES: ListeningTimes = { heartbeatMs: 10_000, pollMs: 2_000 };

const POLL_JITTER = 0.5;

/** Milliseconds between two attempts to connect, doubled up to the second. */
const RECONNECT_MS = [100, 2_000] as const;

/**
 * Tells the other processes which topics have grown, and hears of theirs. Notifications leave in a transaction of their own,
 * because PostgreSQL lets transactions that notify commit only one after the other. Behind them all topics with readers are
 * asked for in turn, so a notification that is lost costs seconds.
 */
export class Notifications {
  readonly #connections: Connections;
  readonly #logs: readonly TopicWatch[];
  readonly #times: ListeningTimes;
  readonly #stop = new AbortController();
  #client: Client | undefined;
  /** Notifications of ours carry it, so that we skip them. */
  #origin = "";
  /** Topics by log that the others are not told of yet. */
  #untold: Map<string, bigint>[];
  /** Whether something may be stored that nobody knows of. */
  #owesAll = false;
  #isTelling = false;
  #loops: readonly Promise<void>[] = [];

  constructor(connections: Connections, logs: readonly TopicWatch[], times: ListeningTimes) {
    this.#connections = connections;
    this.#times = times;
    this.#logs = logs;
    this.#untold = logs.map(() => new Map<string, bigint>());
  }

  /** Resolves when this process hears of appends. Throws as `Connections.connect`. */
  async start(): Promise<void> {
    await this.#connect();
    this.#loops = [this.#keepListening(), this.#keepPolling()];
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#client?.end().catch(() => undefined);
    await Promise.all(this.#loops);
  }

  /** Tells the others; calls that come while a notification leaves share the next one. */
  tell(log: number, topics: ReadonlyMap<string, bigint>): void {
    const untold = this.#untold[log];
    for (const [topic, id] of topics) untold?.set(topic, id);
    void this.#tell();
  }

  /** Lets all processes look at all their topics. */
  tellAll(): void {
    this.#owesAll = true;
    void this.#tell();
  }

  async #tell(): Promise<void> {
    const client = this.#client;
    if (this.#isTelling || client === undefined) return;
    this.#isTelling = true;
    try {
      for (let texts = this.#takeTexts(); texts.length > 0; texts = this.#takeTexts()) {
        const values = [CHANNEL, texts];
        await client.query({
          name: "notify",
          text: "SELECT pg_notify($1, text) FROM unnest($2::text[]) AS text",
          values,
        });
      }
    } catch {
      this.#owesAll = true;
      this.#lose(client);
    } finally {
      this.#isTelling = false;
    }
  }

  #takeTexts(): string[] {
    const texts = this.#untold.flatMap((untold, log) => textsOf(`${this.#origin} ${log} `, untold));
    this.#untold = this.#logs.map(() => new Map<string, bigint>());
    if (this.#owesAll) texts.push(`${this.#origin} all`);
    this.#owesAll = false;
    return texts;
  }

  #hear(text: string): void {
    const [origin, log, topics] = text.split(" ");
    if (log === "all") {
      void this.#pollAll();
      return;
    }
    const watch = this.#logs[Number(log)];
    if (origin === this.#origin || watch === undefined) return;
    for (const entry of topics?.split(",") ?? []) {
      const [topic, id] = entry.split(".");
      if (topic !== undefined && id !== undefined) watch.grown(topicKey(topic), BigInt(id));
    }
  }

  async #connect(): Promise<void> {
    const client = await this.#connections.connect();
    client.on("notification", ({ payload }) => this.#hear(payload ?? ""));
    client.once("error", () => this.#lose(client)).once("end", () => this.#lose(client));
    try {
      await client.query(`LISTEN ${CHANNEL}`);
      const { rows } = await client.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
      this.#origin = `${rows[0]?.pid ?? 0}`;
    } catch (error) {
      await client.end().catch(() => undefined);
      throw error;
    }
    if (this.#stop.signal.aborted) await client.end().catch(() => undefined);
    else this.#client = client;
  }

  /** Gives up a connection; the loop makes another. */
  #lose(client: Client): void {
    if (this.#client !== client) return;
    this.#client = undefined;
    client.end().catch(() => undefined);
  }

  async #keepListening(): Promise<void> {
    let pauseMs: number = RECONNECT_MS[0];
    while (!this.#stop.signal.aborted) {
      const client = this.#client;
      if (client !== undefined) {
        pauseMs = RECONNECT_MS[0];
        await this.#pause(this.#times.heartbeatMs, client);
        // The query fails after its time-out when the server is gone without a word.
        await client.query(`NOTIFY ${CHANNEL}`).catch(() => this.#lose(client));
        continue;
      }
      try {
        await this.#connect();
        await this.#pollAll();
        void this.#tell();
      } catch {
        await this.#pause(pauseMs);
        pauseMs = Math.min(2 * pauseMs, RECONNECT_MS[1]);
      }
    }
  }

  async #keepPolling(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      await this.#pause(this.#times.pollMs * (1 + POLL_JITTER * (Math.random() - 0.5)));
      for (const log of this.#logs) await log.poll().catch(() => undefined);
    }
  }

  async #pollAll(): Promise<void> {
    for (const log of this.#logs) await log.pollAll().catch(() => undefined);
  }

  /** Ends early when the store closes, or when the connection ends. */
  async #pause(ms: number, client?: Client): Promise<void> {
    const over = new AbortController();
    const signal = AbortSignal.any([over.signal, this.#stop.signal]);
    const end = (): void => over.abort();
    client?.once("end", end);
    await wait(ms, undefined, { signal, ref: false }).catch(() => undefined);
    client?.off("end", end);
  }
}

/** Topics with their newest ids, in as many texts as they need. */
function textsOf(start: string, topics: ReadonlyMap<string, bigint>): string[] {
  const texts: string[] = [];
  let text = "";
  for (const [topic, id] of topics) {
    const entry = `${Buffer.from(topic, "latin1").toString("base64url")}.${id}`;
    if (text !== "" && start.length + text.length + entry.length >= MAX_BYTES) {
      texts.push(start + text);
      text = "";
    }
    text += text === "" ? entry : `,${entry}`;
  }
  if (text !== "") texts.push(start + text);
  return texts;
}
