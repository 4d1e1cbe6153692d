import { constants, createInflate } from "node:zlib";
import { bitsPerPixel, rowBytes, type PngParts } from "./png-chunks.ts";
import { damaged } from "./refusal.ts";

/** Bytes of inflated data that are in memory at a time. */
const INFLATE_CHUNK_BYTES = 256 * 1024;

/** Inflates the pixels of a PNG file row by row, as far as they are asked for. */
export class PngRows {
  readonly #parts: PngParts;
  readonly #inflate;
  readonly #chunks: AsyncIterator<Buffer, undefined>;
  readonly #pixelBytes: number;
  #chunk: Uint8Array = new Uint8Array(0);
  #at = 0;
  #previous: Uint8Array = new Uint8Array(0);

  constructor(parts: PngParts) {
    this.#parts = parts;
    this.#pixelBytes = Math.max(1, bitsPerPixel(parts.header) >> 3);
    this.#inflate = createInflate({ chunkSize: INFLATE_CHUNK_BYTES, finishFlush: constants.Z_SYNC_FLUSH });
    this.#chunks = this.#inflate[Symbol.asyncIterator]() as AsyncIterator<Buffer, undefined>;
    this.#inflate.end(Buffer.concat(parts.data));
  }

  /** Begins a pass of rows of `width` pixels: its first row has none above it. */
  beginPass(width: number): void {
    this.#previous = new Uint8Array(rowBytes(this.#parts.header, width));
  }

  /** The next row without its filter; undefined where the file ends early. Throws PictureRefusal. */
  async next(): Promise<Uint8Array | undefined> {
    const row = new Uint8Array(this.#previous.length);
    if (!(await this.#fill(row))) return undefined;
    unfilter(row, this.#previous, this.#pixelBytes);
    this.#previous = row;
    return row.subarray(1);
  }

  /** Ends the inflation; nothing more of the file is decompressed. */
  close(): void {
    this.#inflate.destroy();
  }

  async #fill(row: Uint8Array): Promise<boolean> {
    for (let filled = 0; filled < row.length;) {
      if (this.#at === this.#chunk.length && !(await this.#pull())) return false;
      const part = this.#chunk.subarray(this.#at, this.#at + row.length - filled);
      row.set(part, filled);
      filled += part.length;
      this.#at += part.length;
    }
    return true;
  }

  async #pull(): Promise<boolean> {
    try {
      const chunk = await this.#chunks.next();
      if (chunk.done === true) return false;
      this.#chunk = chunk.value;
      this.#at = 0;
      return true;
    } catch (error) {
      throw damaged("PNG", error);
    }
  }
}

/** Undoes the filter of a row in place (PNG, third edition, section 9.2). */
function unfilter(row: Uint8Array, above: Uint8Array, pixelBytes: number): void {
  const filter = row[0] ?? 0;
  if (filter > 4) throw damaged("PNG");
  if (filter === 0) return;
  for (let at = 1; at < row.length; at++) {
    const left = at > pixelBytes ? (row[at - pixelBytes] ?? 0) : 0;
    const up = above[at] ?? 0;
    let guess = 0;
    if (filter === 1) guess = left;
    else if (filter === 2) guess = up;
    else if (filter === 3) guess = (left + up) >> 1;
    else guess = paeth(left, up, at > pixelBytes ? (above[at - pixelBytes] ?? 0) : 0);
    row[at] = (row[at] ?? 0) + guess;
  }
}

function paeth(left: number, up: number, corner: number): number {
  const [toLeft, toUp, toCorner] = [Math.abs(up - corner), Math.abs(left - corner), Math.abs(left + up - 2 * corner)];
  if (toLeft <= toUp && toLeft <= toCorner) return left;
  return toUp <= toCorner ? up : corner;
}
