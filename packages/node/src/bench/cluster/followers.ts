import { createClient, type Client } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { MlsApi } from "@latchkey/xmtp/proto";
import { setTimeout as wait } from "node:timers/promises";
import { fieldsOf, textOf } from "../../testing/support.ts";

/** Streams that share a connection. */
const STREAMS_PER_CONNECTION = 100;

/** Milliseconds before a stream that ended is opened again. */
const AGAIN_MS = 50;

/** What a stream has received: ids with their texts, in the order of arrival. */
export interface Follower {
  readonly group: Uint8Array;
  readonly seen: { readonly id: bigint; readonly text: string }[];
}

/** Streams of clients that connect again, anywhere, behind what they have. */
export class Followers {
  readonly followers: readonly Follower[];
  /** Milliseconds from the call that sent a message to its arrival, for texts that begin with their time. */
  readonly latencies: number[] = [];
  readonly #urls: () => readonly string[];
  readonly #stop = new AbortController();
  readonly #sessions = new Map<string, Http2SessionManager>();
  readonly #running: readonly Promise<void>[];
  #ended = 0;

  constructor(groups: readonly Uint8Array[], count: number, urls: () => readonly string[]) {
    this.#urls = urls;
    this.followers = Array.from({ length: count }, (_, at) => ({
      group: groups[at % groups.length] ?? new Uint8Array(),
      seen: [],
    }));
    this.#running = this.followers.map((follower, at) => this.#keep(follower, at));
  }

  /** Streams that ended before their time and were opened again. */
  get reopened(): number {
    return this.#ended;
  }

  async end(): Promise<void> {
    this.#stop.abort();
    for (const session of this.#sessions.values()) session.abort();
    await Promise.all(this.#running);
  }

  async #keep(follower: Follower, at: number): Promise<void> {
    for (let turn = at; !this.#stop.signal.aborted; turn++) {
      const urls = this.#urls();
      const url = urls[turn % Math.max(1, urls.length)];
      if (url !== undefined) await this.#follow(follower, this.#client(url, at)).catch(() => undefined);
      this.#ended += 1;
      await wait(AGAIN_MS);
    }
  }

  async #follow({ group, seen }: Follower, mls: Client<typeof MlsApi>): Promise<void> {
    const filters = [{ groupId: group, idCursor: seen.at(-1)?.id ?? 0n }];
    for await (const message of mls.subscribeGroupMessages({ filters }, { signal: this.#stop.signal })) {
      const text = textOf(message);
      this.latencies.push(performance.now() - Number(text.split(" ", 1)[0]));
      seen.push({ id: fieldsOf(message).id, text });
    }
  }

  #client(baseUrl: string, at: number): Client<typeof MlsApi> {
    const key = `${baseUrl} ${Math.floor(at / STREAMS_PER_CONNECTION)}`;
    let sessionManager = this.#sessions.get(key);
    if (sessionManager === undefined) {
      sessionManager = new Http2SessionManager(baseUrl);
      this.#sessions.set(key, sessionManager);
    }
    return createClient(MlsApi, createGrpcTransport({ baseUrl, sessionManager }));
  }
}
