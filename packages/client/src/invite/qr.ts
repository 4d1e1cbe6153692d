import { encodeInvitePayload, toBase64Url, type InvitePayload } from "@latchkey/xmtp";
import { correction, generate, mode, type Mode } from "lean-qr";
import type { QrBitmap } from "../qr-bitmap.ts";
import { samePointer, servicePointer } from "./service.ts";
import { checkedServiceUrl } from "./slots.ts";

/** What `Invite.toQR` can draw. */
export type QrFormat = "png" | "svg" | "terminal";

/** Modules of white around the code that readers need (ISO/IEC 18004). */
export const QUIET_ZONE = 4;

/** Draws text or segments; error correction M survives 15 % of dirt and keeps the modules large. */
function draw(data: Mode | string): QrBitmap {
  const code = generate(data, { minCorrectionLevel: correction.M, maxCorrectionLevel: correction.M });
  const size = code.size + 2 * QUIET_ZONE;
  return Array.from({ length: size }, (_, y) =>
    Array.from({ length: size }, (_, x) => code.get(x - QUIET_ZONE, y - QUIET_ZONE)),
  );
}

/** Draws a text. */
export function qrBitmap(text: string): QrBitmap {
  return draw(text);
}

/** What the code of an invite says: a text, and digits that follow it. */
export interface CodeText {
  readonly text: string;
  readonly digits: string;
}

/**
 * The text of an invite's code, smaller than its link: the payload is one decimal number, which a numeric segment holds in
 * 3.3 bits a digit. A pointer to the link's own origin is left out; readers put it back. Where that would give a payload
 * without a pointer one, the payload stays in letters.
 */
export function codeTextOf(payload: InvitePayload, linkStart: string): CodeText {
  const origin = checkedServiceUrl(/^https?:/.test(linkStart) ? new URL(linkStart).origin : "");
  const { servicePointer: pointer } = payload;
  if (origin !== undefined && pointer === undefined) {
    return { text: `${linkStart}${toBase64Url(encodeInvitePayload(payload))}`, digits: "" };
  }
  const isOwn = origin !== undefined && pointer !== undefined && samePointer(pointer, servicePointer(origin));
  const bytes = encodeInvitePayload(isOwn ? { ...payload, servicePointer: undefined } : payload);
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return { text: linkStart, digits: BigInt(`0x${hex}`).toString() };
}

/** Draws the code of an invite: its start in lower case as bytes, its payload as digits. */
export function inviteBitmap(payload: InvitePayload, linkStart: string): QrBitmap {
  const { text, digits } = codeTextOf(payload, linkStart);
  const start = /^[\x20-\x7e]*$/.test(text) ? mode.ascii(text) : mode.utf8(text);
  return draw(digits === "" ? start : mode.multi(start, mode.numeric(digits)));
}

/** Runs of dark modules as paths, one unit a module. */
export function codePath(bitmap: QrBitmap): string {
  let path = "";
  bitmap.forEach((row, y) => {
    for (let x = 0; x < row.length; x++) {
      if (row[x] !== true) continue;
      let length = 1;
      while (row[x + length] === true) length++;
      path += `M${x} ${y}h${length}v1h-${length}z`;
      x += length;
    }
  });
  return path;
}

/** Side of an SVG picture in pixels for each module. */
const SVG_SCALE = 8;

/** An SVG document of the code, with a title for those who do not see it. */
export function qrSvg(bitmap: QrBitmap, title = "QR code of an invite"): string {
  const size = bitmap.length;
  const side = size * SVG_SCALE;
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" role="img" width="${side}" height="${side}" viewBox="0 0 ${size} ${size}"` +
    ` shape-rendering="crispEdges"><title>${title}</title>` +
    `<rect width="${size}" height="${size}" fill="#fff"/><path fill="#000" d="${codePath(bitmap)}"/></svg>\n`
  );
}

const BLACK_ON_WHITE = "\u001b[38;5;16;48;5;231m";
const RESET = "\u001b[0m";
const HALF_BLOCKS = [" ", "▀", "▄", "█"] as const;

/** Two rows of modules per line of text, black on white whatever the colours of the terminal are. */
export function qrTerminal(bitmap: QrBitmap): string {
  const lines: string[] = [];
  for (let y = 0; y < bitmap.length; y += 2) {
    const lower = bitmap[y + 1] ?? [];
    const line = (bitmap[y] ?? []).map((dark, x) => HALF_BLOCKS[(dark ? 1 : 0) + (lower[x] === true ? 2 : 0)] ?? " ");
    lines.push(`${BLACK_ON_WHITE}${line.join("")}${RESET}`);
  }
  return `${lines.join("\n")}\n`;
}
