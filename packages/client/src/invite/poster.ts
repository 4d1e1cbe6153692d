import { codePath } from "./qr.ts";
import type { QrBitmap } from "../qr-bitmap.ts";

/** What a poster says beside its code. */
export interface PosterOptions {
  /** The group's name, if everybody who sees the poster may know it. */
  readonly name?: string | undefined;
}

/** Facts of the invite that a poster states. */
export interface PosterFacts extends PosterOptions {
  readonly expiresAtNs: bigint | undefined;
  readonly opensAt: string | undefined;
}

/** Page of A4 in points, and the code on it. */
const [WIDTH, HEIGHT] = [595, 842];
const CODE_SIDE = 400;
const CODE_TOP = 200;
const NAME_SIZE = 34;
const TEXT_SIZE = 16;
/** Characters of a name that fit on a line. */
const MAX_NAME = 30;

function linesBelow({ expiresAtNs, opensAt }: PosterFacts): string[] {
  const end = expiresAtNs === undefined ? undefined : new Date(Number(expiresAtNs / 1_000_000n));
  return [
    "Scan to join this encrypted group with all your devices.",
    end === undefined
      ? "Open until it is revoked."
      : `Open until ${end.toISOString().slice(0, 16).replace("T", " ")} UTC.`,
    opensAt === undefined ? "Scan it in a Latchkey program." : `Opens at ${opensAt}`,
  ];
}

function shortName(name: string | undefined): string | undefined {
  const clean = name?.replaceAll(/\s+/g, " ").trim() ?? "";
  const letters = Array.from(clean);
  if (letters.length === 0) return undefined;
  return letters.length <= MAX_NAME ? clean : `${letters.slice(0, MAX_NAME - 1).join("")}…`;
}

function escapeXml(text: string): string {
  return text.replaceAll(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`).replaceAll(/[\u0000-\u001f]/g, " ");
}

/** A page of A4 as SVG: the name if it is given, the code, what it is, its end, and where it opens. */
export function posterSvg(bitmap: QrBitmap, facts: PosterFacts): string {
  const name = shortName(facts.name);
  const scale = CODE_SIDE / bitmap.length;
  const line = (text: string, y: number, size: number) =>
    `<text x="${WIDTH / 2}" y="${y}" font-size="${size}" text-anchor="middle">${escapeXml(text)}</text>`;
  const texts = [
    ...(name === undefined ? [] : [line(name, CODE_TOP - 60, NAME_SIZE)]),
    ...linesBelow(facts).map((text, index) => line(text, CODE_TOP + CODE_SIDE + 50 + 30 * index, TEXT_SIZE)),
  ];
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" role="img" width="${WIDTH}" height="${HEIGHT}" viewBox="0 0 ${WIDTH} ${HEIGHT}"` +
    ` font-family="Helvetica, Arial, sans-serif"><title>Poster with the QR code of an invite</title>` +
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>${texts.join("")}` +
    `<g transform="translate(${(WIDTH - CODE_SIDE) / 2} ${CODE_TOP}) scale(${scale})" shape-rendering="crispEdges">` +
    `<path fill="#000" d="${codePath(bitmap)}"/></g></svg>\n`
  );
}

/** Widths of printable ASCII in Helvetica, in thousandths of its size (Adobe's font metrics), from the space on. */
const HELVETICA = [
  278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556, 556, 556, 556, 556,
  556, 556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833,
  722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556, 333, 556, 556, 500, 556,
  556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556, 556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334,
  260, 334, 584,
] as const;

function widthOf(text: string, size: number): number {
  const units = Array.from(text, (character) => HELVETICA[character.charCodeAt(0) - 32] ?? 556);
  return (units.reduce<number>((sum, unit) => sum + unit, 0) * size) / 1_000;
}

/** A text as the standard fonts of PDF have it: Latin letters; undefined where it has others. */
function latin1(text: string): string | undefined {
  return /^[\x20-\x7e\xa0-\xff]*$/.test(text) ? text : undefined;
}

/**
 * The same page as a PDF file (ISO 32000-1) with a standard font. A name with other letters than Latin ones is left out:
 * take the SVG poster for it.
 */
export function posterPdf(bitmap: QrBitmap, facts: PosterFacts): Uint8Array {
  const name = shortName(facts.name)?.replace("…", "...");
  const shown = name === undefined ? undefined : latin1(name);
  const line = (text: string, y: number, size: number) =>
    `BT /F1 ${size} Tf ${((WIDTH - widthOf(text, size)) / 2).toFixed(2)} ${HEIGHT - y} Td (${text.replaceAll(/[()\\]/g, "\\$&")}) Tj ET`;
  const module = CODE_SIDE / bitmap.length;
  const runs = Array.from(codePath(bitmap).matchAll(/M(\d+) (\d+)h(\d+)/g), ([, x, y, length]) => {
    const [left, top] = [(WIDTH - CODE_SIDE) / 2 + Number(x) * module, CODE_TOP + Number(y) * module];
    const numbers = [left, HEIGHT - top - module, Number(length) * module, module].map((value) => value.toFixed(3));
    return `${numbers.join(" ")} re`;
  });
  const content = [
    ...(shown === undefined ? [] : [line(shown, CODE_TOP - 60, NAME_SIZE)]),
    ...linesBelow(facts).map((text, index) => line(text, CODE_TOP + CODE_SIDE + 50 + 30 * index, TEXT_SIZE)),
    ...runs,
    "f",
  ].join("\n");
  return pdfOf([
    "<< /Type /Catalog /Pages 2 0 R >>",
    "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
    `<< /Type /Page /Parent 2 0 R /MediaBox [0 0 ${WIDTH} ${HEIGHT}] /Contents 5 0 R /Resources << /Font << /F1 4 0 R >> >> >>`,
    "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    `<< /Length ${content.length} >>\nstream\n${content}\nendstream`,
  ]);
}

/** A PDF file of these objects, numbered from 1, the first of which is its catalogue. */
function pdfOf(objects: readonly string[]): Uint8Array {
  let file = "%PDF-1.4\n";
  const offsets: number[] = [];
  for (const [index, object] of objects.entries()) {
    offsets.push(file.length);
    file += `${index + 1} 0 obj\n${object}\nendobj\n`;
  }
  const table = offsets.map((offset) => `${String(offset).padStart(10, "0")} 00000 n \n`).join("");
  const size = objects.length + 1;
  file += `xref\n0 ${size}\n0000000000 65535 f \n${table}trailer\n<< /Size ${size} /Root 1 0 R >>\nstartxref\n${file.length}\n%%EOF\n`;
  return Uint8Array.from(file, (character) => character.charCodeAt(0));
}
