import { LatchkeyError } from "@latchkey/mls";
import jpeg from "jpeg-js";
import { PNG } from "pngjs";
import { decodeQR } from "qr/decode.js";
import { clientError } from "../errors.ts";
import { imageKind, type ImageKind } from "../invite/image.ts";
import { CLIENT_LIMITS } from "../limits.ts";

/** Time for the decoder's extra attempts on a bad picture, in milliseconds. */
const DECODE_TIME_MS = 2_000;

/** An image unpacked, four bytes per pixel. */
interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

function noQr(message: string, cause?: unknown): never {
  throw clientError("INVITE_NO_QR", `${message}; take the picture again, whole and sharp`, { cause });
}

function tooLarge(): never {
  return noQr(`the image is larger than ${CLIENT_LIMITS.maxImagePixels} pixels`);
}

/** A look at the size first, so that a small file cannot ask for gigabytes. */
function unpackPng(bytes: Uint8Array): Pixels {
  if (bytes.length < 24) noQr("the PNG image is damaged");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (view.getUint32(16) * view.getUint32(20) > CLIENT_LIMITS.maxImagePixels) tooLarge();
  return PNG.sync.read(Buffer.from(bytes));
}

/**
 * Scans in a JPEG file, or more: pairs of bytes that could begin one. A progressive image may repeat scans of a few bytes
 * that each cost a walk over all its blocks.
 */
function countScans(bytes: Uint8Array): number {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  let scans = 0;
  for (let at = file.indexOf("ffda", 0, "hex"); at >= 0; at = file.indexOf("ffda", at + 2, "hex")) scans++;
  return scans;
}

/** The decoder compares the pixels with the limit, and what it is about to take with the memory, before it takes it. */
function unpackJpeg(bytes: Uint8Array): Pixels {
  const { maxImagePixels, maxJpegMegabytes, maxJpegScans } = CLIENT_LIMITS;
  if (countScans(bytes) > maxJpegScans) noQr("the JPEG image has more layers than any camera writes");
  return jpeg.decode(bytes, {
    useTArray: true,
    formatAsRGBA: true,
    maxResolutionInMP: maxImagePixels / 1_000_000,
    maxMemoryUsageInMB: maxJpegMegabytes,
  });
}

const UNPACK: Readonly<Record<ImageKind, (bytes: Uint8Array) => Pixels>> = { png: unpackPng, jpeg: unpackJpeg };

function unpack(bytes: Uint8Array): Pixels {
  const kind = imageKind(bytes);
  if (kind === undefined) return noQr("the file is no PNG or JPEG image");
  if (bytes.length > CLIENT_LIMITS.maxImageBytes) return tooLarge();
  try {
    return UNPACK[kind](bytes);
  } catch (error) {
    if (error instanceof LatchkeyError) throw error;
    if (error instanceof Error && /maxResolutionInMP|maxMemoryUsageInMB/.test(error.message)) return tooLarge();
    return noQr("the image is damaged", error);
  }
}

/**
 * The image turned by 45 degrees, shrunk so that its corners stay in the frame: the decoder looks along lines and misses
 * codes that stand on a corner. Of the colours green is enough.
 */
function turned({ width, height, data }: Pixels): Uint8Array {
  const colours = 2 * Math.ceil(width / 2) * Math.ceil(height / 2);
  const luminance = new Uint8Array(width * height + colours).fill(128);
  const step = (width + height) / (2 * Math.min(width, height));
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [dx, dy] = [(x - width / 2) * step, (y - height / 2) * step];
      const column = Math.round(dx - dy + width / 2);
      const row = Math.round(dx + dy + height / 2);
      if (column < 0 || row < 0 || column >= width || row >= height) continue;
      luminance[y * width + x] = data[4 * (row * width + column) + 1] ?? 0;
    }
  }
  return luminance; // I420, whose colours nobody looks at.
}

/**
 * The text of the QR code in a PNG or JPEG file, drawn or photographed; throws INVITE_NO_QR. Unpacking a photo of 12
 * megapixels takes about a second and 300 MB for that time.
 */
export function readQrFromImage(bytes: Uint8Array): string {
  const { width, height, data } = unpack(bytes);
  try {
    return decodeQR({ width, height, data }, { format: "RGBA", timeLimit: DECODE_TIME_MS });
  } catch {
    return readTurned({ width, height, data });
  }
}

function readTurned(image: Pixels): string {
  const { width, height } = image;
  try {
    return decodeQR({ width, height, data: turned(image) }, { format: "I420", timeLimit: DECODE_TIME_MS });
  } catch (error) {
    return noQr("the image shows no readable QR code", error);
  }
}
