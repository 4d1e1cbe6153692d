import { PNG } from "pngjs";
import type { QrBitmap } from "../invite/qr.ts";

/** Pixels per module: large enough for a poor camera, small enough for a chat message. */
const SCALE = 8;

/** The code as a PNG file, eight pixels per module. */
export function encodePng(bitmap: QrBitmap): Uint8Array {
  const size = bitmap.length * SCALE;
  const png = new PNG({ width: size, height: size, colorType: 0 });
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const dark = bitmap[Math.floor(y / SCALE)]?.[Math.floor(x / SCALE)] === true;
      png.data.fill(dark ? 0 : 255, 4 * (y * size + x), 4 * (y * size + x) + 3);
      png.data[4 * (y * size + x) + 3] = 255;
    }
  }
  return new Uint8Array(PNG.sync.write(png, { colorType: 0 }));
}
