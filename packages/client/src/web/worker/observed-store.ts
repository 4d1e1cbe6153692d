import { toHex } from "@latchkey/mls";
import type { AnyTable, Row, Store, TableName, Tables, Value } from "../../store/store.ts";

/** Tables of which a page shows something. */
const SHOWN = [
  "groups",
  "groupRows",
  "messages",
  "outbox",
  "joins",
  "admissions",
  "expiries",
] as const satisfies readonly TableName[];

/** A store that tells, behind each transaction, of which groups something changed: ids in hex. */
export function observedStore(store: Store, onChange: (groupIds: ReadonlySet<string>) => void): Store {
  return {
    ...store,
    transaction(write) {
      const changed = new Set<string>();
      const result = store.transaction((tables) => write(observedTables(tables, changed)));
      if (changed.size > 0) onChange(changed);
      return result;
    },
    close: () => store.close(),
  };
}

function observedTables(tables: Tables, changed: Set<string>): Tables {
  const note = (groupId: Value) => {
    if (groupId instanceof Uint8Array) changed.add(toHex(groupId));
  };
  const observed = { ...tables } as unknown as Record<TableName, AnyTable>;
  for (const name of SHOWN) {
    const table = observed[name];
    observed[name] = {
      get: (...key: Value[]) => table.get(...key),
      list: (...prefix: Value[]) => table.list(...prefix),
      listAfter: (...key: Value[]) => table.listAfter(...key),
      count: (...prefix: Value[]) => table.count(...prefix),
      put(row: Row) {
        note(row["groupId"]);
        table.put(row);
      },
      delete(...prefix: Value[]) {
        note(prefix[0]);
        table.delete(...prefix);
      },
    };
  }
  return observed as unknown as Tables;
}
