import { DatabaseError } from "pg";
import { NodeError } from "../../errors.ts";

/** Raised by a function of the schema when an upload would exceed the bounds of the slots. */
export const SLOTS_FULL_STATE = "LK001";

const DISK_FULL = "53100";
const OUT_OF_MEMORY = "53200";
const DEADLOCK = "40P01";
const SERIALIZATION = "40001";

/** Milliseconds after which a client is told to come again while the database is away. */
const RETRY_MS = 1_000;

/** SQLSTATEs of a server that stops, starts, or has lost its connection (classes 08 and 57P). */
const AWAY = /^(?:08|57P0)/;

function stateOf(error: unknown): string | undefined {
  return error instanceof DatabaseError ? error.code : undefined;
}

/** Whether the connection is of no more use. Everything that is no answer of the server counts: time-outs, closed sockets. */
export function breaksConnection(error: unknown): boolean {
  const state = stateOf(error);
  return state === undefined || AWAY.test(state);
}

/** Whether the server has undone the statement so that it can run again at once. */
export function isUndone(error: unknown): boolean {
  const state = stateOf(error);
  return state === DEADLOCK || state === SERIALIZATION;
}

/** Whether the server had no room for so many locks at once. */
export function lacksLocks(error: unknown): boolean {
  return stateOf(error) === OUT_OF_MEMORY;
}

/** The NodeError of what PostgreSQL or the connection to it said; NodeErrors are returned as they are. */
export function translated(cause: unknown): NodeError {
  if (cause instanceof NodeError) return cause;
  const state = stateOf(cause);
  if (state === SLOTS_FULL_STATE) {
    return new NodeError("SLOTS_FULL", "the service holds as many invite slots as it may", { retryable: true });
  }
  if (state === DISK_FULL) {
    const text = "the database server's disk is full, nothing was written; free disk space there";
    return new NodeError("STORE_FULL", text, { retryable: true, cause });
  }
  const said = state === undefined ? "does not answer" : `failed with SQLSTATE ${state}`;
  const text = `the database server ${said}; look at its log, and repeat the call`;
  return new NodeError("STORE_FAILED", text, { retryable: true, retryAfterMs: RETRY_MS, cause });
}
