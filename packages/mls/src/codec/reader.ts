import { DecodeError } from "../errors.ts";
import { MLS_LIMITS } from "../limits.ts";
import { varintLength } from "./varint.ts";

/**
 * Reads the TLS presentation language as RFC 9420 §2.1 uses it.
 *
 * Every read is bounds-checked and throws DecodeError; returned byte arrays are views of the input. The caller must not
 * change it afterwards.
 */
export class Reader {
  readonly #bytes: Uint8Array;
  #offset = 0;
  /** Where the vector that is being read ends; the end of the input outside of any. */
  #end: number;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#end = bytes.length;
  }

  /** Bytes not read yet, of the vector that is being read. */
  get remaining(): number {
    return this.#end - this.#offset;
  }

  /** Position from the start of the input, in bytes. */
  get offset(): number {
    return this.#offset;
  }

  /** The bytes between an earlier `offset` and the present one. */
  since(offset: number): Uint8Array {
    return this.#bytes.subarray(offset, this.#offset);
  }

  u8(): number {
    return this.#bytes[this.#take(1)] ?? 0;
  }

  u16(): number {
    return this.u8() * 0x100 + this.u8();
  }

  u32(): number {
    return this.u16() * 0x10000 + this.u16();
  }

  u64(): bigint {
    return BigInt(this.u32()) * 0x100000000n + BigInt(this.u32());
  }

  /** A length in the minimal form of RFC 9420 §2.1.2; the prefix `11` and non-minimal forms are refused. */
  varint(): number {
    const first = this.u8();
    const prefix = first >> 6;
    let value = first & 0x3f;
    if (prefix === 3) throw new DecodeError("a vector length starts with the reserved prefix 11");
    if (prefix === 1) value = value * 0x100 + this.u8();
    if (prefix === 2) value = value * 0x1000000 + this.u8() * 0x10000 + this.u16();
    if (varintLength(value) !== 1 << prefix) throw new DecodeError("a vector length is not in its shortest form");
    return value;
  }

  /** Exactly `length` bytes. */
  bytes(length: number): Uint8Array {
    const start = this.#take(length);
    return this.#bytes.subarray(start, start + length);
  }

  /** `opaque<V>`. */
  opaque(maxBytes: number = MLS_LIMITS.maxVectorBytes): Uint8Array {
    return this.bytes(this.#length(maxBytes));
  }

  /** True, and then they are read, when the input goes on with exactly these bytes. */
  skipIfNext(...parts: readonly Uint8Array[]): boolean {
    const bytes = this.#bytes;
    let offset = this.#offset;
    for (const part of parts) {
      const { length } = part;
      if (offset + length > this.#end) return false;
      for (let at = 0; at < length; at++, offset++) if (bytes[offset] !== part[at]) return false;
    }
    this.#offset = offset;
    return true;
  }

  /**
   * `T items<V>`: the length counts bytes, the items must end exactly there. `item` gets this reader, which sees no
   * further than the vector meanwhile; after an error it must not be used again.
   */
  vector<T>(item: (reader: Reader) => T, maxItems: number = Number.MAX_SAFE_INTEGER): T[] {
    const length = this.#length(MLS_LIMITS.maxVectorBytes);
    const outer = this.#end;
    const start = this.#take(length);
    this.#offset = start;
    this.#end = start + length;
    const items: T[] = [];
    while (this.#offset < this.#end) {
      if (items.length >= maxItems) throw new DecodeError(`a list has more than ${maxItems} entries`);
      items.push(item(this));
    }
    this.#end = outer;
    return items;
  }

  /** `optional<T>`: presence byte 0 or 1. */
  optional<T>(item: (reader: Reader) => T): T | undefined {
    const presence = this.u8();
    if (presence === 0) return undefined;
    if (presence !== 1) throw new DecodeError(`an optional value has presence byte ${presence}; it must be 0 or 1`);
    return item(this);
  }

  /** Ends the reading; throws when bytes are left over. */
  finish(): void {
    if (this.remaining !== 0) throw new DecodeError(`${this.remaining} bytes are left over after the end`);
  }

  #length(maxBytes: number): number {
    const length = this.varint();
    if (length > maxBytes) throw new DecodeError(`a vector has ${length} bytes; the limit here is ${maxBytes}`);
    return length;
  }

  #take(length: number): number {
    if (length > this.remaining) {
      throw new DecodeError(`the input ends early: ${length} bytes needed, ${this.remaining} left`);
    }
    const start = this.#offset;
    this.#offset += length;
    return start;
  }
}

/** Decodes all of `bytes`; throws DecodeError when the encoding is malformed or has trailing bytes. */
export function decodeExact<T>(bytes: Uint8Array, decode: (reader: Reader) => T): T {
  const reader = new Reader(bytes);
  const value = decode(reader);
  reader.finish();
  return value;
}
