import { imageKind, type OtherImageKind, type ReadImageKind } from "../../invite/image.ts";
import { CLIENT_LIMITS } from "../../limits.ts";
import { walkBmp } from "./bmp-pixels.ts";
import { walkGif } from "./gif-pixels.ts";
import { walkJpeg } from "./jpeg-segments.ts";
import { walkPdf } from "./pdf-pixels.ts";
import { walkPng } from "./png-chunks.ts";
import { PictureRefusal, tooLarge } from "./refusal.ts";
import { walkAvif, walkWebp } from "./wasm-sizes.ts";

/** What to do with files that are known and not read. */
const OTHER_KINDS: Readonly<Record<OtherImageKind, string>> = {
  heic: "this is a HEIC photo, which is not read; send it as JPEG, or make a screenshot of it",
  tiff: "this is a TIFF picture, which is not read; save it as PNG or JPEG",
  jp2: "this is a JPEG 2000 picture, which is not read; save it as PNG or JPEG",
  jxl: "this is a JPEG XL picture, which is not read; save it as PNG or JPEG",
  video: "this is a video, which is not read; make a screenshot of the moment with the code",
  zip: "this is a ZIP archive, or a document that is one; take the picture out of it, or make a screenshot",
  psd: "this is a Photoshop file, which is not read; save it as PNG or JPEG",
};

const WALKS: Readonly<Record<ReadImageKind, (bytes: Uint8Array) => unknown>> = {
  png: walkPng,
  jpeg: walkJpeg,
  gif: walkGif,
  bmp: walkBmp,
  webp: walkWebp,
  avif: walkAvif,
  svg: () => undefined,
  pdf: walkPdf,
};

/** Largest SVG file that Latchkey writes, with a margin. */
const MAX_SVG_BYTES = 512 * 1024;

/** Checks what a picture file states of itself, without decoding anything; returns its kind. Throws PictureRefusal. */
export function checkPicture(bytes: Uint8Array): ReadImageKind {
  const kind = imageKind(bytes);
  if (kind === undefined) {
    throw new PictureRefusal(
      "the file is not a picture of a kind that is known; give a PNG or JPEG picture of the code",
    );
  }
  if (isOther(kind)) throw new PictureRefusal(OTHER_KINDS[kind]);
  const limit = kind === "svg" ? MAX_SVG_BYTES : CLIENT_LIMITS.maxImageBytes;
  if (bytes.length > limit) throw tooLarge(`the picture has more than ${limit} bytes`);
  WALKS[kind](bytes);
  return kind;
}

function isOther(kind: ReadImageKind | OtherImageKind): kind is OtherImageKind {
  return kind in OTHER_KINDS;
}
