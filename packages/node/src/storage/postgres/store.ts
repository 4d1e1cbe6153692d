import { checked } from "../../errors.ts";
import type { KeyPackageStore, Store, StoreContext, StoreFactory } from "../storage.ts";
import { Connections } from "./connections.ts";
import { postgresIdentityStore } from "./identity-store.ts";
import { migrate } from "./migrate.ts";
import { LISTENING_TIMES, Notifications, type ListeningTimes } from "./notifications.ts";
import { bytes, integer } from "./rows.ts";
import { LOG_TABLES } from "./schema.ts";
import { postgresSlotStore } from "./slot-store.ts";
import { SizeBound } from "./size-bound.ts";
import { StampFloor } from "./stamp-floor.ts";
import { postgresTopicLog } from "./topic-log.ts";
import { requirePostgresUrl } from "./url.ts";

const TOPIC_LOGS = ["group_messages", "welcomes", "commit_log"] as const;

/**
 * Opens the store of a PostgreSQL database (version 15 or newer), which any number of nodes share.
 * @param url `postgres://user:password@host/database`; other forms are those of the client `pg`
 * @throws NodeError `STORE_VERSION`, `STORE_FAILED`, `ARGUMENT_INVALID`, when the node opens it
 * @example
 * const node = await createNode({ store: openPostgresStore("postgres://latchkey@db.internal/latchkey") });
 */
export function openPostgresStore(url: string): StoreFactory {
  const given = checked(requirePostgresUrl, url, "url");
  return (context) => connectStore(given, context, LISTENING_TIMES);
}

/** The same with other times, for tests. */
export async function connectStore(url: string, { maxBytes }: StoreContext, times: ListeningTimes): Promise<Store> {
  const connections = new Connections(url);
  const floor = new StampFloor();
  try {
    await migrate(connections);
    floor.raise(await newestStampNs(connections));
    const logs = TOPIC_LOGS.map((table, index) =>
      postgresTopicLog(connections, table, floor, {
        tell: (topics) => notifications.tell(index, topics),
        tellAll: () => notifications.tellAll(),
      }),
    );
    const notifications = new Notifications(
      connections,
      logs.map(({ watch }) => watch),
      times,
    );
    await notifications.start();
    const [groupMessages, welcomes, commitLog] = logs.map(({ log }) => log);
    if (groupMessages === undefined || welcomes === undefined || commitLog === undefined) throw new Error("no logs");
    const bound = new SizeBound(connections, maxBytes);
    const store: Store = {
      groupMessages,
      welcomes,
      commitLog,
      identity: postgresIdentityStore(connections, floor),
      keyPackages: postgresKeyPackageStore(connections),
      slots: postgresSlotStore(connections),
      newestStampNs: () => newestStampNs(connections),
      async check() {
        await connections.run({ name: "check", text: "SELECT 1 AS one", values: [] });
      },
      // The server has checksums of its own pages (initdb --data-checksums).
      inspect: () => Promise.resolve(),
      async close() {
        bound.stop();
        await notifications.stop();
        await connections.close();
      },
    };
    return bound.around(store);
  } catch (error) {
    await connections.close();
    throw error;
  }
}

async function newestStampNs(connections: Connections): Promise<bigint> {
  const newest = LOG_TABLES.map((table) => `(SELECT created_ns FROM ${table} ORDER BY id DESC LIMIT 1)`);
  const [row] = await connections.run({
    name: "newest stamp",
    text: `SELECT coalesce(greatest(${newest.join(", ")}), 0) AS stamp_ns`,
    values: [],
  });
  return integer(row, "stamp_ns");
}

function postgresKeyPackageStore(connections: Connections): KeyPackageStore {
  return {
    async put(installationKey, keyPackage) {
      await connections.run({
        name: "key package put",
        text: `INSERT INTO key_packages (installation_key, key_package) VALUES ($1, $2)
          ON CONFLICT (installation_key) DO UPDATE SET key_package = excluded.key_package`,
        values: [installationKey, keyPackage],
      });
    },
    async get(installationKey) {
      const [row] = await connections.run({
        name: "key package get",
        text: "SELECT key_package FROM key_packages WHERE installation_key = $1",
        values: [installationKey],
      });
      return row === undefined ? undefined : bytes(row, "key_package");
    },
  };
}
