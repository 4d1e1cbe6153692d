import { drawRuns, type Run } from "./drawn-runs.ts";
import type { Picture } from "./luma.ts";
import { damaged, PictureRefusal } from "./refusal.ts";

/** Largest poster that Latchkey writes, with a margin. */
const MAX_BYTES = 512 * 1024;

/** Rectangles of a poster's page, one for each run of modules, in points from the lower left corner. */
function rectanglesOf(bytes: Uint8Array): RegExpMatchArray | undefined {
  const text =
    bytes.length > MAX_BYTES ? "" : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
  return /\n(?:\d{1,3}\.\d{3} \d{1,3}\.\d{3} \d{1,3}\.\d{3} \d{1,3}\.\d{3} re\n)+f\nendstream/.exec(text) ?? undefined;
}

/** Refuses PDF files that are no poster of Latchkey; throws PictureRefusal. */
export function walkPdf(bytes: Uint8Array): void {
  if (rectanglesOf(bytes) !== undefined) return;
  throw new PictureRefusal(
    "this is a PDF document that Latchkey did not write, which is not read; make a screenshot of the page with the code",
  );
}

/** Draws the code of a poster that Latchkey wrote as PDF; no other PDF is read. Throws PictureRefusal. */
export function readPdf(bytes: Uint8Array): Picture {
  const found = Array.from((rectanglesOf(bytes)?.[0] ?? "").matchAll(/(\S+) (\S+) (\S+) (\S+) re/g), (each) =>
    each.slice(1, 5).map(Number),
  );
  const module = found[0]?.[3] ?? 0;
  const left = Math.min(...found.map(([x = 0]) => x));
  const top = Math.max(...found.map(([, y = 0]) => y));
  const runs = found.map(([x = 0, y = 0, length = 0]): Run => [
    Math.round((x - left) / module) + 4,
    Math.round((top - y) / module) + 4,
    Math.round(length / module),
  ]);
  const drawn = drawRuns(runs);
  if (drawn === undefined) throw damaged("PDF");
  return drawn;
}
