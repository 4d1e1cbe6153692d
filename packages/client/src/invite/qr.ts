import { encodeQR } from "qr";

/** A drawn QR code: true is dark, row by row, with its quiet zone. */
export type QrBitmap = readonly (readonly boolean[])[];

/** What `Invite.toQR` can draw. */
export type QrFormat = "png" | "svg" | "terminal";

/** Modules of white around the code that readers need (ISO/IEC 18004). */
const QUIET_ZONE = 4;

/** Draws a text; error correction M survives 15 % of dirt and keeps the modules large. */
export function qrBitmap(text: string): QrBitmap {
  return encodeQR(text, "raw", { ecc: "medium", border: QUIET_ZONE });
}

/** One SVG path, one unit per module. */
export function qrSvg(bitmap: QrBitmap): string {
  const size = bitmap.length;
  let path = "";
  bitmap.forEach((row, y) =>
    row.forEach((dark, x) => {
      if (dark) path += `M${x} ${y}h1v1h-1z`;
    }),
  );
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size} ${size}" shape-rendering="crispEdges">` +
    `<rect width="${size}" height="${size}" fill="#fff"/><path d="${path}" fill="#000"/></svg>\n`
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
