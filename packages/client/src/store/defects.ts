import { toHex, type LatchkeyError } from "@latchkey/mls";
import { tell } from "../callbacks.ts";
import type { Clock } from "../clock.ts";
import { asDefect, scopeOf, verdictOf } from "../errors.ts";
import { CLIENT_LIMITS } from "../limits.ts";
import type { Store, Tables } from "./store.ts";
import { surplus } from "./surplus.ts";

/** What this program failed at by a mistake of its own. */
export interface Defect {
  /** In hex; undefined for a Welcome. */
  readonly groupId: string | undefined;
  /** Position of the message in its log, when one was set aside; undefined for work in the background. */
  readonly sequenceId: bigint | undefined;
  /** Code `DEFECT`, with the exception as `cause`. */
  readonly error: LatchkeyError;
}

/** Told of a defect; what it throws is ignored. */
export type DefectListener = (defect: Defect) => void;

/** Where defects are counted and reported. */
interface DefectContext {
  readonly store: Store;
  readonly clock: Clock;
  readonly onDefect?: DefectListener;
}

/** In the place of a group id, for Welcomes: no group has an id without bytes. */
const WELCOMES = new Uint8Array(0);

/** One entry of the log of a group, or of the topic of Welcomes when there is no group. */
interface Entry {
  readonly groupId?: Uint8Array;
  readonly id: bigint;
}

/** Tells the application of a defect. */
export function reportDefect(context: Pick<DefectContext, "onDefect">, defect: Defect): void {
  tell(context.onDefect, defect);
}

/** Of work that nobody waits for: family errors are expected there, anything else is a defect. */
export function reportInBackground(context: DefectContext, groupId: Uint8Array, error: unknown): void {
  if (scopeOf(error) !== "defect") return;
  reportDefect(context, { groupId: toHex(groupId), sequenceId: undefined, error: asDefect(error) });
}

/**
 * The verdict on an entry that failed. One that fails by a defect is read again, and set aside with code DEFECT once it
 * has failed in `maxDefectSyncs` syncs, each `defectIntervalNs` after the one before; the count survives restarts.
 *
 * @throws the error when it says nothing about the entry; DEFECT while a defect is still to be tried again.
 */
export function verdictOn(
  context: DefectContext,
  { groupId, id }: Entry,
  error: unknown,
  signal: AbortSignal | undefined,
): LatchkeyError {
  if (scopeOf(error, signal) !== "defect") return verdictOf(error, signal);
  const defect = asDefect(error);
  const key = groupId ?? WELCOMES;
  const syncs = context.store.transaction((tables) => count(tables, key, id, context.clock.nowNs()));
  if (syncs < CLIENT_LIMITS.maxDefectSyncs) throw defect;
  const told = groupId === undefined ? undefined : toHex(groupId);
  reportDefect(context, { groupId: told, sequenceId: id, error: defect });
  return defect;
}

function count({ defects }: Tables, groupId: Uint8Array, id: bigint, nowNs: bigint): bigint {
  const known = defects.get(groupId, id);
  const sinceNs = known === undefined ? CLIENT_LIMITS.defectIntervalNs : nowNs - known.countedAtNs;
  if (known !== undefined && sinceNs >= 0n && sinceNs < CLIENT_LIMITS.defectIntervalNs) return known.syncs;
  const isLater = sinceNs >= CLIENT_LIMITS.defectIntervalNs;
  // A clock that was set back begins a new minute and proves none.
  const syncs = (known?.syncs ?? 0n) + (isLater ? 1n : 0n);
  if (syncs >= CLIENT_LIMITS.maxDefectSyncs) {
    defects.delete(groupId, id);
    return syncs;
  }
  defects.put({ groupId, id, syncs, countedAtNs: nowNs });
  for (const old of surplus(defects.list(groupId), CLIENT_LIMITS.maxDefects)) defects.delete(groupId, old.id);
  return syncs;
}
