import { NodeError } from "../../errors.ts";
import type { Store, TopicLog } from "../storage.ts";
import type { Connections } from "./connections.ts";
import { integer } from "./rows.ts";

/** Milliseconds between two looks at the size of the database: it may grow beyond its bound for so long. */
const LOOK_MS = 10_000;

/** Refuses writes while the database is larger than its bound; reads go on. */
export class SizeBound {
  readonly #timer: NodeJS.Timeout | undefined;
  #isFull = false;

  constructor(connections: Connections, maxBytes: number) {
    if (maxBytes === 0) return;
    const look = async (): Promise<void> => {
      const size = "SELECT pg_database_size(current_database()) AS size";
      const [row] = await connections.run({ name: "size", text: size, values: [] });
      this.#isFull = integer(row, "size") > BigInt(maxBytes);
    };
    this.#timer = setInterval(() => void look().catch(() => undefined), LOOK_MS).unref();
    void look().catch(() => undefined);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** The store with its writes behind the bound. */
  around(store: Store): Store {
    const log = (inner: TopicLog): TopicLog => ({
      ...inner,
      append: (batch) => this.#unlessFull(() => inner.append(batch)),
    });
    return {
      ...store,
      groupMessages: log(store.groupMessages),
      welcomes: log(store.welcomes),
      commitLog: log(store.commitLog),
      identity: { ...store.identity, append: (update) => this.#unlessFull(() => store.identity.append(update)) },
      keyPackages: {
        ...store.keyPackages,
        put: (key, bytes) => this.#unlessFull(() => store.keyPackages.put(key, bytes)),
      },
      slots: { ...store.slots, put: (...upload) => this.#unlessFull(() => store.slots.put(...upload)) },
    };
  }

  async #unlessFull<T>(write: () => Promise<T>): Promise<T> {
    if (!this.#isFull) return write();
    const text = "the database is larger than its bound, nothing was written; raise `databaseBytes` or free room";
    throw new NodeError("STORE_FULL", text, { retryable: true });
  }
}
