import { generate } from "lean-qr";

/** Modules of white around a code, as its standard asks. */
const MARGIN = 4;

/** A code of a text as an SVG document. */
export function drawCode(text: string): string {
  const code = generate(text);
  const side = code.size + 2 * MARGIN;
  const runs: string[] = [];
  for (let y = 0; y < code.size; y++) {
    for (let x = 0; x < code.size; x++) {
      if (code.get(x, y)) runs.push(`M${x + MARGIN} ${y + MARGIN}h1v1h-1z`);
    }
  }
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${side} ${side}" width="${side * 8}" height="${side * 8}" ` +
    `shape-rendering="crispEdges"><path fill="#fff" d="M0 0h${side}v${side}H0z"/><path d="${runs.join("")}"/></svg>`
  );
}
