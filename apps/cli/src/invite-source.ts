import { createReadStream } from "node:fs";
import { addAbortSignal, type Readable } from "node:stream";
import { imageKind } from "@latchkey/client";
import { readQrFromImage } from "@latchkey/client/node";
import type { CommandContext } from "./context.ts";
import { reasonOf } from "./data-dir.ts";
import { cliError } from "./errors.ts";
import { quoted } from "./text.ts";

/** Larger than any picture that is searched for a QR code. */
const MAX_SOURCE_BYTES = 64 * 1024 * 1024;

/**
 * The invite that a user names: a link or a text with one, the QR code in a PNG or JPEG file, or `-` for either of them or the
 * bytes of the invite on standard input, where a link stays out of the list of processes. Throws FILE_UNREADABLE, INVITE_NO_QR.
 */
export async function readInviteSource(source: string, context: CommandContext): Promise<string | Uint8Array> {
  if (source === "-") {
    const bytes = await readAll(context.stdin, "standard input", context.signal);
    return imageKind(bytes) !== undefined ? readCodes(bytes, context.signal) : textOrPayload(bytes);
  }
  if (isLink(source)) return source;
  return readCodes(await readAll(createReadStream(source), quoted(source), context.signal), context.signal);
}

/** The texts of all codes in a picture, a line each: the invite is found among them as in any text. */
async function readCodes(picture: Uint8Array, signal: AbortSignal): Promise<string> {
  return (await readQrFromImage(picture, signal)).join("\n");
}

/** A text with a link in it is UTF-8; the bytes of an invite are not, or have control characters. */
function textOrPayload(bytes: Uint8Array): string | Uint8Array {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return /[\u0000-\u0008\u000e-\u001f]/.test(text) ? bytes : text;
  } catch (error) {
    if (error instanceof TypeError) return bytes;
    throw error;
  }
}

/** A link has a scheme, or, when somebody copied it without, a fragment; a text may begin with other words. */
function isLink(source: string): boolean {
  if (/^[a-z][a-z0-9+.-]+:/i.test(source) || /\slatchkey:/i.test(source)) return true;
  return source.includes("#") && !/\.(png|jpe?g)$/i.test(source);
}

async function readAll(stream: Readable, name: string, signal: AbortSignal): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of addAbortSignal(signal, stream) as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      length += chunk.length;
      if (length > MAX_SOURCE_BYTES) break;
    }
  } catch (error) {
    if (signal.aborted) throw error;
    throw cliError("FILE_UNREADABLE", `cannot read ${name}: ${reasonOf(error)}`, error);
  }
  if (length > MAX_SOURCE_BYTES) throw cliError("FILE_UNREADABLE", `${name} is larger than ${MAX_SOURCE_BYTES} bytes`);
  return Buffer.concat(chunks);
}
