import { requireBytes, type LatchkeyError } from "@latchkey/mls";
import { requireCallOptions } from "../public-calls.ts";
import { clientError } from "../errors.ts";
import { CLIENT_LIMITS } from "../limits.ts";
import { walledWith } from "../public-calls.ts";
import { decodeInWorker } from "./picture-workers.ts";
import { checkPicture } from "./pictures/check-picture.ts";
import type { PictureAnswer } from "./pictures/picture-worker.ts";
import { PictureRefusal } from "./pictures/refusal.ts";

/**
 * Returns the texts of the QR codes in a picture file, drawn or photographed. The file's structure is checked first;
 * a worker thread then decodes it, within `CLIENT_LIMITS.pictureTimeoutMs` and about 300 MB. Throws INVITE_NO_QR for a
 * file without a readable code, and the reason of the signal.
 */
export function readQrFromImage(bytes: Uint8Array, signal?: AbortSignal): Promise<string[]> {
  return walledWith(requireCallOptions, { signal }, (checked) =>
    readQr(requireBytes()(bytes, "bytes"), checked.signal),
  );
}

async function readQr(bytes: Uint8Array, signal: AbortSignal | undefined): Promise<string[]> {
  signal?.throwIfAborted();
  try {
    checkPicture(bytes);
  } catch (error) {
    if (error instanceof PictureRefusal) throw refusal(error.message, error.cause);
    throw error;
  }
  const answer = await decode(bytes, signal);
  if ("refusal" in answer) throw refusal(answer.refusal);
  if (answer.texts.length > 0) return [...answer.texts];
  throw refusal("the picture shows no readable QR code; take it again, with the whole code, sharp and without glare");
}

async function decode(bytes: Uint8Array, signal: AbortSignal | undefined): Promise<PictureAnswer> {
  const deadline = AbortSignal.timeout(CLIENT_LIMITS.pictureTimeoutMs);
  try {
    return await decodeInWorker(bytes, AbortSignal.any(signal === undefined ? [deadline] : [signal, deadline]));
  } catch (error) {
    signal?.throwIfAborted();
    const cause = deadline.aborted
      ? `longer than ${CLIENT_LIMITS.pictureTimeoutMs / 1_000} seconds`
      : "too much memory";
    throw refusal(`decoding the picture takes ${cause}; cut it down to the code, or make a screenshot of it`, error);
  }
}

function refusal(message: string, cause?: unknown): LatchkeyError {
  return clientError("INVITE_NO_QR", message, cause === undefined ? {} : { cause });
}
