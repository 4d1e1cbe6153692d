import { checkSize } from "./picture-size.ts";
import { damaged, tooLarge } from "./refusal.ts";

/** Pixels of such a picture: phones take none of these kinds, and programs that send pictures on make them smaller. */
const MAX_PIXELS = 20_000_000;

function checkSmall(width: number, height: number): void {
  checkSize(width, height);
  if (width * height > MAX_PIXELS) throw tooLarge(`the picture is larger than ${MAX_PIXELS} pixels`);
}

/** Checks the size that a WebP file states, by the form of its first chunk; throws PictureRefusal. */
export function walkWebp(bytes: Uint8Array): void {
  if (bytes.length < 30) throw damaged("WebP");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const form = String.fromCharCode(...bytes.subarray(12, 16));
  if (form === "VP8 ") checkSmall(view.getUint16(26, true) & 0x3fff, view.getUint16(28, true) & 0x3fff);
  else if (form === "VP8L") {
    const sizes = view.getUint32(21, true);
    checkSmall(1 + (sizes & 0x3fff), 1 + ((sizes >> 14) & 0x3fff));
  } else if (form === "VP8X") {
    const uint24 = (at: number) => view.getUint16(at, true) + 65_536 * view.getUint8(at + 2);
    checkSmall(1 + uint24(24), 1 + uint24(27));
  } else throw damaged("WebP");
}

/** Checks each size that the properties of an AVIF file state (`ispe`); throws PictureRefusal. */
export function walkAvif(bytes: Uint8Array): void {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  let sizes = 0;
  for (let at = file.indexOf("ispe"); at >= 0 && at + 16 <= file.length; at = file.indexOf("ispe", at + 4)) {
    checkSmall(file.readUInt32BE(at + 8), file.readUInt32BE(at + 12));
    sizes++;
  }
  if (sizes === 0) throw damaged("AVIF");
}
