import { parentPort } from "node:worker_threads";
import { findCodes, looksLikeInvite } from "./find-codes.ts";
import { readPictures } from "./picture-pixels.ts";
import { PictureRefusal } from "./refusal.ts";

/** What the worker answers: the texts of the codes, or why there are none. */
export type PictureAnswer = { readonly texts: readonly string[] } | { readonly refusal: string };

async function answer(bytes: Uint8Array): Promise<PictureAnswer> {
  try {
    const texts = new Set<string>();
    for await (const picture of readPictures(bytes)) {
      for (const text of await findCodes(picture)) texts.add(text);
      if ([...texts].some(looksLikeInvite)) break;
    }
    return { texts: [...texts] };
  } catch (error) {
    if (error instanceof PictureRefusal) return { refusal: error.message };
    throw error;
  }
}

parentPort?.on("message", (bytes: Uint8Array) => {
  void answer(bytes).then((given) => parentPort?.postMessage(given));
});
