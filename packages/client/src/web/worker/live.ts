import type { Client as RpcClient } from "@connectrpc/connect";
import { fromHex, toHex } from "@latchkey/mls";
import type { MlsApi } from "@latchkey/xmtp/proto";
import type { Client } from "../../api/client.ts";
import { Backoff, isAborted, systemClock } from "../../clock.ts";
import type { Store } from "../../store/store.ts";
import type { Connection } from "../protocol.ts";

/** Waits between two attempts to subscribe, in milliseconds: the base and the longest. */
const RETRY_MS = { base: 1_000, cap: 15_000 };

/** A subscription that says nothing is made anew after so many milliseconds: a network can fail in silence. */
const QUIET_MS = 120_000;

/** What following needs. */
export interface LiveOptions {
  readonly client: Client;
  readonly store: Store;
  readonly mls: RpcClient<typeof MlsApi>;
  readonly onConnection: (connection: Connection) => void;
}

/**
 * Reads groups and Welcomes as they come. Two subscriptions serve all groups, because browsers open six connections to
 * an origin, over all tabs together; what they bring only says which group to read.
 */
export class Live {
  readonly #options: LiveOptions;
  readonly #closing = new AbortController();
  /** Ends the present subscriptions, to make them anew. */
  #round = new AbortController();
  readonly #reading = new Map<string, { again: boolean }>();

  constructor(options: LiveOptions) {
    this.#options = options;
    void this.#follow();
  }

  /** Looks at once: a network came back, a page was shown, the set of groups changed. */
  look(): void {
    this.#round.abort();
  }

  close(): void {
    this.#closing.abort();
    this.#round.abort();
  }

  async #follow(): Promise<void> {
    const { client, onConnection } = this.#options;
    const newBackoff = () => new Backoff(Math.random, RETRY_MS.base, RETRY_MS.cap);
    let backoff = newBackoff();
    while (!isAborted(this.#closing.signal)) {
      this.#round = new AbortController();
      const { signal } = this.#round;
      onConnection("connecting");
      try {
        await client.conversations.sync({ signal }).catch((error: unknown) => {
          // One group that cannot be read keeps nobody from the others; a node that is away does.
          if (!isReadable(error)) throw error;
        });
        onConnection("live");
        backoff = newBackoff();
        await this.#subscribe(signal);
      } catch {
        if (!isAborted(signal)) onConnection("offline");
      }
      if (isAborted(signal) || isAborted(this.#closing.signal)) continue;
      await systemClock.sleep(backoff.nextMs(), signal).catch(() => undefined);
    }
  }

  /** Resolves when a subscription ends or has been quiet for long. */
  async #subscribe(signal: AbortSignal): Promise<void> {
    const ending = new AbortController();
    const stop = AbortSignal.any([signal, ending.signal]);
    const ids = this.#groupIds();
    try {
      await Promise.race([this.#groups(ids, stop), this.#welcomes(stop), systemClock.sleep(QUIET_MS, stop)]);
    } finally {
      ending.abort();
    }
  }

  #groupIds(): string[] {
    return this.#options.client.conversations.list().flatMap((group) => (group.isActive ? [group.id] : []));
  }

  async #groups(ids: readonly string[], signal: AbortSignal): Promise<void> {
    const { mls, store } = this.#options;
    const filters = ids.map((id) => ({ groupId: fromHex(id), idCursor: store.groups.get(fromHex(id))?.cursor ?? 0n }));
    if (filters.length === 0) {
      await systemClock.sleep(QUIET_MS, signal);
      return;
    }
    for await (const { version } of mls.subscribeGroupMessages({ filters }, { signal, timeoutMs: 0 })) {
      if (version.case === "v1") void this.#read(toHex(version.value.groupId));
    }
  }

  async #welcomes(signal: AbortSignal): Promise<void> {
    const { mls, store, client } = this.#options;
    const idCursor = store.identity.get("self")?.welcomeCursor ?? 0n;
    const filters = [{ installationKey: fromHex(client.installationId), idCursor }];
    const welcomes = mls.subscribeWelcomeMessages({ filters }, { signal, timeoutMs: 0 })[Symbol.asyncIterator]();
    while ((await welcomes.next()).done !== true) {
      const opened = await client.conversations.sync({ signal }).catch(() => []);
      // The subscription of groups does not know these.
      if (opened.length > 0) this.look();
    }
  }

  /** Reads a group, once more when something came meanwhile. */
  async #read(groupId: string): Promise<void> {
    const running = this.#reading.get(groupId);
    if (running !== undefined) {
      running.again = true;
      return;
    }
    const reading = { again: true };
    this.#reading.set(groupId, reading);
    try {
      while (reading.again) {
        reading.again = false;
        await this.#options.client.conversations.get(groupId)?.sync({ signal: this.#closing.signal });
      }
    } catch {
      // The next round synchronizes everything, and calls of the page report what is wrong.
    } finally {
      this.#reading.delete(groupId);
    }
  }
}

/** Whether an error is of one group and not of the network. */
function isReadable(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return code !== "NODE_UNREACHABLE" && code !== "RATE_LIMITED" && code !== "CLIENT_CLOSED" && code !== undefined;
}
