import { decodeQR } from "qr/decode.js";
import type { Luma } from "./luma.ts";

/** Time for the decoder's extra attempts on a bad picture, in milliseconds. */
const DECODE_TIME_MS = 2_000;

/** The texts of the QR codes in a picture. */
export function findCodes(luma: Luma): string[] {
  return decode(luma) ?? decode(turned(luma)) ?? [];
}

function decode(luma: Luma): string[] | undefined {
  try {
    return [decodeQR(planar(luma), { format: "I420", timeLimit: DECODE_TIME_MS })];
  } catch {
    return undefined;
  }
}

/** The picture in a format with one byte of brightness a pixel; its colours are not looked at. */
function planar({ width, height, data }: Luma) {
  const colours = 2 * Math.ceil(width / 2) * Math.ceil(height / 2);
  const planes = new Uint8Array(data.length + colours);
  planes.set(data);
  return { width, height, data: planes };
}

/**
 * The picture turned by 45 degrees, shrunk so that its corners stay in the frame: the decoder looks along lines and misses
 * codes that stand on a corner.
 */
function turned({ width, height, data }: Luma): Luma {
  const out = new Uint8Array(width * height).fill(128);
  const step = (width + height) / (2 * Math.min(width, height));
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [dx, dy] = [(x - width / 2) * step, (y - height / 2) * step];
      const column = Math.round(dx - dy + width / 2);
      const row = Math.round(dx + dy + height / 2);
      if (column < 0 || row < 0 || column >= width || row >= height) continue;
      out[y * width + x] = data[row * width + column] ?? 0;
    }
  }
  return { width, height, data: out };
}
