import type { KeyPackageStore, Store, StoreContext, StoreFactory } from "../storage.ts";
import { bytes, Database, type DatabaseOptions } from "./database.ts";
import { GroupCommit } from "./group-commit.ts";
import { sqliteIdentityStore } from "./identity-store.ts";
import { sqliteSlotStore } from "./slot-store.ts";
import { LOG_TABLES, LogRows, sqliteTopicLog } from "./topic-log.ts";

function sqliteKeyPackageStore(database: Database, writes: GroupCommit): KeyPackageStore {
  const put = database.prepare(
    `INSERT INTO key_packages (installation_key, key_package) VALUES (?, ?)
     ON CONFLICT DO UPDATE SET key_package = excluded.key_package`,
  );
  const get = database.prepare("SELECT key_package FROM key_packages WHERE installation_key = ?");
  return {
    async put(installationKey, keyPackage) {
      await writes.run(() => put.run(installationKey, keyPackage));
    },
    async get(installationKey) {
      const row = get.get(installationKey);
      return row === undefined ? undefined : bytes(row, "key_package");
    },
  };
}

function larger(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}

/**
 * Opens the store of a data directory, and creates what is missing.
 * @throws NodeError `STORE_LOCKED`, `STORE_VERSION`, `STORE_FULL`, `STORE_FAILED`
 */
export function openSqliteStore(options: DatabaseOptions & StoreContext): Store {
  const database = Database.open(options);
  const writes = new GroupCommit(database);
  const check = database.prepare("SELECT 1 AS one");
  const newest = LOG_TABLES.map((table) => new LogRows(database, table, options.clock));
  return {
    groupMessages: sqliteTopicLog(database, writes, "group_messages", options.clock),
    welcomes: sqliteTopicLog(database, writes, "welcomes", options.clock),
    commitLog: sqliteTopicLog(database, writes, "commit_log", options.clock),
    identity: sqliteIdentityStore(database, options.clock),
    keyPackages: sqliteKeyPackageStore(database, writes),
    slots: sqliteSlotStore(database, writes),
    async newestStampNs() {
      return newest.reduce((stampNs, rows) => larger(stampNs, rows.newestStampNs()), 0n);
    },
    async check() {
      check.get();
      database.check();
    },
    inspect() {
      return database.inspect();
    },
    async close() {
      writes.flush();
      database.close();
    },
  };
}

/** Opens the SQLite database of a directory, as `createNode({ dataDir })` does; for stores that add something to it. */
export function sqliteStore(dataDir: string): StoreFactory {
  return (context) => openSqliteStore({ ...context, dataDir });
}
