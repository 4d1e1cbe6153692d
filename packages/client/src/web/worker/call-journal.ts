import { keyedRecords } from "./keyed-records.ts";

/** A call that began, and the groups there were before it. */
interface BegunCall {
  readonly name: string;
  readonly before: readonly string[];
}

/**
 * Calls that have an effect of which the client itself has no name. A tab repeats its call when the leader has changed
 * before it answered; the new leader sees here what there was before the call first began.
 */
export interface CallJournal {
  /** What there was when the call of that id began; `now` is asked the first time only. */
  begin(id: string, now: () => readonly string[]): Promise<readonly string[]>;
}

/** The calls of an installation, in IndexedDB. */
export function indexedDbCalls(name: string): CallJournal {
  const calls = keyedRecords<BegunCall>(`${name}-calls`);
  return {
    async begin(id, now) {
      const begun = await calls.get(id);
      if (begun !== undefined) return begun.before;
      const before = now();
      await calls.put({ name: id, before });
      return before;
    },
  };
}

/** The calls of an installation that ends with its tab. */
export function memoryCalls(): CallJournal {
  const calls = new Map<string, readonly string[]>();
  return {
    async begin(id, now) {
      const before = calls.get(id) ?? now();
      calls.set(id, before);
      return before;
    },
  };
}
