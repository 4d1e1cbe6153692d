import { varintLength } from "./varint.ts";

/** Writes the TLS presentation language as RFC 9420 §2.1 uses it, into a buffer that grows. */
export class Writer {
  #buffer: Uint8Array;
  #length = 0;

  /** `capacity` bytes are there from the start; a good guess saves copying. */
  constructor(capacity = 128) {
    this.#buffer = new Uint8Array(capacity);
  }

  /** Bytes written so far. */
  get length(): number {
    return this.#length;
  }

  u8(value: number): void {
    const start = this.#grow(1);
    this.#buffer[start] = value;
  }

  u16(value: number): void {
    const start = this.#grow(2);
    this.#buffer[start] = value >>> 8;
    this.#buffer[start + 1] = value;
  }

  u32(value: number): void {
    const start = this.#grow(4);
    this.#buffer[start] = value >>> 24;
    this.#buffer[start + 1] = value >>> 16;
    this.#buffer[start + 2] = value >>> 8;
    this.#buffer[start + 3] = value;
  }

  u64(value: bigint): void {
    this.u32(Number((value >> 32n) & 0xffffffffn));
    this.u32(Number(value & 0xffffffffn));
  }

  /** A length in the shortest form of RFC 9420 §2.1.2. */
  varint(value: number): void {
    const width = varintLength(value);
    if (width === 1) this.u8(value);
    else if (width === 2) this.u16(0x4000 + value);
    else this.u32(0x80000000 + value);
  }

  bytes(value: Uint8Array): void {
    const start = this.#grow(value.length);
    this.#buffer.set(value, start);
  }

  /** `opaque<V>`. */
  opaque(value: Uint8Array): void {
    this.varint(value.length);
    this.bytes(value);
  }

  /** `T items<V>`. */
  vector<T>(items: Iterable<T>, item: (writer: Writer, value: T) => void): void {
    const start = this.#length;
    // The shortest length first; items that turn out longer are moved once.
    this.u8(0);
    for (const value of items) item(this, value);
    const length = this.#length - start - 1;
    const width = varintLength(length);
    if (width > 1) {
      this.#grow(width - 1);
      this.#buffer.copyWithin(start + width, start + 1, start + 1 + length);
    }
    this.#length = start;
    this.varint(length);
    this.#length += length;
  }

  /** `optional<T>`. */
  optional<T>(value: T | undefined, item: (writer: Writer, value: T) => void): void {
    this.u8(value === undefined ? 0 : 1);
    if (value !== undefined) item(this, value);
  }

  /** Starts anew in the same buffer. */
  reset(): void {
    this.#length = 0;
  }

  /** The bytes written, valid until the writer is used again. */
  view(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }

  /** The bytes written; the writer must not be used afterwards. */
  finish(): Uint8Array {
    return this.#length === this.#buffer.length ? this.#buffer : this.#buffer.slice(0, this.#length);
  }

  #grow(length: number): number {
    const start = this.#length;
    const needed = start + length;
    if (needed > this.#buffer.length) {
      const larger = new Uint8Array(Math.max(needed, 2 * this.#buffer.length));
      larger.set(this.#buffer.subarray(0, start));
      this.#buffer = larger;
    }
    this.#length = needed;
    return start;
  }
}

/** The encoding of one value. */
export function encode<T>(value: T, encoder: (writer: Writer, value: T) => void): Uint8Array {
  const writer = new Writer();
  encoder(writer, value);
  return writer.finish();
}
