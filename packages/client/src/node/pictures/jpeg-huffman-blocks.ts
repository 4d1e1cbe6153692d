import { JpegBits } from "./jpeg-huffman.ts";
import { ZIGZAG } from "./jpeg-idct.ts";
import type { BlockReader, ScanComponent, ScanRange } from "./jpeg-scan.ts";
import { damaged } from "./refusal.ts";

/** Reads blocks of a scan with Huffman codes, sequential and progressive (ITU-T T.81, F.2.2 and G.2). */
export class HuffmanBlocks implements BlockReader {
  readonly #bits: JpegBits;
  readonly #range: ScanRange;
  readonly #previousDc: Int32Array;
  /** Blocks that follow without further coefficients. */
  #endOfBlocks = 0;

  constructor(data: Uint8Array, components: number, range: ScanRange) {
    this.#bits = new JpegBits(data);
    this.#range = range;
    this.#previousDc = new Int32Array(components);
  }

  get ended(): boolean {
    return this.#bits.ended;
  }

  restart(): boolean {
    this.#previousDc.fill(0);
    this.#endOfBlocks = 0;
    return this.#bits.restart();
  }

  readBlock(component: ScanComponent, index: number, coefficients: Int16Array, at: number): void {
    const { progressive, first, last, high } = this.#range;
    if (first === 0) this.#readDc(component, index, coefficients, at);
    if (!progressive) this.#readAc(component, coefficients, at, 1, last);
    else if (first > 0 && high === 0) this.#readAc(component, coefficients, at, first, last);
    else if (first > 0) this.#refineAc(component, coefficients, at, first, last);
  }

  #readDc({ dc }: ScanComponent, index: number, coefficients: Int16Array, at: number): void {
    const { high, low } = this.#range;
    if (high > 0) {
      coefficients[at] = (coefficients[at] ?? 0) | (this.#bits.take(1) << low);
      return;
    }
    if (dc === undefined) throw damaged("JPEG");
    const size = dc.decode(this.#bits);
    if (size > 15) throw damaged("JPEG");
    const value = (this.#previousDc[index] ?? 0) + this.#bits.takeSigned(size);
    this.#previousDc[index] = value;
    coefficients[at] = value << low;
  }

  #readAc({ ac }: ScanComponent, coefficients: Int16Array, at: number, first: number, last: number): void {
    if (this.#endOfBlocks > 0) {
      this.#endOfBlocks--;
      return;
    }
    if (ac === undefined) throw damaged("JPEG");
    const [bits, low] = [this.#bits, this.#range.low];
    for (let place = first; place <= last; place++) {
      const short = ac.shortAt(bits.peek16());
      if (short !== 0) {
        bits.skip(short & 0xff);
        place += (short >> 8) & 0xff;
        if (place <= last) coefficients[at + (ZIGZAG[place] ?? 0)] = (short >> 16) << low;
        continue;
      }
      const symbol = ac.decode(bits);
      const [zeros, size] = [symbol >> 4, symbol & 15];
      if (size === 0) {
        if (zeros < 15) {
          this.#endOfBlocks = (1 << zeros) - 1 + bits.take(zeros);
          return;
        }
        place += 15;
        continue;
      }
      place += zeros;
      const value = bits.takeSigned(size) << low;
      if (place <= last) coefficients[at + (ZIGZAG[place] ?? 0)] = value;
    }
  }

  /** Adds one bit to the coefficients that are there, and brings those that had only zeros so far (G.1.2.3). */
  #refineAc({ ac }: ScanComponent, coefficients: Int16Array, at: number, first: number, last: number): void {
    if (ac === undefined) throw damaged("JPEG");
    const bits = this.#bits;
    const one = 1 << this.#range.low;
    let place = first;
    while (this.#endOfBlocks === 0 && place <= last) {
      const symbol = ac.decode(bits);
      const [zeros, size] = [symbol >> 4, symbol & 15];
      if (size === 0 && zeros < 15) {
        this.#endOfBlocks = (1 << zeros) + bits.take(zeros);
        break;
      }
      const value = size === 0 ? 0 : bits.take(1) === 1 ? one : -one;
      place = this.#refineUpTo(coefficients, at, place, last, zeros);
      if (value !== 0 && place <= last) coefficients[at + (ZIGZAG[place] ?? 0)] = value;
      place++;
    }
    if (this.#endOfBlocks > 0) {
      this.#refineUpTo(coefficients, at, place, last, 64);
      this.#endOfBlocks--;
    }
  }

  /** Refines what is there up to the zero after so many zeros; returns its place. */
  #refineUpTo(coefficients: Int16Array, at: number, from: number, last: number, zeros: number): number {
    const one = 1 << this.#range.low;
    let left = zeros;
    for (let place = from; place <= last; place++) {
      const index = at + (ZIGZAG[place] ?? 0);
      const value = coefficients[index] ?? 0;
      if (value === 0) {
        if (left === 0) return place;
        left--;
      } else if (this.#bits.take(1) === 1 && (value & one) === 0) {
        coefficients[index] = value + (value > 0 ? one : -one);
      }
    }
    return last + 1;
  }
}
