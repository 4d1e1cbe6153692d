import { drawRuns, type Run } from "./drawn-runs.ts";
import type { Picture } from "./luma.ts";
import { damaged, PictureRefusal } from "./refusal.ts";

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
  const runs = Array.from(path.matchAll(/M(\d+) (\d+)h(\d+)/g), ([, x, y, length]): Run => {
    return [Number(x), Number(y), Number(length)];
  });
  const drawn = drawRuns(runs);
  if (drawn === undefined) throw damaged("SVG");
  return drawn;
}
