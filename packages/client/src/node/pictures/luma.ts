import { CLIENT_LIMITS } from "../../limits.ts";

/** A picture reduced to brightness: one byte a pixel, row by row, 0 is black. */
export interface Luma {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array<ArrayBuffer>;
}

/** A decoded picture; `transparent` when some pixel lets the backdrop through. */
export interface Picture {
  readonly luma: Luma;
  readonly transparent: boolean;
  /** True for a small look before a large picture, false where one came already, undefined where none was made. */
  readonly small?: boolean;
}

/** Pixels of a picture that is looked at without a smaller one first: most codes are read in it as well as in a larger one. */
export const SMALL_PIXELS = 4_000_000;

/** Brightness behind transparent pixels: black codes need white behind them, white codes need black. */
export type Backdrop = 0 | 255;

/** Collects the pixels of a picture in any order; those of squares are averaged, so that `maxLumaPixels` are enough. */
export class LumaCanvas {
  readonly #width: number;
  readonly #height: number;
  /** Side of the squares, in pixels. */
  readonly #by: number;
  readonly #sums: Uint8Array<ArrayBuffer> | Uint16Array;

  /** Takes the size of the picture in pixels; allocates at most two bytes for each pixel that is left of it. */
  constructor(width: number, height: number) {
    this.#by = Math.ceil(Math.sqrt((width * height) / CLIENT_LIMITS.maxLumaPixels));
    this.#width = Math.max(1, Math.floor(width / this.#by));
    this.#height = Math.max(1, Math.floor(height / this.#by));
    const area = this.#width * this.#height;
    this.#sums = this.#by === 1 ? new Uint8Array(area) : new Uint16Array(area);
  }

  /** Adds the brightness of the pixels (x0 + i · step, y); those outside of whole squares are left out. */
  addPixels(values: Uint8Array, x0: number, step: number, y: number): void {
    const [by, width, sums] = [this.#by, this.#width, this.#sums];
    const row = Math.floor(y / by);
    if (row >= this.#height) return;
    const base = row * width;
    if (by === 1 && step === 1) {
      sums.set(values.subarray(0, width - x0), base + x0);
      return;
    }
    for (let index = 0, x = x0; index < values.length; index++, x += step) {
      const column = Math.floor(x / by);
      if (column >= width) return;
      sums[base + column] = (sums[base + column] ?? 0) + (values[index] ?? 0);
    }
  }

  /** The averaged picture. */
  toLuma(): Luma {
    const sums = this.#sums;
    const [width, height, area] = [this.#width, this.#height, this.#by * this.#by];
    if (sums instanceof Uint8Array) return { width, height, data: sums };
    const data = new Uint8Array(sums.length);
    for (let index = 0; index < data.length; index++) data[index] = Math.floor((sums[index] ?? 0) / area);
    return { width, height, data };
  }
}
