import type { Backdrop } from "./luma.ts";
import type { PngParts } from "./png-chunks.ts";
import { lumaOf, over } from "./shade.ts";

/** Turns a row of a PNG file into brightness, and notes whether some pixel lets the backdrop through. */
export interface PngShades {
  convert(row: Uint8Array, values: Uint8Array): void;
  readonly transparent: boolean;
}

/** The conversion for the colour type of a file. */
export function shadesOf(parts: PngParts, backdrop: Backdrop): PngShades {
  const { bitDepth, colourType } = parts.header;
  if (colourType === 3 || (colourType === 0 && bitDepth <= 8)) return new IndexedShades(parts, backdrop);
  return new DirectShades(parts, backdrop);
}

/** Samples of up to 8 bits that each stand for a shade: palettes and greys. */
class IndexedShades implements PngShades {
  readonly transparent: boolean;
  readonly #shades: Uint8Array;
  readonly #depth: number;

  constructor({ header, palette, transparency }: PngParts, backdrop: Backdrop) {
    this.#depth = header.bitDepth;
    const count = 1 << this.#depth;
    this.#shades = new Uint8Array(count);
    const see = transparency === undefined ? -1 : (transparency[0] ?? 0) * 256 + (transparency[1] ?? 0);
    let transparent = false;
    for (let index = 0; index < count; index++) {
      const colour = palette.subarray(3 * index, 3 * index + 3);
      const isPalette = header.colourType === 3;
      const luma = isPalette ? lumaOf(colour[0] ?? 0, colour[1] ?? 0, colour[2] ?? 0) : (index * 255) / (count - 1);
      const alpha = isPalette ? (transparency?.[index] ?? 255) : index === see ? 0 : 255;
      transparent ||= alpha < 255;
      this.#shades[index] = over(luma, alpha, backdrop);
    }
    this.transparent = transparent;
  }

  convert(row: Uint8Array, values: Uint8Array): void {
    const depth = this.#depth;
    const mask = (1 << depth) - 1;
    for (let index = 0; index < values.length; index++) {
      const bit = index * depth;
      const sample = ((row[bit >> 3] ?? 0) >> (8 - depth - (bit & 7))) & mask;
      values[index] = this.#shades[sample] ?? 0;
    }
  }
}

/** Samples of 8 or 16 bits, of which the high byte counts: grey, grey with alpha, RGB, RGBA. */
class DirectShades implements PngShades {
  transparent = false;
  readonly #backdrop: Backdrop;
  readonly #colours: number;
  readonly #hasAlpha: boolean;
  readonly #sampleBytes: number;
  readonly #see: Uint8Array | undefined;

  constructor({ header, transparency }: PngParts, backdrop: Backdrop) {
    this.#backdrop = backdrop;
    this.#colours = header.colourType === 2 || header.colourType === 6 ? 3 : 1;
    this.#hasAlpha = header.colourType >= 4;
    this.#sampleBytes = header.bitDepth / 8;
    const see = transparency?.subarray(0, 2 * this.#colours);
    // The transparent colour is written in 16 bits a sample whatever the depth is.
    this.#see = this.#sampleBytes === 2 ? see : see?.filter((_, index) => index % 2 === 1);
  }

  convert(row: Uint8Array, values: Uint8Array): void {
    const bytes = this.#sampleBytes;
    const stride = bytes * (this.#colours + (this.#hasAlpha ? 1 : 0));
    for (let index = 0, at = 0; index < values.length; index++, at += stride) {
      const red = row[at] ?? 0;
      const luma = this.#colours === 1 ? red : lumaOf(red, row[at + bytes] ?? 0, row[at + 2 * bytes] ?? 0);
      const alpha = this.#hasAlpha ? (row[at + stride - bytes] ?? 0) : this.#isSeeThrough(row, at) ? 0 : 255;
      if (alpha < 255) this.transparent = true;
      values[index] = over(luma, alpha, this.#backdrop);
    }
  }

  #isSeeThrough(row: Uint8Array, at: number): boolean {
    return this.#see?.every((byte, index) => row[at + index] === byte) === true;
  }
}
