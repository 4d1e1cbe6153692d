import { imageKind, type ImageKind } from "../../invite/image.ts";
import { CLIENT_LIMITS } from "../../limits.ts";
import { walkJpeg } from "./jpeg-segments.ts";
import { walkPng } from "./png-chunks.ts";
import { PictureRefusal, tooLarge } from "./refusal.ts";

/** Checks what a picture file states of itself, without decoding anything; returns its kind. Throws PictureRefusal. */
export function checkPicture(bytes: Uint8Array): ImageKind {
  const kind = imageKind(bytes);
  if (kind === undefined) {
    throw new PictureRefusal("the file is not a picture that is read; give a PNG or JPEG picture of the code");
  }
  if (bytes.length > CLIENT_LIMITS.maxImageBytes) {
    throw tooLarge(`the picture has more than ${CLIENT_LIMITS.maxImageBytes} bytes`);
  }
  if (kind === "png") walkPng(bytes);
  else walkJpeg(bytes);
  return kind;
}
