import { CLIENT_LIMITS } from "../../limits.ts";
import { PictureRefusal, tooLarge } from "./refusal.ts";

/** Refuses a picture whose sides or pixels are out of `CLIENT_LIMITS`; throws PictureRefusal. */
export function checkSize(width: number, height: number): void {
  const { maxImageSide, maxImagePixels } = CLIENT_LIMITS;
  if (width < 1 || height < 1) throw new PictureRefusal("the picture has no pixels; send the file once more");
  if (Math.max(width, height) > maxImageSide)
    throw tooLarge(`a side of the picture is larger than ${maxImageSide} pixels`);
  if (width * height > maxImagePixels) throw tooLarge(`the picture is larger than ${maxImagePixels} pixels`);
}
