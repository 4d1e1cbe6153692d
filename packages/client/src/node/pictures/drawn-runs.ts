import { LumaCanvas, type Picture } from "./luma.ts";

/** A run of dark modules: column, row, and how many. */
export type Run = readonly [x: number, y: number, length: number];

/** Pixels that a module is drawn with. */
const SCALE = 4;
/** Modules of the largest QR code, and its quiet zone. */
const MAX_MODULES = 177 + 32;

/** Draws runs of modules dark on white; undefined where they are none, or more than a code has. */
export function drawRuns(runs: readonly Run[]): Picture | undefined {
  const size = Math.max(...runs.map(([x, y, length]) => Math.max(x + length, y + 1))) + 4;
  if (!(size > 4 && size <= MAX_MODULES)) return undefined;
  const rows = Array.from({ length: size }, () => new Uint8Array(size * SCALE).fill(255));
  for (const [x, y, length] of runs) rows[y]?.fill(0, x * SCALE, (x + length) * SCALE);
  const canvas = new LumaCanvas(size * SCALE, size * SCALE);
  for (let y = 0; y < size * SCALE; y++) {
    const row = rows[Math.floor(y / SCALE)];
    if (row !== undefined) canvas.addPixels(row, 0, 1, y);
  }
  return { luma: canvas.toLuma(), transparent: false };
}
