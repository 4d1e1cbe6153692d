import { setTimeout as wait } from "node:timers/promises";
import { Client, Pool, type ClientConfig } from "pg";
import { NodeError } from "../../errors.ts";
import { breaksConnection, isUndone, translated } from "./failures.ts";
import { TYPES, type Row } from "./rows.ts";

/** A statement that the server parses once for each connection. */
export interface Statement {
  readonly name: string;
  readonly text: string;
  readonly values: readonly unknown[];
}

/** Name of the connections that append identity updates: `identity_as_of` looks for it. */
export const IDENTITY_APPENDS = "latchkey identity";

/** Connections of a process: for everything, and for identity updates. One more listens. */
const POOL_SIZE = 8;
const IDENTITY_POOL_SIZE = 2;

/** Milliseconds: each statement takes a few, so longer ones are stuck. The client waits longest, for a server that is gone. */
const TIMEOUTS = {
  lock_timeout: 4_000,
  statement_timeout: 8_000,
  query_timeout: 10_000,
  idle_in_transaction_session_timeout: 5_000,
  connectionTimeoutMillis: 3_000,
  keepAliveInitialDelayMillis: 10_000,
};

/** Milliseconds before a statement runs again whose connection broke: a server that restarts is back in about a second. */
const PAUSES_MS: readonly number[] = [50, 250, 700];

/** Times that a statement runs again at once after the server has undone it. */
const MAX_UNDONE = 5;

function ignore(): void {
  // A connection that breaks while nobody uses it is replaced; who uses it sees the error of the statement.
}

/** The connections of one process to a database. Each statement is a transaction of its own. */
export class Connections {
  readonly #config: ClientConfig;
  readonly #pool: Pool;
  readonly #identity: Pool;
  #isClosed = false;

  constructor(connectionString: string) {
    this.#config = { connectionString, types: TYPES, keepAlive: true, ...TIMEOUTS };
    this.#pool = this.#createPool(POOL_SIZE, "latchkey");
    this.#identity = this.#createPool(IDENTITY_POOL_SIZE, IDENTITY_APPENDS);
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Connections in use, and requests that wait for one. */
  get load(): { readonly busy: number; readonly waiting: number } {
    const { totalCount, idleCount, waitingCount } = this.#pool;
    return { busy: totalCount - idleCount, waiting: waitingCount };
  }

  /**
   * Runs a statement that may run twice: after a broken connection nobody knows whether it has run.
   * @throws NodeError `STORE_FAILED`, `STORE_FULL`, `SLOTS_FULL`
   */
  run(statement: Statement): Promise<readonly Row[]> {
    return this.#repeat(this.#pool, statement);
  }

  /** The same on the connections that append identity updates. */
  runIdentity(statement: Statement): Promise<readonly Row[]> {
    return this.#repeat(this.#identity, statement);
  }

  /** A connection of its own, which the caller ends. Without time-outs of statements for work that may take long. */
  async connect(isPatient = false): Promise<Client> {
    if (this.#isClosed) throw closed();
    const patient = { lock_timeout: 0, statement_timeout: 0, query_timeout: 0 };
    const client = new Client({ ...this.#config, application_name: "latchkey", ...(isPatient ? patient : {}) });
    client.on("error", ignore);
    try {
      await client.connect();
      return client;
    } catch (error) {
      await client.end().catch(ignore);
      throw translated(error);
    }
  }

  /** Waits for running statements. Idempotent. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await Promise.all([this.#pool.end(), this.#identity.end()]);
  }

  #createPool(max: number, name: string): Pool {
    const pool = new Pool({ ...this.#config, max, application_name: name });
    pool.on("error", ignore);
    pool.on("connect", (client) => client.on("error", ignore));
    return pool;
  }

  async #repeat(pool: Pool, statement: Statement): Promise<readonly Row[]> {
    let undone = 0;
    let broken = 0;
    for (;;) {
      if (this.#isClosed) throw closed();
      try {
        return await runOn(pool, statement);
      } catch (error) {
        const pauseMs = breaksConnection(error) ? PAUSES_MS[broken++] : undefined;
        const isRepeated = pauseMs !== undefined || (isUndone(error) && undone++ < MAX_UNDONE);
        if (!isRepeated) throw translated(error);
        await wait(pauseMs ?? 0);
      }
    }
  }
}

function closed(): NodeError {
  return new NodeError("STORE_FAILED", "the store is closed");
}

async function runOn(pool: Pool, { name, text, values }: Statement): Promise<readonly Row[]> {
  const client = await pool.connect();
  let isBroken = false;
  try {
    return (await client.query<Row>({ name, text, values: [...values] })).rows;
  } catch (error) {
    isBroken = breaksConnection(error);
    throw error;
  } finally {
    client.release(isBroken);
  }
}
