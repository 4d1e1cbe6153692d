import { parentPort } from "node:worker_threads";
import { findCodes } from "./find-codes.ts";
import { readPicture } from "./picture-pixels.ts";
import { PictureRefusal } from "./refusal.ts";

/** What the worker answers: the texts of the codes, or why there are none. */
export type PictureAnswer = { readonly texts: readonly string[] } | { readonly refusal: string };

async function answer(bytes: Uint8Array): Promise<PictureAnswer> {
  try {
    const onWhite = await readPicture(bytes, 255);
    const texts = findCodes(onWhite.luma);
    if (texts.length > 0 || !onWhite.transparent) return { texts };
    return { texts: findCodes((await readPicture(bytes, 0)).luma) };
  } catch (error) {
    if (error instanceof PictureRefusal) return { refusal: error.message };
    throw error;
  }
}

parentPort?.on("message", (bytes: Uint8Array) => {
  void answer(bytes).then((given) => parentPort?.postMessage(given));
});
