import { JpegBits, type JpegHuffman } from "./jpeg-huffman.ts";
import { ZIGZAG } from "./jpeg-idct.ts";
import { damaged } from "./refusal.ts";

/** A component as a scan reads it; sizes in blocks of 8 × 8. */
export interface ScanComponent {
  readonly across: number;
  readonly down: number;
  /** Blocks that hold pixels. */
  readonly width: number;
  readonly height: number;
  /** Blocks of a row in `coefficients`, which has whole MCUs. */
  readonly stride: number;
  /** 64 for each block, in the order of rows; undefined where only the bits have to be passed by. */
  readonly coefficients: Int16Array | undefined;
  readonly dc: JpegHuffman | undefined;
  readonly ac: JpegHuffman | undefined;
}

/** What a scan holds of the coefficients (ITU-T T.81, B.2.3 and G.1). */
export interface ScanRange {
  readonly progressive: boolean;
  readonly first: number;
  readonly last: number;
  /** Bits that earlier scans brought, 0 for none; and bits that are still missing after this one. */
  readonly high: number;
  readonly low: number;
}

/** Size of the whole scan, in MCUs, and MCUs between two restart markers, 0 for no such markers. */
export interface ScanSize {
  readonly mcusAcross: number;
  readonly mcusDown: number;
  readonly restartInterval: number;
}

/** Blocks of components that are passed by are written here. */
const nowhere = new Int16Array(64);

/** Reads the coded data of one scan into the coefficients of its components. */
export class JpegScan {
  readonly #bits: JpegBits;
  readonly #range: ScanRange;
  readonly #components: readonly ScanComponent[];
  readonly #previousDc: Int32Array;
  /** Blocks that follow without further coefficients. */
  #endOfBlocks = 0;

  constructor(data: Uint8Array, components: readonly ScanComponent[], range: ScanRange) {
    this.#bits = new JpegBits(data);
    this.#range = range;
    this.#components = components;
    this.#previousDc = new Int32Array(components.length);
  }

  /** Reads as many MCUs as there are; a scan that was cut leaves the rest as it is. Throws PictureRefusal. */
  read({ mcusAcross, mcusDown, restartInterval }: ScanSize): void {
    const [single] = this.#components;
    const alone = this.#components.length === 1 && single !== undefined;
    const [across, down] = alone ? [single.width, single.height] : [mcusAcross, mcusDown];
    for (let row = 0, mcu = 0; row < down; row++) {
      for (let column = 0; column < across; column++, mcu++) {
        if (restartInterval > 0 && mcu > 0 && mcu % restartInterval === 0 && !this.#restart()) return;
        if (this.#bits.ended) return;
        if (alone) this.#readBlock(single, 0, row, column);
        else this.#readMcu(row, column);
      }
    }
  }

  #restart(): boolean {
    this.#previousDc.fill(0);
    this.#endOfBlocks = 0;
    return this.#bits.restart();
  }

  #readMcu(mcuRow: number, mcuColumn: number): void {
    this.#components.forEach((component, index) => {
      const { across, down } = component;
      for (let row = 0; row < down; row++) {
        for (let column = 0; column < across; column++) {
          this.#readBlock(component, index, mcuRow * down + row, mcuColumn * across + column);
        }
      }
    });
  }

  #readBlock(component: ScanComponent, index: number, row: number, column: number): void {
    const { coefficients: kept, stride } = component;
    const coefficients = kept ?? nowhere;
    const at = kept === undefined ? 0 : 64 * (row * stride + column);
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
