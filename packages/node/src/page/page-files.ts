import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { NodeError } from "../errors.ts";
import type { PageFileRole } from "./headers.ts";

/** One file of the page, in memory. */
export interface PageFile {
  readonly type: string;
  readonly role: PageFileRole;
  readonly bytes: Uint8Array;
  /** The same packed, where that is smaller. */
  readonly packed: Uint8Array | undefined;
  /** Its SHA-256 in hex, as the manifest has it. */
  readonly hash: string;
}

/** The page: its files by path, and the hash of the manifest that names all of theirs. */
export interface PageFiles {
  readonly hash: string;
  readonly document: PageFile;
  readonly files: ReadonlyMap<string, PageFile>;
}

/** What the build of the page writes beside its files. */
interface Manifest {
  readonly hash: string;
  readonly document: string;
  readonly files: Readonly<
    Record<string, { readonly type: string; readonly role: PageFileRole; readonly hash: string }>
  >;
}

const pack = promisify(gzip);

/** Kinds of files that are packed already. */
const PACKED = /^(image\/(?!svg)|font\/woff2)/;

/**
 * Reads the page that a build has left in a folder.
 *
 * @throws NodeError `ARGUMENT_INVALID` when the folder holds none.
 */
export async function readPageFiles(folder: string): Promise<PageFiles> {
  let manifest: Manifest;
  try {
    manifest = JSON.parse(await readFile(join(folder, "manifest.json"), "utf8")) as Manifest;
  } catch (cause) {
    throw new NodeError("ARGUMENT_INVALID", "`pageDir` holds no built page; build it first", { cause });
  }
  const files = new Map<string, PageFile>();
  for (const [path, { type, role, hash }] of Object.entries(manifest.files)) {
    const bytes = await readFile(join(folder, path));
    const packed = PACKED.test(type) ? undefined : await pack(bytes, { level: 9 });
    files.set(path, { type, role, hash, bytes, packed: packed && packed.length < bytes.length ? packed : undefined });
  }
  const document = files.get(manifest.document);
  if (document === undefined) throw new NodeError("ARGUMENT_INVALID", "the manifest of the page names no document");
  return { hash: manifest.hash, document, files };
}
