import { checkPicture } from "./check-picture.ts";
import { readJpeg } from "./jpeg-pixels.ts";
import type { Backdrop, Picture } from "./luma.ts";
import { readPng } from "./png-pixels.ts";
import { damaged, PictureRefusal } from "./refusal.ts";

/** Decodes a picture file to brightness; throws PictureRefusal with what is wrong with it. */
export async function readPicture(bytes: Uint8Array, backdrop: Backdrop): Promise<Picture> {
  const kind = checkPicture(bytes);
  try {
    return kind === "png" ? await readPng(bytes, backdrop) : readJpeg(bytes);
  } catch (error) {
    if (error instanceof PictureRefusal) throw error;
    throw damaged(kind.toUpperCase(), error);
  }
}
