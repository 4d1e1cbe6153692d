import { damaged } from "./refusal.ts";

/** Bits of a code that are looked up at once; longer codes are rare. */
const LOOKUP_BITS = 9;

/** Bits of a code and the small value behind it that are looked up at once. */
const SHORT_BITS = 12;

/** Reads the bits of a scan; behind its end there are zeros, so that a cut picture is grey where it was cut. */
export class JpegBits {
  readonly #data: Uint8Array;
  #at = 0;
  #bits = 0;
  #count = 0;

  constructor(data: Uint8Array) {
    this.#data = data;
  }

  /** Whether more bits were taken than there are. */
  get ended(): boolean {
    return this.#at > this.#data.length + 4;
  }

  /** The next 16 bits, without taking them. */
  peek16(): number {
    if (this.#count < 16) this.#fill();
    return (this.#bits >>> (this.#count - 16)) & 0xffff;
  }

  /** Takes up to 16 bits that were looked at. */
  skip(count: number): void {
    this.#count -= count;
  }

  /** Takes 0 to 16 bits as a number. */
  take(count: number): number {
    if (count === 0) return 0;
    const value = this.peek16() >>> (16 - count);
    this.#count -= count;
    return value;
  }

  /** Takes a number of `size` bits of which the first states the sign (ITU-T T.81, F.2.2.1). */
  takeSigned(size: number): number {
    const value = this.take(size);
    return size === 0 || value >= 1 << (size - 1) ? value : value - (1 << size) + 1;
  }

  /** Goes on behind the next restart marker; false where there is none. */
  restart(): boolean {
    this.#bits = 0;
    this.#count = 0;
    for (let at = this.#data.indexOf(0xff, this.#at); at >= 0; at = this.#data.indexOf(0xff, at + 1)) {
      const code = this.#data[at + 1] ?? 0;
      if (code >= 0xd0 && code <= 0xd7) {
        this.#at = at + 2;
        return true;
      }
    }
    return false;
  }

  #fill(): void {
    while (this.#count <= 16) {
      let byte = this.#data[this.#at] ?? 0;
      if (byte !== 0xff) this.#at++;
      else if (this.#data[this.#at + 1] === 0) this.#at += 2;
      // A restart marker: zeros are read until `restart` is called.
      else byte = 0;
      this.#bits = (this.#bits << 8) | byte;
      this.#count += 8;
    }
  }
}

/** A table of Huffman codes (ITU-T T.81, annex C). */
export class JpegHuffman {
  /** For each beginning of a code: its length and its symbol, as `length << 8 | symbol`; 0 for longer codes. */
  readonly #lookup = new Uint16Array(1 << LOOKUP_BITS);
  /** For each beginning of a code and its value: `value << 16 | zeros << 8 | bits`; 0 where these are more bits. */
  #shorts: Int32Array | undefined;
  /** For each length: the first code behind it, moved to the left of 16 bits. */
  readonly #limits = new Int32Array(18);
  /** For each length: what to add to a code to get the place of its symbol. */
  readonly #offsets = new Int32Array(18);
  readonly #symbols: Uint8Array;

  /** Takes the 16 counts of codes by length, and the symbols in order of their codes. */
  constructor(counts: Uint8Array, symbols: Uint8Array) {
    this.#symbols = symbols;
    let code = 0;
    let index = 0;
    for (let length = 1; length <= 16; length++) {
      const count = counts[length - 1] ?? 0;
      this.#offsets[length] = index - code;
      if (code + count > 1 << length) throw damaged("JPEG");
      for (let each = 0; each < count; each++, index++, code++) this.#enter(code, length, symbols[index] ?? 0);
      this.#limits[length] = code << (16 - length);
      code <<= 1;
    }
    this.#limits[17] = 0x10000;
  }

  #enter(code: number, length: number, symbol: number): void {
    if (length > LOOKUP_BITS) return;
    const free = LOOKUP_BITS - length;
    this.#lookup.fill((length << 8) | symbol, code << free, (code + 1) << free);
  }

  /**
   * What the next 16 bits begin with, where code and value of a coefficient are short, as `value << 16 | zeros << 8 | bits`;
   * 0 elsewhere, and for symbols without a value.
   */
  shortAt(ahead: number): number {
    this.#shorts ??= this.#shortValues();
    return this.#shorts[ahead >> (16 - SHORT_BITS)] ?? 0;
  }

  #shortValues(): Int32Array {
    return Int32Array.from({ length: 1 << SHORT_BITS }, (_, ahead) => {
      const found = this.#lookup[ahead >> (SHORT_BITS - LOOKUP_BITS)] ?? 0;
      const [length, zeros, size] = [found >> 8, (found >> 4) & 15, found & 15];
      const bits = length + size;
      if (found === 0 || size === 0 || bits > SHORT_BITS) return 0;
      const value = (ahead >> (SHORT_BITS - bits)) & ((1 << size) - 1);
      return ((value >= 1 << (size - 1) ? value : value - (1 << size) + 1) << 16) | (zeros << 8) | bits;
    });
  }

  /** Takes one symbol; a code that the table lacks counts as 0. */
  decode(bits: JpegBits): number {
    const ahead = bits.peek16();
    const found = this.#lookup[ahead >> (16 - LOOKUP_BITS)] ?? 0;
    if (found !== 0) {
      bits.skip(found >> 8);
      return found & 0xff;
    }
    let length = LOOKUP_BITS + 1;
    while (length <= 16 && ahead >= (this.#limits[length] ?? 0)) length++;
    bits.skip(Math.min(length, 16));
    if (length > 16) return 0;
    return this.#symbols[(ahead >> (16 - length)) + (this.#offsets[length] ?? 0)] ?? 0;
  }
}
