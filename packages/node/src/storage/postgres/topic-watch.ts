import { bytesKey } from "@latchkey/mls";
import { Notifier } from "../notifier.ts";
import type { Wake } from "../storage.ts";
import type { LogReads } from "./log-reads.ts";

/** Topics that one query asks for. */
const POLLED_TOPICS = 2_048;

interface Watched {
  readers: number;
  /** The newest id that readers were woken for; undefined until it was asked for. */
  newestId: bigint | undefined;
}

/** The topics of one log that this process has readers of. */
export class TopicWatch {
  readonly #reads: LogReads;
  readonly #forget: () => void;
  readonly #notifier = new Notifier();
  readonly #watched = new Map<string, Watched>();
  /** Topics that this round of polling has not asked for yet. */
  #round: string[] = [];

  /** `forget` is called before readers are woken: what was read before does not count any more. */
  constructor(reads: LogReads, forget: () => void) {
    this.#reads = reads;
    this.#forget = forget;
  }

  subscribe(topics: readonly string[], wake: Wake): () => void {
    for (const topic of topics) {
      const known = this.#watched.get(topic);
      if (known === undefined) this.#watched.set(topic, { readers: 1, newestId: undefined });
      else known.readers += 1;
    }
    const unsubscribe = this.#notifier.subscribe(topics, wake);
    return () => {
      unsubscribe();
      for (const topic of topics) this.#leave(topic);
    };
  }

  /** Wakes the readers of a topic. */
  grown(topic: string, newestId: bigint): void {
    const watched = this.#watched.get(topic);
    if (watched === undefined) return;
    if (watched.newestId === undefined || newestId > watched.newestId) watched.newestId = newestId;
    this.#forget();
    this.#notifier.notify(Buffer.from(topic, "latin1"));
  }

  /** Asks for the newest ids of the next topics in turn, and wakes readers of those that have grown unnoticed. */
  async poll(): Promise<void> {
    if (this.#round.length === 0) this.#round = [...this.#watched.keys()];
    await this.#ask(this.#round.splice(0, POLLED_TOPICS));
  }

  /** The same for all topics: notifications may be lost. */
  async pollAll(): Promise<void> {
    this.#round = [...this.#watched.keys()];
    while (this.#round.length > 0) await this.poll();
  }

  async #ask(topics: readonly string[]): Promise<void> {
    const keys = topics.filter((topic) => this.#watched.has(topic));
    const heads = await this.#reads.heads(keys.map((key) => Buffer.from(key, "latin1")));
    for (const [index, key] of keys.entries()) {
      const newestId = heads[index]?.id;
      // A reader that came before the first question may have read before the append that this id tells of.
      if (newestId !== undefined && newestId > (this.#watched.get(key)?.newestId ?? 0n)) this.grown(key, newestId);
    }
  }

  #leave(topic: string): void {
    const watched = this.#watched.get(topic);
    if (watched !== undefined && --watched.readers === 0) this.#watched.delete(topic);
  }
}

/** The key of a topic that a notification names. */
export function topicKey(encoded: string): string {
  return bytesKey(Buffer.from(encoded, "base64url"));
}
