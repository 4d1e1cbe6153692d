import { concatBytes, utf8, type CipherSuite } from "@latchkey/mls";
import { RowSealer } from "./row-sealer.ts";
import {
  TABLE_KEYS,
  type AnyTable,
  type BytesField,
  type Row,
  type Store,
  type TableName,
  type Tables,
  type Value,
} from "./store.ts";

/**
 * The field of each table that carries the sealed row; everything but the row's key is inside of it. Rows of the others
 * stay readable: `groups`, `unsupportedGroups`, `forgottenGroups`, `gaps`, `rejections` and `defects` say how far a log was read and what was refused,
 * `identityUpdates` are public entries of the node's log, each signed, `leaveRequests` and `expiries` are keys and nothing else, and
 * with `encryption` opening begins.
 */
export const CARRIERS = {
  encryption: undefined,
  identity: "signaturePrivateKey",
  keyPackages: "bundle",
  waitingWelcomes: "welcomePointer",
  unsupportedGroups: undefined,
  groups: undefined,
  groupRows: "value",
  messages: "content",
  messageIds: "messageId",
  expiries: undefined,
  outbox: "plaintext",
  pendingCommits: "rows",
  joins: "rows",
  followUps: "payload",
  identityUpdates: undefined,
  identityVerdicts: "verdict",
  admissions: "externalGroupId",
  leaveRequests: undefined,
  slotCredentials: "credentials",
  inviteRenewals: "template",
  rejections: undefined,
  defects: undefined,
  deviceLinks: "installationKey",
  histories: "welcomedBy",
  hints: "committer",
  gaps: undefined,
  readds: "inboxId",
  forgottenGroups: undefined,
} as const satisfies { readonly [T in TableName]: BytesField<T> | undefined };

/** All tables, by their names. */
export const TABLE_NAMES = Object.keys(TABLE_KEYS) as TableName[];

/** What stands in the place of a field that is sealed, of the same type. */
function blank(value: Value): Value {
  if (value instanceof Uint8Array) return new Uint8Array(0);
  if (typeof value === "string") return "";
  return typeof value === "bigint" ? 0n : undefined;
}

/** A table whose rows are sealed on the way to `inner` and opened on the way back. */
function sealedTable(inner: AnyTable, sealer: RowSealer, keyFields: readonly string[], carrier: string): AnyTable {
  const keyOf = (row: Row) => keyFields.map((field) => row[field]);
  const opened = (row: Row): Row => {
    const sealed = row[carrier];
    return { ...row, ...sealer.open(keyOf(row), sealed instanceof Uint8Array ? sealed : new Uint8Array(0)) };
  };
  return {
    get(...key) {
      const row = inner.get(...key);
      return row === undefined ? undefined : opened(row);
    },
    list: (...prefix) => inner.list(...prefix).map(opened),
    listAfter: (...key) => inner.listAfter(...key).map(opened),
    count: (...prefix) => inner.count(...prefix),
    put(row) {
      const kept: Record<string, Value> = {};
      const hidden: Record<string, Value> = {};
      for (const [field, value] of Object.entries(row)) {
        const isKey = keyFields.includes(field);
        kept[field] = isKey ? value : blank(value);
        if (!isKey) hidden[field] = value;
      }
      inner.put({ ...kept, [carrier]: sealer.seal(keyOf(row), hidden) });
    },
    delete: (...prefix) => inner.delete(...prefix),
  };
}

/** One key for each table, from the key of the database. */
export type Sealers = ReadonlyMap<TableName, RowSealer>;

/** The sealers of all tables that are sealed; `databaseKey` is uniformly random. */
export function sealersOf(suite: CipherSuite, databaseKey: Uint8Array): Sealers {
  const sealed = TABLE_NAMES.filter((name) => CARRIERS[name] !== undefined);
  return new Map(
    sealed.map((name) => {
      const purpose = concatBytes(utf8("latchkey store 1 table "), utf8(name));
      return [name, new RowSealer(suite, suite.hkdfExpand(databaseKey, purpose, suite.aeadKeyLength), name)];
    }),
  );
}

/** Tables that seal what is written and open what is read. */
export function sealedTables<T extends Tables | Store>(inner: T, sealers: Sealers): T {
  const tables = { ...inner } as unknown as Record<TableName, AnyTable>;
  for (const [name, sealer] of sealers) {
    const carrier = CARRIERS[name];
    if (carrier !== undefined) tables[name] = sealedTable(tables[name], sealer, TABLE_KEYS[name], carrier);
  }
  return tables as unknown as T;
}

/** A store of which only keys of rows, and the tables that `CARRIERS` leaves out, can be read without the sealers. */
export function sealedStore(inner: Store, sealers: Sealers): Store {
  return {
    ...sealedTables(inner, sealers),
    transaction: (write) => inner.transaction((tables) => write(sealedTables(tables, sealers))),
    close: () => inner.close(),
  };
}
