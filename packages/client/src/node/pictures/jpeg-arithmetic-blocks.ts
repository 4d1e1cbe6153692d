import { ArithmeticBits, EVEN } from "./jpeg-arithmetic.ts";
import { ZIGZAG } from "./jpeg-idct.ts";
import type { BlockReader, ScanComponent, ScanRange } from "./jpeg-scan.ts";
import { damaged } from "./refusal.ts";

/** Contexts of the tables: one that never adapts, then four tables for DC and four for AC (ITU-T T.81, F.1.4.4). */
const DC_CONTEXTS = 64;
const AC_CONTEXTS = 256;
const FIRST_DC = 1;
const FIRST_AC = FIRST_DC + 4 * DC_CONTEXTS;
const ALL_CONTEXTS = FIRST_AC + 4 * AC_CONTEXTS;

/** Where the contexts for the size of large values stand in a table, and those for their bits behind them. */
const DC_SIZES = 20;
const AC_LOW_SIZES = 189;
const AC_HIGH_SIZES = 217;
const BITS_BEHIND_SIZES = 14;

/** Values have at most 15 bits. */
const SIZE_LIMIT = 0x8000;

/** Conditioning of the tables, as a DAC segment states it (ITU-T T.81, B.2.4.3). */
export class ArithmeticConditioning {
  /** For each DC table: differences up to the first bound are zero, above the second are large. */
  readonly dc: Uint8Array = new Uint8Array(4).fill(0x10);
  /** For each AC table: the last coefficient that counts as a low one. */
  readonly ac: Uint8Array = new Uint8Array(4).fill(5);

  /** Takes the content of a DAC segment. */
  apply(content: Uint8Array): void {
    for (let at = 0; at + 2 <= content.length; at += 2) {
      const [table = 0, value = 0] = content.subarray(at, at + 2);
      (table >> 4 === 0 ? this.dc : this.ac)[table & 3] = value;
    }
  }
}

/** Reads blocks of a scan with arithmetic coding, sequential and progressive (ITU-T T.81, F.2.4 and G.2). */
export class ArithmeticBlocks implements BlockReader {
  readonly #bits: ArithmeticBits;
  readonly #range: ScanRange;
  readonly #conditioning: ArithmeticConditioning;
  readonly #previousDc: Int32Array;
  /** For each component: the context that the last difference leads to. */
  readonly #dcContexts: Uint8Array;
  /** Zeros follow the data, which end a picture as well. */
  readonly ended = false;

  constructor(data: Uint8Array, components: number, range: ScanRange, conditioning: ArithmeticConditioning) {
    this.#bits = new ArithmeticBits(data, ALL_CONTEXTS);
    this.#range = range;
    this.#conditioning = conditioning;
    this.#previousDc = new Int32Array(components);
    this.#dcContexts = new Uint8Array(components);
  }

  restart(): boolean {
    this.#previousDc.fill(0);
    this.#dcContexts.fill(0);
    return this.#bits.restart();
  }

  readBlock(component: ScanComponent, index: number, coefficients: Int16Array, at: number): void {
    const { progressive, first, last, high, low } = this.#range;
    if (first === 0 && high > 0) {
      coefficients[at] = (coefficients[at] ?? 0) | (this.#bits.decide(EVEN) << low);
    } else if (first === 0) this.#readDc(component, index, coefficients, at);
    if (!progressive) this.#readAc(component, coefficients, at, 1, last);
    else if (first > 0 && high === 0) this.#readAc(component, coefficients, at, first, last);
    else if (first > 0) this.#refineAc(component, coefficients, at, first, last);
  }

  #readDc({ dcTable }: ScanComponent, index: number, coefficients: Int16Array, at: number): void {
    const table = FIRST_DC + DC_CONTEXTS * dcTable;
    const context = table + (this.#dcContexts[index] ?? 0);
    let kind = 0;
    if (this.#bits.decide(context) === 1) {
      const sign = this.#bits.decide(context + 1);
      const isMore = this.#bits.decide(context + 2 + sign) === 1;
      const [size, sizeContext] = isMore ? this.#size(table + DC_SIZES, 1) : [0, 0];
      const bounds = this.#conditioning.dc[dcTable] ?? 0;
      if (size > (1 << (bounds >> 4)) >> 1) kind = 12 + 4 * sign;
      else if (size >= (1 << (bounds & 15)) >> 1) kind = 4 + 4 * sign;
      const value = this.#value(size, sizeContext);
      this.#previousDc[index] = (this.#previousDc[index] ?? 0) + (sign === 1 ? -value : value);
    }
    this.#dcContexts[index] = kind;
    coefficients[at] = (this.#previousDc[index] ?? 0) << this.#range.low;
  }

  #readAc({ acTable }: ScanComponent, coefficients: Int16Array, at: number, first: number, last: number): void {
    const bits = this.#bits;
    const table = FIRST_AC + AC_CONTEXTS * acTable;
    const lastLow = this.#conditioning.ac[acTable] ?? 0;
    for (let place = first; place <= last; place++) {
      let context = table + 3 * (place - 1);
      if (bits.decide(context) === 1) return;
      while (bits.decide(context + 1) === 0) {
        context += 3;
        place++;
        if (place > last) throw damaged("JPEG");
      }
      const sign = bits.decide(EVEN);
      let [size, sizeContext] = [bits.decide(context + 2), 0];
      if (size === 1 && bits.decide(context + 2) === 1) {
        [size, sizeContext] = this.#size(table + (place <= lastLow ? AC_LOW_SIZES : AC_HIGH_SIZES), 2);
      }
      const value = this.#value(size, sizeContext);
      coefficients[at + (ZIGZAG[place] ?? 0)] = (sign === 1 ? -value : value) << this.#range.low;
    }
  }

  /** The power of two that a value has, as one bit; and the context that it was read with. */
  #size(from: number, start: number): [size: number, context: number] {
    let [size, context] = [start, from];
    while (this.#bits.decide(context) === 1) {
      size *= 2;
      context++;
      if (size === SIZE_LIMIT) throw damaged("JPEG");
    }
    return [size, context];
  }

  /** A value of so many bits, without its sign. */
  #value(size: number, sizeContext: number): number {
    let value = size;
    for (let bit = size >> 1; bit > 0; bit >>= 1) {
      if (this.#bits.decide(sizeContext + BITS_BEHIND_SIZES) === 1) value |= bit;
    }
    return value + 1;
  }

  /** Adds one bit to the coefficients that are there, and brings those that had only zeros so far (G.1.3.3). */
  #refineAc({ acTable }: ScanComponent, coefficients: Int16Array, at: number, first: number, last: number): void {
    const bits = this.#bits;
    const one = 1 << this.#range.low;
    const table = FIRST_AC + AC_CONTEXTS * acTable;
    let lastThere = last;
    while (lastThere > 0 && coefficients[at + (ZIGZAG[lastThere] ?? 0)] === 0) lastThere--;
    for (let place = first; place <= last; place++) {
      let context = table + 3 * (place - 1);
      if (place > lastThere && bits.decide(context) === 1) return;
      for (; ; place++, context += 3) {
        if (place > last) throw damaged("JPEG");
        const where = at + (ZIGZAG[place] ?? 0);
        const value = coefficients[where] ?? 0;
        if (value !== 0) {
          if (bits.decide(context + 2) === 1) coefficients[where] = value + (value > 0 ? one : -one);
          break;
        }
        if (bits.decide(context + 1) === 1) {
          coefficients[where] = bits.decide(EVEN) === 1 ? -one : one;
          break;
        }
      }
    }
  }
}
