import { crc32, deflateSync } from "node:zlib";
import { argumentInvalid, concatBytes, requireFlag, requireList, requireWholeNumber, utf8 } from "@latchkey/mls";
import type { QrBitmap } from "../qr-bitmap.ts";

/** Pixels per module: large enough for a poor camera, small enough for a chat message. */
const DEFAULT_SCALE = 8;
const MAX_SCALE = 64;
/** Modules of a side, quiet zone included: the largest code has 177. */
const MAX_SIDE = 256;

const requireBitmap = requireList(requireList(requireFlag, MAX_SIDE), MAX_SIDE);

function uint32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}

function chunk(type: string, content: Uint8Array): Uint8Array {
  const named = concatBytes(utf8(type), content);
  return concatBytes(uint32(content.length), named, uint32(crc32(named)));
}

/** The code as a PNG file of one bit a pixel, `scale` pixels a module: 1 to 64, 8 by default. Throws ARGUMENT_INVALID. */
export function encodePng(bitmap: QrBitmap, scale: number = DEFAULT_SCALE): Uint8Array {
  const by = requireWholeNumber(1, MAX_SCALE)(scale, "scale");
  const rows = requireBitmap(bitmap, "bitmap");
  if (rows.length === 0 || rows.some((row) => row.length !== rows.length)) {
    throw argumentInvalid("bitmap", "a square of modules");
  }
  return pngOf(rows, by);
}

function pngOf(bitmap: QrBitmap, by: number): Uint8Array {
  const side = bitmap.length * by;
  const rows = bitmap.flatMap((modules) => {
    const row = new Uint8Array(1 + Math.ceil(side / 8));
    for (let x = 0; x < side; x++) {
      if (modules[Math.floor(x / by)] !== true) row[1 + (x >> 3)] = (row[1 + (x >> 3)] ?? 0) | (0x80 >> (x & 7));
    }
    return Array.from({ length: by }, () => row);
  });
  return concatBytes(
    Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a),
    chunk("IHDR", concatBytes(uint32(side), uint32(side), Uint8Array.of(1, 0, 0, 0, 0))),
    chunk("IDAT", deflateSync(concatBytes(...rows))),
    chunk("IEND", new Uint8Array(0)),
  );
}
