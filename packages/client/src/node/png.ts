import { PNG } from "pngjs";
import { decodeQR } from "qr/decode.js";
import { clientError } from "../errors.ts";
import type { QrBitmap } from "../invite/qr.ts";
import { CLIENT_LIMITS } from "../limits.ts";

/** Pixels per module: large enough for a poor camera, small enough for a chat message. */
const SCALE = 8;

/** Time for the decoder's extra attempts on a bad picture, in milliseconds. */
const DECODE_TIME_MS = 2_000;

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

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

/** True when the bytes begin like a PNG file. */
export function isPng(bytes: Uint8Array): boolean {
  return SIGNATURE.every((value, index) => bytes[index] === value);
}

function noQr(message: string, cause?: unknown): never {
  throw clientError("INVITE_NO_QR", `${message}; take the picture again, whole and sharp`, { cause });
}

/** Unpacks a PNG after a look at its size, so that a small file cannot ask for gigabytes. */
function unpack(bytes: Uint8Array): PNG {
  if (!isPng(bytes) || bytes.length < 24) noQr("the file is no PNG image");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const pixels = view.getUint32(16) * view.getUint32(20);
  if (bytes.length > CLIENT_LIMITS.maxImageBytes || pixels > CLIENT_LIMITS.maxImagePixels) {
    noQr(`the image is larger than ${CLIENT_LIMITS.maxImagePixels} pixels`);
  }
  try {
    return PNG.sync.read(Buffer.from(bytes));
  } catch (error) {
    return noQr("the PNG image is damaged", error);
  }
}

/** The text of the QR code in a PNG file; throws INVITE_NO_QR. */
export function readQrFromPng(bytes: Uint8Array): string {
  const { width, height, data } = unpack(bytes);
  try {
    return decodeQR({ width, height, data: new Uint8Array(data) }, { format: "RGBA", timeLimit: DECODE_TIME_MS });
  } catch (error) {
    return noQr("the image shows no readable QR code", error);
  }
}
