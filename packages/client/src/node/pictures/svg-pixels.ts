import { LumaCanvas, type Picture } from "./luma.ts";
import { damaged, PictureRefusal } from "./refusal.ts";

/** Pixels that a module is drawn with. */
const SCALE = 4;
/** Modules of the largest QR code, and its quiet zone. */
const MAX_MODULES = 177 + 32;

/**
 * Draws the code of an SVG file that Latchkey wrote: runs of modules as rectangles of a path. Nothing else of the file is
 * interpreted, and no other SVG is read. Throws PictureRefusal.
 */
export function readSvg(bytes: Uint8Array): Picture {
  const text = new TextDecoder("utf-8", { fatal: false, ignoreBOM: false }).decode(bytes);
  const path = / d="((?:M\d{1,3} \d{1,3}h\d{1,3}v1h-\d{1,3}z)+)"/.exec(text)?.[1];
  if (path === undefined) {
    throw new PictureRefusal(
      "only SVG pictures that Latchkey wrote are read; save this one as PNG, or make a screenshot",
    );
  }
  const runs = Array.from(path.matchAll(/M(\d+) (\d+)h(\d+)/g), (run) => [run[1], run[2], run[3]].map(Number));
  const size = Math.max(...runs.map(([x = 0, y = 0, length = 0]) => Math.max(x + length, y + 1))) + 4;
  if (size > MAX_MODULES) throw damaged("SVG");
  const rows = Array.from({ length: size }, () => new Uint8Array(size * SCALE).fill(255));
  for (const [x = 0, y = 0, length = 0] of runs) rows[y]?.fill(0, x * SCALE, (x + length) * SCALE);
  const canvas = new LumaCanvas(size * SCALE, size * SCALE);
  for (let y = 0; y < size * SCALE; y++) {
    const row = rows[Math.floor(y / SCALE)];
    if (row !== undefined) canvas.addPixels(row, 0, 1, y);
  }
  return { luma: canvas.toLuma(), transparent: false };
}
