import { checkSize } from "./picture-size.ts";
import { damaged, tooLarge } from "./refusal.ts";
import { CLIENT_LIMITS } from "../../limits.ts";

/** What the header of a PNG file states (PNG, third edition, section 11.2.1). */
export interface PngHeader {
  readonly width: number;
  readonly height: number;
  readonly bitDepth: number;
  readonly colourType: number;
  readonly interlaced: boolean;
}

/** The parts of a PNG file that its pixels need; `data` are views of the file. */
export interface PngParts {
  readonly header: PngHeader;
  readonly palette: Uint8Array;
  /** Contents of tRNS: what is transparent. */
  readonly transparency: Uint8Array | undefined;
  readonly data: readonly Uint8Array[];
}

/** One of the reduced pictures that an interlaced file holds, or the picture itself: pixels from (x, y) in steps. */
export interface PngPass {
  readonly x: number;
  readonly y: number;
  readonly stepX: number;
  readonly stepY: number;
  readonly width: number;
  readonly height: number;
}

const SIGNATURE_BYTES = 8;
const IHDR = 0x49484452;
const PLTE = 0x504c5445;
const TRNS = 0x74524e53;
const IDAT = 0x49444154;
const IEND = 0x49454e44;

/** Bit depths that each colour type allows. */
const DEPTHS: Readonly<Record<number, readonly number[]>> = {
  0: [1, 2, 4, 8, 16],
  2: [8, 16],
  3: [1, 2, 4, 8],
  4: [8, 16],
  6: [8, 16],
};

/** Samples of a pixel by colour type. */
const SAMPLES: Readonly<Record<number, number>> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };

/** First column and row of the seven passes of Adam7, and their steps. */
const ADAM7 = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
] as const;

/** Bits of a pixel in the file. */
export function bitsPerPixel({ bitDepth, colourType }: PngHeader): number {
  return bitDepth * (SAMPLES[colourType] ?? 1);
}

/** Bytes of a row of a pass, with the byte that names its filter. */
export function rowBytes(header: PngHeader, width: number): number {
  return 1 + Math.ceil((width * bitsPerPixel(header)) / 8);
}

/** The passes of a picture that hold pixels, in the order of the file. */
export function passesOf({ width, height, interlaced }: PngHeader): readonly PngPass[] {
  if (!interlaced) return [{ x: 0, y: 0, stepX: 1, stepY: 1, width, height }];
  return ADAM7.map(([x, y, stepX, stepY]) => ({
    x,
    y,
    stepX,
    stepY,
    width: Math.ceil((width - x) / stepX),
    height: Math.ceil((height - y) / stepY),
  })).filter((pass) => pass.width > 0 && pass.height > 0);
}

/** Bytes that the pixels take once inflated: no more are ever taken from a file. */
export function inflatedBytes(header: PngHeader): number {
  return passesOf(header).reduce((sum, { width, height }) => sum + height * rowBytes(header, width), 0);
}

/**
 * Walks the chunks of a PNG file and checks the header, before anything is decompressed: one IHDR of 13 bytes stands first,
 * the sides, the pixels and the inflated bytes are within `CLIENT_LIMITS`. Throws PictureRefusal.
 */
export function walkPng(bytes: Uint8Array): PngParts {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let header: PngHeader | undefined;
  let palette = new Uint8Array(0);
  let transparency: Uint8Array | undefined;
  const data: Uint8Array[] = [];
  for (let at = SIGNATURE_BYTES; at + 8 <= bytes.length;) {
    const length = view.getUint32(at);
    const type = view.getUint32(at + 4);
    // A file that was cut in its last chunk of pixels still shows its beginning.
    const content = bytes.subarray(at + 8, at + 8 + length);
    if ((header === undefined) !== (type === IHDR)) throw damaged("PNG");
    if (type === IHDR) header = readHeader(content);
    if (type === PLTE) palette = content.slice(0, 768);
    if (type === TRNS) transparency = content.slice(0, 256);
    if (type === IDAT) data.push(content);
    if (type === IEND) break;
    at += 12 + length;
  }
  if (header === undefined || data.length === 0) throw damaged("PNG");
  return { header, palette, transparency, data };
}

function readHeader(content: Uint8Array): PngHeader {
  if (content.length !== 13) throw damaged("PNG");
  const view = new DataView(content.buffer, content.byteOffset, content.length);
  const [width, height] = [view.getUint32(0), view.getUint32(4)];
  const [bitDepth, colourType, interlace] = [view.getUint8(8), view.getUint8(9), view.getUint8(12)];
  const known = DEPTHS[colourType]?.includes(bitDepth) === true && interlace <= 1;
  if (!known || view.getUint8(10) !== 0 || view.getUint8(11) !== 0) throw damaged("PNG");
  checkSize(width, height);
  const header = { width, height, bitDepth, colourType, interlaced: interlace === 1 };
  if (inflatedBytes(header) > CLIENT_LIMITS.maxInflatedBytes) {
    throw tooLarge(`the picture takes more than ${CLIENT_LIMITS.maxInflatedBytes} bytes once unpacked`);
  }
  return header;
}
