import { webCrypto } from "@latchkey/mls/web";
import { localWallet } from "@latchkey/xmtp";
import { Client } from "../../api/client.ts";
import { systemClock } from "../../clock.ts";
import { clientError } from "../../errors.ts";
import type { Environment } from "../../identity/environment.ts";
import { httpSlots } from "../../invite/slots.ts";
import { unlockedStore } from "../../store/encryption.ts";
import { MemoryDatabase } from "../../store/memory-store.ts";
import type { Store } from "../../store/store.ts";
import type { ClientEvent, OpenOptions } from "../protocol.ts";
import { indexedDbCalls, memoryCalls, type CallJournal } from "./call-journal.ts";
import { Live } from "./live.ts";
import { observedStore } from "./observed-store.ts";
import { hasOpfs, openOpfsPool, type OpfsPool } from "./opfs-pool.ts";
import { startSqlite } from "./sqlite.ts";
import { indexedDbShelf, makeVault, memoryShelf, openVault, type Vault, type VaultShelf } from "./vault.ts";
import { webTransport } from "./web-transport.ts";

/** Name of the database in its folder. */
const DATABASE = "client.db";

/** Where a worker keeps an installation; made once, given back and taken again with each turn of leading. */
export interface Place {
  readonly shelf: VaultShelf;
  readonly calls: CallJournal;
  /** False where the browser keeps no files: then everything ends with the tab. */
  readonly isKept: boolean;
  has(): boolean;
  open(): Store;
  /** Takes the files. */
  take(): Promise<void>;
  /** Gives the files back; every store is closed. */
  give(): void;
}

/** The private file system of the origin, or memory where there is none. */
export async function placeOf(name: string, wasmUrl: string | undefined): Promise<Place> {
  return hasOpfs() ? opfsPlace(name, wasmUrl) : memoryPlace();
}

function opfsPlace(name: string, wasmUrl: string | undefined): Place {
  let pool: OpfsPool | undefined;
  const held = (): OpfsPool => {
    if (pool === undefined) throw clientError("STORE_FAILED", "the files of the database are not held");
    return pool;
  };
  const sqlite = startSqlite(wasmUrl);
  // Whoever takes the files hears of it.
  sqlite.catch(() => undefined);
  return {
    shelf: indexedDbShelf(name),
    calls: indexedDbCalls(name),
    isKept: true,
    has: () => held().has(DATABASE),
    open: () => held().open(DATABASE).store,
    async take() {
      if (pool === undefined) pool = await openOpfsPool(await sqlite, name);
      else await pool.resume();
    },
    give() {
      pool?.pause();
    },
  };
}

function memoryPlace(): Place {
  const database = new MemoryDatabase();
  let isMade = false;
  return {
    shelf: memoryShelf(),
    calls: memoryCalls(),
    isKept: false,
    has: () => isMade,
    open() {
      isMade = true;
      return database.open();
    },
    take: async () => undefined,
    give: () => undefined,
  };
}

/** A client that is open, and what keeps it up to date. */
export interface OpenClient {
  readonly client: Client;
  readonly live: Live;
  readonly calls: CallJournal;
  close(): void;
}

/**
 * Opens the installation that this browser keeps, or makes a guest's.
 *
 * @throws IDENTITY_MISSING where there is none and none is to be made; IDENTITY_FORGOTTEN when the browser has deleted the
 * database or its keys and left the other; and as `Client.create`.
 */
export async function openClient(
  place: Place,
  options: OpenOptions,
  onEvent: (event: ClientEvent) => void,
): Promise<OpenClient> {
  const vault = await vaultOf(place, options);
  const { transport, mls } = webTransport(options.nodeUrl);
  const opened = place.open();
  let store: Store;
  try {
    await vault.markDatabase();
    const onChange = (groups: ReadonlySet<string>) => onEvent({ kind: "change", groups: [...groups] });
    store = observedStore(unlockedStore(opened, webCrypto, vault.databaseKey), onChange);
  } catch (error) {
    opened.close();
    throw error;
  }
  const client = await Client.create(localWallet(vault.walletKey), {
    ...environmentOf(options),
    store,
    transport,
  });
  const onConnection = (connection: Extract<ClientEvent, { kind: "connection" }>["connection"]) =>
    onEvent({ kind: "connection", connection });
  const live = new Live({ client, store, mls, onConnection });
  return {
    client,
    live,
    calls: place.calls,
    close() {
      live.close();
      client.close();
    },
  };
}

async function vaultOf(place: Place, { identity }: OpenOptions): Promise<Vault> {
  const vault = await openVault(place.shelf);
  if (vault?.hasDatabase === true && !place.has()) {
    throw clientError("IDENTITY_FORGOTTEN", "the browser has deleted the database of this site; its keys are left");
  }
  if (vault !== undefined) return vault;
  if (place.has()) {
    throw clientError("IDENTITY_FORGOTTEN", "the browser has deleted the keys of this site; its database is left");
  }
  if (identity === "guest") return makeVault(place.shelf);
  throw clientError("IDENTITY_MISSING", "this browser has no identity for this site; make one, or link it to another");
}

function environmentOf({ inviteServiceUrl, inviteBaseUrl }: OpenOptions): Omit<Environment, "store" | "transport"> {
  return {
    crypto: webCrypto,
    slots: httpSlots,
    clock: systemClock,
    random: Math.random,
    encodePng() {
      throw clientError("ARGUMENT_INVALID", "codes are drawn as SVG in browsers", { data: { argument: "format" } });
    },
    inviteServiceUrl,
    inviteBaseUrl,
    keepInvitesFresh: true,
  };
}
