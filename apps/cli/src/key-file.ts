import { randomBytes } from "node:crypto";
import { dirname } from "node:path";
import { createPrivateDir, readIfThere, writePrivateFile } from "./data-dir.ts";
import { cliError } from "./errors.ts";

/** Bytes of a wallet's private key, and of a database key. */
const KEY_BYTES = 32;

/** Owner of the key in a key file. */
type KeyKind = "wallet" | "database";

/** Reads a key file, 64 hex digits with or without 0x; throws KEY_FILE_INVALID, never naming the content. */
export async function readKey(path: string, kind: KeyKind = "wallet"): Promise<Uint8Array> {
  const text = await readIfThere(path);
  if (text === undefined) {
    throw cliError("KEY_FILE_INVALID", `there is no ${kind} key at ${path}; name the right file, or put the key back`);
  }
  const digits = /^(?:0x)?([0-9a-fA-F]{64})$/.exec(text.trim())?.[1];
  if (digits === undefined) {
    throw cliError("KEY_FILE_INVALID", `${path} holds no ${kind} key; expected 64 hex digits`);
  }
  return new Uint8Array(Buffer.from(digits, "hex"));
}

/** As `readKey`; undefined when there is no such file. */
export async function readKeyIfThere(path: string): Promise<Uint8Array | undefined> {
  return (await readIfThere(path)) === undefined ? undefined : readKey(path);
}

/** Writes a key for its owner alone; throws FILE_UNWRITABLE. */
export async function writeKey(path: string, key: Uint8Array): Promise<void> {
  await createPrivateDir(dirname(path));
  await writePrivateFile(path, `0x${Buffer.from(key).toString("hex")}\n`);
}

/** The key in a file; a missing file is created with a fresh key. */
export async function readOrCreateKey(
  path: string,
  kind: KeyKind = "wallet",
): Promise<{ key: Uint8Array; created: boolean }> {
  if ((await readIfThere(path)) !== undefined) return { key: await readKey(path, kind), created: false };
  const key = new Uint8Array(randomBytes(KEY_BYTES));
  await writeKey(path, key);
  return { key, created: true };
}
