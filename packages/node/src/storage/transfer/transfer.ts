import { optional, requireBigint, requireEither, requireFields, requireFunction } from "@latchkey/mls";
import { checked, NodeError } from "../../errors.ts";
import { MAX_PATH_CHARACTERS, requireName } from "../../options.ts";
import { requirePostgresUrl } from "../postgres/url.ts";
import { openPostgresTransfer } from "./postgres-transfer.ts";
import { openSqliteTransfer } from "./sqlite-transfer.ts";
import { keyOf, TABLES, type Table, type TransferStore, type Value } from "./tables.ts";

/** A step of a transfer that is done. */
export interface TransferProgress {
  readonly table: string;
  /** Rows of the table that this run has copied so far. */
  readonly rows: number;
}

/** A transfer between the SQLite database of a directory and a PostgreSQL database, while no node uses either. */
export interface TransferOptions {
  readonly dataDir: string;
  readonly url: string;
  readonly onProgress?: (progress: TransferProgress) => void;
}

const requireDirectory = requireName("a path of a directory", MAX_PATH_CHARACTERS);

const requireTransfer = requireFields<TransferOptions>({
  dataDir: requireDirectory,
  url: requirePostgresUrl,
  onProgress: optional(requireFunction<NonNullable<TransferOptions["onProgress"]>>()),
});

const requirePlace = requireEither(
  "a directory or the address of a PostgreSQL database",
  requirePostgresUrl,
  requireDirectory,
);

/** Ids that a counter of SQLite and PostgreSQL holds. */
const requireIds = optional(requireBigint(1n, 2n ** 62n));

/** Ids that `bumpIds` skips by default: more than any node gives between two back-ups. */
export const BUMP = 100_000_000n;

/**
 * Copies a node's data from SQLite to PostgreSQL with all ids and times. A transfer that was interrupted goes on where it was.
 * @throws NodeError `STORE_LOCKED` when a node uses the directory, `ARGUMENT_INVALID` when the database holds other data
 */
export async function importToPostgres(options: TransferOptions): Promise<void> {
  const { dataDir, url, onProgress } = checked(requireTransfer, options, "options");
  const target = await openPostgresTransfer(url);
  await using(target, async () => {
    const source = openSqliteTransfer(dataDir);
    await using(source, () => transfer(source, target, onProgress));
  });
}

/** The same from PostgreSQL to SQLite. */
export async function exportFromPostgres(options: TransferOptions): Promise<void> {
  const { dataDir, url, onProgress } = checked(requireTransfer, options, "options");
  const source = await openPostgresTransfer(url);
  await using(source, async () => {
    const target = openSqliteTransfer(dataDir);
    await using(target, () => transfer(source, target, onProgress));
  });
}

/**
 * Skips ids in all logs, after an older copy of the data was put back: ids that clients have seen are not given again.
 * @param where the directory of a SQLite database, or the url of a PostgreSQL database
 */
export async function bumpIds(where: string, by: bigint = BUMP): Promise<void> {
  const place = checked(requirePlace, where, "where");
  checked(requireIds, by, "by");
  const store = place.startsWith("postgres") ? await openPostgresTransfer(place) : openSqliteTransfer(place);
  await using(store, async () => {
    for (const table of TABLES) {
      if (table.isSequence) await store.raiseSequence(table, (await store.sequence(table)) + by);
    }
  });
}

async function using(store: TransferStore, run: () => Promise<void>): Promise<void> {
  try {
    await run();
  } finally {
    await store.close();
  }
}

/** Copies what the target does not have yet. */
export async function transfer(
  source: TransferStore,
  target: TransferStore,
  onProgress?: (progress: TransferProgress) => void,
): Promise<void> {
  const begin = new Map<Table, Value[] | undefined>();
  for (const table of TABLES) begin.set(table, await placeToBegin(table, source, target));
  for (const [table, start] of begin) {
    let key = start;
    let rows = 0;
    for (;;) {
      const step = await source.rowsAfter(table, key);
      const last = step.at(-1);
      if (last === undefined) break;
      await target.write(table, step);
      key = keyOf(table).flatMap((name) => last[name] ?? []);
      rows += step.length;
      onProgress?.({ table: table.name, rows });
    }
    if (table.isSequence) await target.raiseSequence(table, await source.sequence(table));
  }
  await target.finish();
}

/** Behind the last row of an earlier run; throws ARGUMENT_INVALID when that row is none of the source. */
async function placeToBegin(table: Table, source: TransferStore, target: TransferStore): Promise<Value[] | undefined> {
  if (!table.isSequence) return undefined;
  const id = await target.lastId(table);
  if (id === 0n) return undefined;
  const [there, here] = [await target.fingerprint(table, id), await source.fingerprint(table, id)];
  if (there !== undefined && here !== undefined && Buffer.from(there).equals(here)) return [id];
  throw new NodeError(
    "ARGUMENT_INVALID",
    `the target's table ${table.name} holds other data; name an empty database or directory`,
  );
}
