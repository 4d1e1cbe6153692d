import { execFile, spawn, type ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { chownSync, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { promisify } from "node:util";
import { Client } from "pg";

/** Where Debian's packages put the server of each version. */
const DEBIAN = "/usr/lib/postgresql";

/** The oldest version that the store works with. */
const OLDEST = 15;

/** PostgreSQL does not run as root: then it runs as nobody. */
const NOBODY = 65_534;

/** Milliseconds for a server to start. */
const START_MS = 30_000;

/** Said by all that needs PostgreSQL and finds none. */
export const NO_POSTGRES =
  "no PostgreSQL 15 or newer on this machine (apt-get install postgresql, or set LATCHKEY_POSTGRES_BIN)";

/** The directory with `initdb` and `postgres` of the newest version here; undefined when there is none. */
export function findPostgres(): string | undefined {
  const installed = existsSync(DEBIAN)
    ? readdirSync(DEBIAN)
        .map(Number)
        .filter((version) => version >= OLDEST)
    : [];
  const directories = [
    process.env["LATCHKEY_POSTGRES_BIN"] ?? "",
    ...installed.sort((a, b) => b - a).map((version) => join(DEBIAN, `${version}`, "bin")),
    ...(process.env["PATH"] ?? "").split(delimiter),
  ];
  return directories.find((directory) => ["initdb", "postgres"].every((name) => existsSync(join(directory, name))));
}

/** Name of a server's socket in its folder. */
export const SOCKET = ".s.PGSQL.5432";

/** How a server is started. */
export interface PostgresOptions {
  /** Whether commits wait for the disk, as in production; off in tests, which end processes and not machines. */
  readonly isDurable?: boolean;
  /** Settings of `postgresql.conf`. */
  readonly settings?: Readonly<Record<string, string>>;
}

/** A PostgreSQL server with a data directory of its own, on a Unix socket. */
export class PostgresServer {
  readonly directory: string;
  readonly #bin: string;
  readonly #settings: Readonly<Record<string, string>>;
  #process: ChildProcess | undefined;

  private constructor(bin: string, directory: string, settings: Readonly<Record<string, string>>) {
    this.#bin = bin;
    this.directory = directory;
    this.#settings = settings;
  }

  /** Throws when there is no PostgreSQL. */
  static async start({ isDurable = false, settings = {} }: PostgresOptions = {}): Promise<PostgresServer> {
    const bin = findPostgres();
    if (bin === undefined) throw new Error(NO_POSTGRES);
    const directory = mkdtempSync(join(tmpdir(), "latchkey-pg-"));
    const fast = isDurable ? {} : { fsync: "off", full_page_writes: "off" };
    const server = new PostgresServer(bin, directory, { ...fast, ...settings });
    mkdirSync(server.#data, { mode: 0o700 });
    const ids = identity();
    for (const path of [directory, server.#data]) server.giveToServer(path);
    const initialize = ["-D", server.#data, "-U", "latchkey", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"];
    await promisify(execFile)(join(bin, "initdb"), initialize, { ...ids, cwd: directory });
    await server.resume();
    return server;
  }

  get #data(): string {
    return join(this.directory, "data");
  }

  /** Another server on a copy of the data of this one, which must be halted: what a standby without delay would have. */
  async copy(): Promise<PostgresServer> {
    const directory = mkdtempSync(join(tmpdir(), "latchkey-pg-"));
    const copied = new PostgresServer(this.#bin, directory, this.#settings);
    cpSync(this.#data, copied.#data, { recursive: true });
    const ids = identity();
    if (ids !== undefined) await promisify(execFile)("chown", ["-R", `${ids.uid}:${ids.gid}`, directory]);
    await copied.resume();
    return copied;
  }

  /** Makes the server's user the owner of a folder. */
  giveToServer(path: string): void {
    const ids = identity();
    if (ids !== undefined) chownSync(path, ids.uid, ids.gid);
  }

  /** The file of the server's socket. */
  get socket(): string {
    return join(this.directory, SOCKET);
  }

  /** Process id of the server's first process. */
  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  url(database = "postgres"): string {
    return `postgres://latchkey@localhost/${database}?host=${encodeURIComponent(this.directory)}`;
  }

  /** Starts the server again on its data. */
  async resume(): Promise<void> {
    const settings = Object.entries({
      listen_addresses: "",
      unix_socket_directories: this.directory,
      ...this.#settings,
    });
    const args = ["-D", this.#data, ...settings.flatMap(([name, value]) => ["-c", `${name}=${value}`])];
    this.#process = spawn(join(this.#bin, "postgres"), args, { ...identity(), cwd: this.directory, stdio: "ignore" });
    const until = Date.now() + START_MS;
    while (!(await this.#answers())) {
      if (Date.now() > until || this.#process.exitCode !== null) throw new Error("PostgreSQL did not start");
      await wait(25);
    }
  }

  /** Ends the server: at once, as a crash does, or by its own order. Its data stays. */
  async halt(signal: "SIGQUIT" | "SIGINT" = "SIGINT"): Promise<void> {
    const ending = this.#process;
    if (ending === undefined || ending.exitCode !== null || ending.signalCode !== null) return;
    const ended = once(ending, "exit");
    ending.kill(signal);
    await ended;
  }

  async stop(): Promise<void> {
    await this.halt("SIGQUIT");
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** An empty database; its url. */
  async createDatabase(): Promise<string> {
    const name = `t${randomBytes(6).toString("hex")}`;
    await this.run("postgres", `CREATE DATABASE ${name} STRATEGY file_copy`);
    return this.url(name);
  }

  /** Empties the tables of a node, as if nothing had ever been stored. */
  async empty(url: string): Promise<void> {
    const tables =
      "group_messages, welcomes, commit_log, identity_updates, identifiers, key_packages, slot_blobs, slot_credentials";
    const totals = "UPDATE slot_totals SET slots = 0, bytes = 0, credentials = 0";
    await this.run(url, `TRUNCATE ${tables} RESTART IDENTITY; ${totals}`);
  }

  /** Runs statements as an administrator. */
  async run(databaseOrUrl: string, script: string): Promise<readonly Record<string, unknown>[]> {
    const client = new Client({
      connectionString: databaseOrUrl.includes(":") ? databaseOrUrl : this.url(databaseOrUrl),
    });
    client.on("error", () => undefined);
    await client.connect();
    try {
      return (await client.query<Record<string, unknown>>(script)).rows;
    } finally {
      await client.end();
    }
  }

  async #answers(): Promise<boolean> {
    try {
      await this.run("postgres", "SELECT 1");
      return true;
    } catch {
      return false;
    }
  }
}

function identity(): { uid: number; gid: number } | undefined {
  return userInfo().uid === 0 ? { uid: NOBODY, gid: NOBODY } : undefined;
}
