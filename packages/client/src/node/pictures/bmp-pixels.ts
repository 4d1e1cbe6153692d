import { LumaCanvas, type Picture } from "./luma.ts";
import { checkSize } from "./picture-size.ts";
import { damaged, PictureRefusal } from "./refusal.ts";
import { lumaOf } from "./shade.ts";

/** What the header of a BMP file states. */
interface BmpHeader {
  readonly width: number;
  readonly height: number;
  readonly topDown: boolean;
  readonly bits: number;
  readonly pixelsAt: number;
  readonly paletteAt: number;
  readonly paletteStep: number;
}

const FILE_HEADER_BYTES = 14;
const OLD_HEADER_BYTES = 12;
/** Uncompressed, or with masks for the colours, which are taken to be the usual ones. */
const READ_COMPRESSIONS: ReadonlySet<number> = new Set([0, 3, 6]);

/** Checks what a BMP file states of itself; throws PictureRefusal. */
export function walkBmp(bytes: Uint8Array): BmpHeader {
  if (bytes.length < FILE_HEADER_BYTES + OLD_HEADER_BYTES) throw damaged("BMP");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const headerBytes = view.getUint32(14, true);
  const isOld = headerBytes === OLD_HEADER_BYTES;
  if (!isOld && bytes.length < FILE_HEADER_BYTES + 40) throw damaged("BMP");
  const width = isOld ? view.getUint16(18, true) : view.getInt32(18, true);
  const height = isOld ? view.getUint16(20, true) : view.getInt32(22, true);
  const bits = view.getUint16(isOld ? 24 : 28, true);
  const compression = isOld ? 0 : view.getUint32(30, true);
  checkSize(width, Math.abs(height));
  if (!READ_COMPRESSIONS.has(compression) || ![1, 4, 8, 16, 24, 32].includes(bits)) {
    throw new PictureRefusal("the BMP picture is compressed in a way that is not read; save it as PNG");
  }
  return {
    width,
    height: Math.abs(height),
    topDown: height < 0,
    bits,
    pixelsAt: view.getUint32(10, true),
    paletteAt: FILE_HEADER_BYTES + headerBytes,
    paletteStep: isOld ? 3 : 4,
  };
}

/** Reads an uncompressed BMP file as brightness, row by row; rows that are missing are black. Throws PictureRefusal. */
export function readBmp(bytes: Uint8Array): Picture {
  const { width, height, topDown, bits, pixelsAt, paletteAt, paletteStep } = walkBmp(bytes);
  const canvas = new LumaCanvas(width, height);
  const rowBytes = 4 * Math.ceil((width * bits) / 32);
  const values = new Uint8Array(width);
  const palette = Uint8Array.from({ length: 256 }, (_, index) => {
    const at = paletteAt + paletteStep * index;
    return lumaOf(bytes[at + 2] ?? 0, bytes[at + 1] ?? 0, bytes[at] ?? 0);
  });
  for (let line = 0; line < height; line++) {
    const start = pixelsAt + line * rowBytes;
    for (let x = 0; x < width; x++) values[x] = shadeAt(bytes, start, x, bits, palette);
    canvas.addPixels(values, 0, 1, topDown ? line : height - 1 - line);
  }
  return { luma: canvas.toLuma(), transparent: false };
}

function shadeAt(bytes: Uint8Array, start: number, x: number, bits: number, palette: Uint8Array): number {
  if (bits <= 8) {
    const bit = x * bits;
    const sample = ((bytes[start + (bit >> 3)] ?? 0) >> (8 - bits - (bit & 7))) & ((1 << bits) - 1);
    return palette[sample] ?? 0;
  }
  const at = start + (x * bits) / 8;
  if (bits === 16) {
    const value = (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8);
    return lumaOf(((value >> 10) & 31) * 8, ((value >> 5) & 31) * 8, (value & 31) * 8);
  }
  return lumaOf(bytes[at + 2] ?? 0, bytes[at + 1] ?? 0, bytes[at] ?? 0);
}
