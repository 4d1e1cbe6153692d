import { randomBytes } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { findCodes, STAGES, stagesOf } from "../pictures/find-codes.ts";
import type { Picture } from "../pictures/luma.ts";
import { readPictures } from "../pictures/picture-pixels.ts";
import { PictureRefusal } from "../pictures/refusal.ts";
import { generatePictures } from "./generate-pictures.ts";

// npm run bench:pictures -- [--json] [folder]: readings of each stage, and of all as a client runs them, on a generated set or
// on the pictures of a folder, where any text counts as a reading.

/** A picture and the text that it shows; undefined where nobody knows. */
interface Given {
  readonly name: string;
  readonly file: Uint8Array;
  readonly text: string | undefined;
}

/** Readings of one way to read. */
interface Score {
  read: number;
  wrong: number;
  ms: number;
}

async function* picturesIn(folder: string): AsyncGenerator<Given> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (!entry.isFile()) continue;
    yield { name: entry.name, file: new Uint8Array(await readFile(join(folder, entry.name))), text: undefined };
  }
}

async function score(
  to: Score,
  { file, text }: Given,
  read: (picture: Picture) => readonly string[] | Promise<readonly string[]>,
): Promise<boolean> {
  const startedMs = performance.now();
  const texts: string[] = [];
  try {
    for await (const picture of readPictures(file)) {
      texts.push(...(await read(picture)));
      if (texts.length > 0) break;
    }
  } catch (error) {
    if (!(error instanceof PictureRefusal)) throw error;
  }
  to.ms += performance.now() - startedMs;
  const isRead = text === undefined ? texts.length > 0 : texts.includes(text);
  if (isRead) to.read++;
  else if (texts.length > 0) to.wrong++;
  return isRead;
}

const { values, positionals } = parseArgs({ options: { json: { type: "boolean" } }, allowPositionals: true });
const [folder] = positionals;
const scores = new Map<string, Score>();
const scoreOf = (name: string): Score => {
  const known = scores.get(name) ?? { read: 0, wrong: 0, ms: 0 };
  scores.set(name, known);
  return known;
};
let [pictures, bothDecoders] = [0, 0];
const missed: string[] = [];
const BOTH: readonly string[] = ["qr", "zxing"];
for await (const given of folder === undefined ? generatePictures(randomBytes(48)) : picturesIn(folder)) {
  pictures++;
  let byBoth = false;
  for (const { name, read } of STAGES) {
    const stage = (picture: Picture) =>
      stagesOf(picture).some((each) => each.name === name) ? read(picture.luma) : [];
    const isRead = await score(scoreOf(name), given, stage);
    byBoth ||= isRead && BOTH.includes(name);
  }
  if (byBoth) bothDecoders++;
  if (!(await score(scoreOf("all"), given, findCodes))) missed.push(given.name);
}
const rows = [...scores].map(([name, { read, wrong, ms }]) => ({
  name,
  read,
  wrong,
  msEach: Math.round(ms / pictures),
}));
if (values.json === true) console.log(JSON.stringify({ pictures, bothDecoders, stages: rows, missed }));
else {
  console.table(rows);
  console.log(`${pictures} pictures; qr and zxing alone read ${bothDecoders}; missed: ${missed.join("; ") || "none"}`);
}
