import type { ClientContext } from "./client-context.ts";
import type { GroupRecord, HistoryRecord } from "../store/records.ts";
import { TABLE_KEYS, type AnyTable, type ReadTables, type TableName, type Tables } from "../store/store.ts";

/** Bytes of the key of an entry that is not shown: random, so that no group id of others meets it. */
const ENTRY_KEY_BYTES = 16;

/** Rows that say something about a group id, whichever history is shown under it. */
const OF_THE_ID: ReadonlySet<TableName> = new Set(["unsupportedGroups", "forgottenGroups", "joins"]);

/** The tables whose rows belong to one history; a table that begins with a group's key is one of them by default. */
const ENTRY_TABLES = (Object.keys(TABLE_KEYS) as TableName[]).filter(
  (name) => TABLE_KEYS[name][0] === "groupId" && !OF_THE_ID.has(name),
);

const MLS_TABLES: readonly TableName[] = ["groups", "groupRows", "histories"];

function rowsOf(tables: Tables, name: TableName): AnyTable {
  return tables[name] as unknown as AnyTable;
}

/** Deletes everything of an entry. */
export function deleteEntry(tables: Tables, groupId: Uint8Array): void {
  for (const name of ENTRY_TABLES) rowsOf(tables, name).delete(groupId);
}

/** Puts everything of an entry under another key, which has nothing. */
export function moveEntry(tables: Tables, from: Uint8Array, to: Uint8Array): void {
  for (const name of ENTRY_TABLES) moveRows(tables, name, from, to);
}

/** As `moveEntry` for the MLS state alone: messages and all that is shown stay. */
export function moveMlsState(tables: Tables, from: Uint8Array, to: Uint8Array): void {
  for (const name of MLS_TABLES) moveRows(tables, name, from, to);
}

function moveRows(tables: Tables, name: TableName, from: Uint8Array, to: Uint8Array): void {
  const table = rowsOf(tables, name);
  for (const row of table.list(from)) table.put({ ...row, groupId: to });
  table.delete(from);
}

/** A key for an entry that is not shown. */
export function newEntryKey({ crypto }: ClientContext): Uint8Array {
  return crypto.randomBytes(ENTRY_KEY_BYTES);
}

/** The entries of a group id that are not shown, oldest first. */
export function hiddenEntries({ hiddenGroups }: ClientContext, mlsGroupId: Uint8Array): readonly GroupRecord[] {
  return hiddenGroups.of(mlsGroupId);
}

/** Whether a person can choose the entry in place of the one that is shown. */
export function isChoosable({ role, active }: GroupRecord): boolean {
  return active === 1n && (role === "claim" || role === "archived");
}

/** How this installation came by a history; a group that was created or joined by invite has no row. */
export function historyOf(
  { store }: { readonly store: Pick<ReadTables, "histories"> },
  groupId: Uint8Array,
): HistoryRecord {
  return (
    store.histories.get(groupId) ?? {
      groupId,
      welcomedBy: new Uint8Array(0),
      signerKey: new Uint8Array(0),
      trusted: 0n,
      proof: undefined,
      askedAtNs: 0n,
      requestedAtNs: 0n,
    }
  );
}
