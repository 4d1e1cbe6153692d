import { toHex } from "@latchkey/mls";
import type { GroupRecord } from "./records.ts";
import { TABLE_NAMES } from "./sealed-store.ts";
import type { ReadTables, Store, Tables } from "./store.ts";

/** The entries of groups that are not shown, by group id: few, and asked for with every message that leaves. */
export interface HiddenGroups {
  /** The entries of a group id, oldest first. */
  of(mlsGroupId: Uint8Array): readonly GroupRecord[];
}

/**
 * A store with its hidden groups in memory. They are read anew after a transaction that wrote or deleted one, and within it:
 * what it writes may be undone.
 */
export function withHiddenGroups(inner: Store): { readonly store: Store; readonly hiddenGroups: HiddenGroups } {
  let known: Map<string, GroupRecord[]> | undefined;
  let keys = new Set<string>();

  function read(): Map<string, GroupRecord[]> {
    const hidden = inner.groups.list().filter(({ role }) => role !== "shown");
    hidden.sort((a, b) => (a.createdAtNs < b.createdAtNs ? -1 : 1));
    keys = new Set(hidden.map(({ groupId }) => toHex(groupId)));
    return (known = Map.groupBy(hidden, ({ mlsGroupId }) => toHex(mlsGroupId)));
  }

  function transaction<T>(write: (tables: Tables) => T): T {
    let isStale = false;
    const noteStale = (is: boolean) => {
      if (!is) return;
      isStale = true;
      known = undefined;
    };
    const watched = ({ groups }: Tables): Tables["groups"] => ({
      get: (groupId) => groups.get(groupId),
      list: (...prefix) => groups.list(...prefix),
      listAfter: (groupId) => groups.listAfter(groupId),
      count: (...prefix) => groups.count(...prefix),
      put(row) {
        noteStale(row.role !== "shown" || keys.has(toHex(row.groupId)));
        groups.put(row);
      },
      delete(...prefix) {
        noteStale(true);
        groups.delete(...prefix);
      },
    });
    try {
      return inner.transaction((tables) => write({ ...tablesOf(tables), groups: watched(tables) }));
    } finally {
      noteStale(isStale);
    }
  }

  const store: Store = { ...tablesOf(inner), transaction, close: () => inner.close() };
  return { store, hiddenGroups: { of: (mlsGroupId) => (known ?? read()).get(toHex(mlsGroupId)) ?? [] } };
}

function tablesOf<T extends ReadTables>(tables: T): T {
  return Object.fromEntries(TABLE_NAMES.map((name) => [name, tables[name]])) as unknown as T;
}
