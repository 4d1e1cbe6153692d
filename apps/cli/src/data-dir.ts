import { randomBytes } from "node:crypto";
import { mkdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, isAbsolute, join, resolve } from "node:path";
import { cliError } from "./errors.ts";

/** Address of the node when nothing says otherwise. */
export const DEFAULT_NODE_URL = "http://127.0.0.1:5556";

/** Port that `latchkey serve` listens on by default, the one of `DEFAULT_NODE_URL`. */
export const DEFAULT_PORT = 5556;

/** The files of one installation. */
export interface DataDir {
  readonly path: string;
  readonly configFile: string;
  readonly databaseFile: string;
  /** The wallet's private key, unless the configuration names another file. */
  readonly keyFile: string;
  /** What `latchkey serve` keeps. */
  readonly nodeDir: string;
}

/** Contents of `config.json`. */
export interface Config {
  readonly nodeUrl: string;
  readonly inviteServiceUrl?: string;
  /** Where the wallet's private key lies; relative to the data directory. */
  readonly keyFile: string;
}

/** The layout below a directory; without one, below `$LATCHKEY_HOME` or `~/.latchkey`. */
export function dataDirAt(path: string | undefined, env: Readonly<Record<string, string | undefined>>): DataDir {
  const home = env["LATCHKEY_HOME"];
  const root = resolve(path ?? (home === undefined || home === "" ? join(homedir(), ".latchkey") : home));
  return {
    path: root,
    configFile: join(root, "config.json"),
    databaseFile: join(root, "latchkey.db"),
    keyFile: join(root, "wallet.key"),
    nodeDir: join(root, "node"),
  };
}

async function writing<T>(path: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    throw cliError("FILE_UNWRITABLE", `cannot write ${path}: ${reasonOf(error)}`, error);
  }
}

/** Permission bits by which others than the owner write. */
const OTHERS_WRITE = 0o022;
/** A folder in which nobody replaces the files of others, such as `/tmp`. */
const STICKY = 0o1000;

/**
 * Creates the directory, and those above it, for its owner alone. One that exists keeps its permissions, and is refused where
 * others may write: they could replace keys and database. Throws FILE_UNWRITABLE.
 */
export async function createPrivateDir(path: string): Promise<void> {
  await writing(path, () => mkdir(path, { recursive: true, mode: 0o700 }));
  const { mode } = await writing(path, () => stat(path));
  if (process.platform !== "win32" && (mode & OTHERS_WRITE) !== 0 && (mode & STICKY) === 0) {
    throw cliError(
      "FILE_UNWRITABLE",
      `other users may write into ${path}; take that right away with "chmod go-w" first`,
    );
  }
}

/** Whether other users may replace files in the folder of a path. */
export async function isInSharedFolder(path: string): Promise<boolean> {
  if (process.platform === "win32") return false;
  const { mode } = await writing(path, () => stat(dirname(resolve(path))));
  return (mode & OTHERS_WRITE) !== 0 && (mode & STICKY) === 0;
}

/**
 * Writes a file for its owner alone, whole or not at all. The temporary file has a name that nobody can guess, and must not
 * exist: nobody else holds it open, and no link leads elsewhere. Throws FILE_UNWRITABLE.
 */
export async function writePrivateFile(path: string, content: string | Uint8Array): Promise<void> {
  const temporary = `${path}.${randomBytes(8).toString("hex")}.new`;
  await writing(path, async () => {
    try {
      await writeFile(temporary, content, { flag: "wx", mode: 0o600, flush: true });
      await rename(temporary, path);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  });
}

/** Whether there is a database of a client. */
export async function hasDatabase(dataDir: DataDir): Promise<boolean> {
  return (await stat(dataDir.databaseFile).catch(() => undefined)) !== undefined;
}

/** Reads `config.json`; undefined when there is none; throws CONFIG_INVALID. */
export async function readConfig(dataDir: DataDir): Promise<Config | undefined> {
  const text = await readIfThere(dataDir.configFile);
  if (text === undefined) return undefined;
  const config = parseConfig(text);
  if (config === undefined) {
    throw cliError("CONFIG_INVALID", `${dataDir.configFile} is damaged; delete it and run "latchkey init" again`);
  }
  return { ...config, keyFile: isAbsolute(config.keyFile) ? config.keyFile : join(dataDir.path, config.keyFile) };
}

/** Writes `config.json`. */
export async function writeConfig(dataDir: DataDir, config: Config): Promise<void> {
  const keyFile =
    dirname(config.keyFile) === dataDir.path ? config.keyFile.slice(dataDir.path.length + 1) : config.keyFile;
  await writePrivateFile(dataDir.configFile, `${JSON.stringify({ ...config, keyFile }, undefined, 2)}\n`);
}

function parseConfig(text: string): Config | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const fields = new Map<string, unknown>(Object.entries(value));
  const nodeUrl = fields.get("nodeUrl");
  const keyFile = fields.get("keyFile");
  const inviteServiceUrl = fields.get("inviteServiceUrl");
  if (typeof nodeUrl !== "string" || typeof keyFile !== "string") return undefined;
  if (inviteServiceUrl === undefined) return { nodeUrl, keyFile };
  return typeof inviteServiceUrl === "string" ? { nodeUrl, keyFile, inviteServiceUrl } : undefined;
}

/** The text of a file; undefined when there is no such file; throws FILE_UNREADABLE. */
export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (codeOfSystemError(error) === "ENOENT") return undefined;
    throw cliError("FILE_UNREADABLE", `cannot read ${path}: ${reasonOf(error)}`, error);
  }
}

/** `ENOENT` and the like; undefined for anything that is no error of the system. */
export function codeOfSystemError(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

/** Why a file operation failed, without the path that Node repeats in its text. */
export function reasonOf(error: unknown): string {
  switch (codeOfSystemError(error)) {
    case "ENOENT":
      return "there is no such file or directory";
    case "EACCES":
    case "EPERM":
      return "permission denied";
    case "EISDIR":
      return "it is a directory";
    case "ENOTDIR":
    case "EEXIST":
      return "a part of the path is not a directory";
    case "ENOSPC":
      return "the disk is full";
    default:
      return codeOfSystemError(error) ?? "unknown reason";
  }
}
