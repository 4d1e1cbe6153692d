import { decodeQR } from "qr/decode.js";
import type { Luma, Picture } from "./luma.ts";
import { cutOuts } from "./cut-outs.ts";
import { halved, mirrored, stretched, thresholded, turned } from "./luma-changes.ts";
import { readWithZxing } from "./zxing.ts";

/** Time for extra attempts of the first decoder, in milliseconds: at first sight, and when nothing else helps. */
const QUICK_MS = 16;
const THOROUGH_MS = 1_500;
const EFFORT = 8;

/** One way to look for codes. */
export interface Stage {
  readonly name: string;
  readonly read: (luma: Luma) => readonly string[] | Promise<readonly string[]>;
}

/** The ways, cheapest first. Most pictures end with the first or the second. */
export const STAGES: readonly Stage[] = [
  { name: "qr", read: (luma) => readWithQr(luma, QUICK_MS) },
  { name: "zxing", read: readWithZxing },
  { name: "zxing, cut out", read: readCutOuts },
  { name: "zxing, darkest", read: (luma) => readWithZxing(thresholded(luma, 0.07)) },
  { name: "zxing, halved", read: (luma) => readWithZxing(halved(luma)) },
  { name: "zxing, stretched", read: (luma) => readWithZxing(stretched(luma)) },
  { name: "qr, thorough", read: (luma) => readWithQr(luma, THOROUGH_MS) },
  { name: "qr, turned", read: (luma) => readWithQr(turned(luma), THOROUGH_MS) },
  { name: "qr, mirrored", read: (luma) => readWithQr(mirrored(luma), QUICK_MS) },
  { name: "zxing, brightest", read: (luma) => readWithZxing(thresholded(luma, 0.93)) },
];

/** The stages of a picture: of a small one the cheapest, because a larger one follows. */
export function stagesOf({ small }: Picture): readonly Stage[] {
  return small === true ? STAGES.slice(0, 2) : STAGES;
}

/**
 * Returns the texts of the QR codes in a picture. Ends with the first stage that finds an invite; else with the first two
 * that find anything, because the first decoder stops at one code.
 */
export async function findCodes(picture: Picture): Promise<string[]> {
  const { luma } = picture;
  const texts = new Set<string>();
  for (const { name, read } of stagesOf(picture)) {
    for (const text of await read(luma)) texts.add(text);
    if ([...texts].some(looksLikeInvite) || (texts.size > 0 && name !== "qr")) break;
  }
  return [...texts];
}

/** Whether a code may be an invite: a payload, in letters or as a number, behind a mark or alone. */
export function looksLikeInvite(text: string): boolean {
  return /(?:^|[#:/])(?:C[g-v][\w-]{40,}|\d{100,})/.test(text);
}

async function readCutOuts(luma: Luma): Promise<string[]> {
  const texts: string[] = [];
  for (const part of cutOuts(luma)) texts.push(...(await readWithZxing(part)));
  return texts;
}

function readWithQr({ width, height, data }: Luma, timeLimit: number): string[] {
  // The decoder takes planes of colour as well, and does not look at them.
  const planes = new Uint8Array(data.length + 2 * Math.ceil(width / 2) * Math.ceil(height / 2));
  planes.set(data);
  const effort = timeLimit > QUICK_MS ? { effort: EFFORT } : {};
  try {
    return [decodeQR({ width, height, data: planes }, { format: "I420", timeLimit, ...effort })];
  } catch {
    return [];
  }
}
