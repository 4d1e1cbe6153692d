import { clientError } from "../../errors.ts";
import { CLIENT_LIMITS } from "../../limits.ts";
import { inTransaction, type SqlDriver } from "./driver.ts";
import { damaged } from "./errors.ts";
import { MIGRATIONS, SCHEMA_VERSION } from "./schema.ts";

/**
 * SQLite's application id says whose a file is, "LKdb"; while a process of Node has it open it says "LKop". A file that
 * says so without its write-ahead log beside it was copied while it was open: it lacks what stood in that log, and going
 * on from there would use message keys a second time.
 */
export const APPLICATION_ID = { closed: 0x4c4b6462, open: 0x4c4b6f70 } as const;

/** Settings of a database. */
export interface DatabaseOptions {
  /** Largest size of the database in pages of 4096 bytes; beyond it every write fails with STORE_FULL. */
  readonly maxPages?: number;
}

/** The number that a pragma returns. */
export function pragma(
  driver: SqlDriver,
  name: "application_id" | "freelist_count" | "page_count" | "page_size" | "user_version",
): number {
  return Number(driver.prepare(`PRAGMA ${name}`).all()[0]?.[name]);
}

export function setApplicationId(driver: SqlDriver, id: number): void {
  driver.exec(`PRAGMA application_id = ${id}`);
}

/** Sets what holds for the connection; to be called first. */
export function configure(driver: SqlDriver, options: DatabaseOptions): void {
  // One process only: two would each turn the same ratchet and use a nonce twice.
  driver.exec("PRAGMA locking_mode = EXCLUSIVE");
  // FULL: a transaction that was reported done survives a power failure; a lost one could mean a nonce used twice.
  driver.exec("PRAGMA synchronous = FULL");
  // What is deleted is overwritten, and nothing is written outside of the database and its log.
  driver.exec("PRAGMA secure_delete = ON; PRAGMA temp_store = MEMORY");
  limitSize(driver, options);
}

/** Bounds the database to `maxPages`. */
export function limitSize(driver: SqlDriver, { maxPages }: DatabaseOptions): void {
  if (maxPages !== undefined) driver.exec(`PRAGMA max_page_count = ${maxPages}`);
}

/** Throws STORE_DAMAGED for the database of another program, STORE_VERSION for one of a newer version of this one. */
export function refuseForeign(driver: SqlDriver): void {
  const version = pragma(driver, "user_version");
  const id = pragma(driver, "application_id");
  // Before they had an application id, databases had a version.
  const isOurs = id === APPLICATION_ID.closed || id === APPLICATION_ID.open || (id === 0 && version > 0);
  if (!isOurs) throw damaged("the file is the database of another program; name another path");
  if (version <= SCHEMA_VERSION) return;
  throw clientError(
    "STORE_VERSION",
    `the database is of version ${version}, this program knows up to ${SCHEMA_VERSION}; update the program`,
    { data: { version, supported: SCHEMA_VERSION } },
  );
}

/** Looks through the whole database, about a second for each cached gigabyte. Throws STORE_DAMAGED. */
export function refuseDamaged(driver: SqlDriver): void {
  const [verdict] = driver.prepare("PRAGMA quick_check(1)").all();
  if (verdict?.["quick_check"] === "ok") return;
  throw damaged("the database is damaged; put back a copy that was made while it was closed", verdict);
}

/** Brings a new or older database to the present version, each step in a transaction of its own. */
export function migrate(driver: SqlDriver): void {
  for (let version = pragma(driver, "user_version"); version < SCHEMA_VERSION; version++) {
    inTransaction(driver, () => driver.exec(`${MIGRATIONS[version] ?? ""}; PRAGMA user_version = ${version + 1}`));
  }
}

/** Gives room back to the disk when most of the file is empty; otherwise the next rows fill it. */
export function shrink(driver: SqlDriver): void {
  const free = pragma(driver, "freelist_count");
  if (free < CLIENT_LIMITS.minFreePages || free * 2 < pragma(driver, "page_count")) return;
  try {
    driver.exec("VACUUM");
  } catch {
    // It takes room for a second copy; without it the file stays as large as it is.
  }
}
