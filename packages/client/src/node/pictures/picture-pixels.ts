import { checkPicture } from "./check-picture.ts";
import { readBmp } from "./bmp-pixels.ts";
import { readGif } from "./gif-pixels.ts";
import { readJpeg } from "./jpeg-pixels.ts";
import { SMALL_PIXELS, type Backdrop, type Picture } from "./luma.ts";
import { halved } from "./luma-changes.ts";
import { readPng } from "./png-pixels.ts";
import { damaged, PictureRefusal } from "./refusal.ts";
import { readPdf } from "./pdf-pixels.ts";
import type { WasmKind } from "./wasm-pixels.ts";
import { readSvg } from "./svg-pixels.ts";

/**
 * Decodes a picture file to brightness: once on white, and on black where something is transparent; of an animation each
 * frame; a large picture first in small. A picture is decoded when it is asked for. Throws PictureRefusal with what is
 * wrong with the file.
 */
export async function* readPictures(bytes: Uint8Array): AsyncGenerator<Picture> {
  let transparent = false;
  for await (const picture of readOn(bytes, 255)) {
    yield* smallFirst(picture);
    transparent ||= picture.transparent;
  }
  if (!transparent) return;
  for await (const picture of readOn(bytes, 0)) yield* smallFirst(picture);
}

/** Puts a small look before a large picture that comes without one. */
function* smallFirst(picture: Picture): Generator<Picture> {
  const { luma, small } = picture;
  if (small === undefined && luma.width * luma.height > SMALL_PIXELS) {
    yield { ...picture, luma: halved(luma), small: true };
  }
  yield picture;
}

async function* readOn(bytes: Uint8Array, backdrop: Backdrop): AsyncGenerator<Picture> {
  const kind = checkPicture(bytes);
  try {
    if (kind === "png") yield await readPng(bytes, backdrop);
    else if (kind === "jpeg") yield* readJpeg(bytes);
    else if (kind === "gif") yield* readGif(bytes, backdrop);
    else if (kind === "bmp") yield readBmp(bytes);
    else if (kind === "svg") yield readSvg(bytes);
    else if (kind === "pdf") yield readPdf(bytes);
    else yield* readFrames(bytes, kind, backdrop);
  } catch (error) {
    if (error instanceof PictureRefusal) throw error;
    throw damaged(kind.toUpperCase(), error);
  }
}

/** The decoders of these kinds are loaded when one is met. */
async function* readFrames(bytes: Uint8Array, kind: WasmKind, backdrop: Backdrop): AsyncGenerator<Picture> {
  const [{ readByWasm }, { webpFrames }] = await Promise.all([import("./wasm-pixels.ts"), import("./webp-frames.ts")]);
  for (const frame of kind === "webp" ? webpFrames(bytes) : [bytes]) yield await readByWasm(frame, kind, backdrop);
}
