import { closeSync, openSync, readSync, statSync } from "node:fs";
import { NodeError } from "../../errors.ts";

const MAGIC = "SQLite format 3\0";

/** Offsets in the header of a database file (SQLite's file format, 1.3), and how much of it is read. */
const CHANGE_COUNTER = 24;
const APPLICATION_ID = 68;
const HEADER_BYTES = 72;

interface Watched {
  readonly path: string;
  /** Device and inode of the file that is in use, once there is one. */
  id?: string;
  /** Neither file ever shrinks while it is in use. */
  size: number;
}

/**
 * Notices that the files of a database were deleted, replaced, cut or overwritten while it is in use: SQLite goes on
 * writing into a file that nobody will ever find again.
 */
export class FileGuard {
  readonly #files: readonly Watched[];
  readonly #file: number;
  readonly #applicationId: number;
  #changes = 0;
  #damage: NodeError | undefined;
  #isClosed = false;

  /** For a database that is open; `applicationId` is its own, by which it is told from others. */
  constructor(path: string, applicationId: number) {
    this.#files = [path, `${path}-wal`].map((file) => ({ path: file, size: 0 }));
    // Closing it would give up SQLite's locks on the file, so it stays open as long as the database.
    this.#file = openSync(path, "r");
    this.#applicationId = applicationId;
  }

  /** Throws NodeError `STORE_DAMAGED`, from the first time on that something was found. */
  check(): void {
    if (this.#isClosed) return; // Then SQLite refuses everything.
    const found = this.#damage === undefined ? this.#look() : undefined;
    if (found !== undefined) this.note(damaged(found));
    if (this.#damage !== undefined) throw this.#damage;
  }

  /** Whether damage was found before. */
  get isDamaged(): boolean {
    return this.#damage !== undefined;
  }

  /** Remembers damage that SQLite has found. */
  note(error: unknown): void {
    if (error instanceof NodeError && error.code === "STORE_DAMAGED") this.#damage ??= error;
  }

  /** To be called when the database was closed. */
  close(): void {
    this.#isClosed = true;
    closeSync(this.#file);
  }

  #look(): string | undefined {
    for (const file of this.#files) {
      const stats = statSync(file.path, { throwIfNoEntry: false });
      if (stats === undefined) {
        if (file.id !== undefined) return "was deleted";
        continue;
      }
      const id = `${stats.dev}:${stats.ino}`;
      if ((file.id ??= id) !== id) return "was replaced";
      if (stats.size < file.size) return "was cut";
      file.size = stats.size;
    }
    return this.#lookAtHeader();
  }

  #lookAtHeader(): string | undefined {
    const header = Buffer.alloc(HEADER_BYTES);
    const read = readSync(this.#file, header, 0, HEADER_BYTES, 0);
    if (read < HEADER_BYTES || header.toString("latin1", 0, MAGIC.length) !== MAGIC) return "was overwritten";
    const changes = header.readUInt32BE(CHANGE_COUNTER);
    if (header.readUInt32BE(APPLICATION_ID) !== this.#applicationId || changes < this.#changes) {
      return "was overwritten with another database";
    }
    this.#changes = changes;
    return undefined;
  }
}

function damaged(how: string): NodeError {
  const text = `a file of the database ${how} while the node was running: stop it and restore the back-up`;
  return new NodeError("STORE_DAMAGED", text);
}
