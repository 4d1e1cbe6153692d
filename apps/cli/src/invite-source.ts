import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { addAbortSignal, type Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { imageKind } from "@latchkey/client";
import { readQrFromImage } from "@latchkey/client/node";
import type { CommandContext } from "./context.ts";
import { reasonOf } from "./data-dir.ts";
import { cliError } from "./errors.ts";
import { quoted } from "./text.ts";

/** Larger than any picture that is searched for a QR code. */
const MAX_SOURCE_BYTES = 64 * 1024 * 1024;
/** Longest path that systems take. */
const MAX_PATH_CHARACTERS = 4_096;

/**
 * The invite that a user names: a link or a text with one, a file, or `-` for standard input, where a link stays out of the
 * list of processes. A file is a picture of the QR code, a text with a link, or the bytes of the invite.
 * Throws FILE_UNREADABLE, INVITE_NO_QR.
 */
export async function readInviteSource(source: string, context: CommandContext): Promise<string | Uint8Array> {
  const { signal } = context;
  if (source === "-") return inviteIn(await readAll(context.stdin, "standard input", signal), signal);
  const path = pathOf(source);
  if (path === undefined || (looksLikeText(source) && !(await isFile(path)))) return source;
  return inviteIn(await readAll(createReadStream(path), quoted(path), signal), signal);
}

/** The path that a source names or may name; undefined for a link. */
function pathOf(source: string): string | undefined {
  if (/^\s*file:\/\//i.test(source)) return fileUrlPath(source.trim());
  if (/^\s*[a-z][a-z0-9+.-]+:/i.test(source)) return undefined;
  return source.length <= MAX_PATH_CHARACTERS && !/[\n\0]/.test(source) ? source : undefined;
}

function fileUrlPath(url: string): string {
  try {
    return fileURLToPath(url);
  } catch (error) {
    throw cliError("FILE_UNREADABLE", `${quoted(url)} does not name a file of this machine`, error);
  }
}

/** A link has a scheme, or, when somebody copied it without, a fragment; a text may begin with other words. */
function looksLikeText(source: string): boolean {
  return source.includes("#") || /latchkey:|https?:|\s/i.test(source) || /^C[g-v][\w-]{60,}$/.test(source);
}

async function isFile(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  return found?.isFile() === true;
}

async function inviteIn(bytes: Uint8Array, signal: AbortSignal): Promise<string | Uint8Array> {
  if (imageKind(bytes) !== undefined) {
    // The texts of all codes, a line each: the invite is found among them as in any text.
    return (await readQrFromImage(bytes, signal)).join("\n");
  }
  return textOf(bytes) ?? bytes;
}

/** A text in UTF-8 or UTF-16; undefined for the bytes of an invite: they have control characters. */
function textOf(bytes: Uint8Array): string | undefined {
  const [first, second] = bytes;
  const encoding =
    first === 0xff && second === 0xfe ? "utf-16le" : first === 0xfe && second === 0xff ? "utf-16be" : "utf-8";
  try {
    const text = new TextDecoder(encoding, { fatal: true, ignoreBOM: false }).decode(bytes);
    return /[\u0000-\u0008\u000e-\u001f]/.test(text) ? undefined : text;
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
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
