import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { describe, test } from "node:test";
import { isFields, type Fields } from "./fields.ts";
import { officialVectorFiles } from "./official.ts";
import { runVectorCases } from "./run.ts";

interface Tampered {
  readonly path: string;
  readonly vector: unknown;
}

/**
 * Hex with a bit of its first, middle or last byte flipped; other text with a character more. The bit is none of those
 * that X25519 ignores in a private key (the three lowest of the first byte, the two highest of the last).
 */
function tamperedText(text: string): string[] {
  if (!/^([0-9a-f]{2})+$/.test(text)) return [`${text}0`];
  const places = new Set([0, Math.floor(text.length / 4) * 2, text.length - 2]);
  return [...places].map((at) => {
    const byte = Number.parseInt(text.slice(at, at + 2), 16) ^ 0x10;
    return text.slice(0, at) + byte.toString(16).padStart(2, "0") + text.slice(at + 2);
  });
}

/** Bytes cut short by one and made longer by one: for structs whose content may be anything. */
function resizedText(text: string): string[] {
  return [text.slice(0, -2), `${text}00`];
}

/** Copies of a case that differ from it in one scalar each. */
function* tamperedCopies(value: unknown, change: (text: string) => string[], path = ""): Generator<Tampered> {
  if (typeof value === "string") for (const vector of change(value)) yield { path, vector };
  if (typeof value === "number") yield { path, vector: value + 1 };
  if (Array.isArray(value)) {
    for (const [index, item] of (value as unknown[]).entries()) {
      for (const copy of tamperedCopies(item, change, `${path}[${index}]`)) {
        yield { path: copy.path, vector: value.with(index, copy.vector) };
      }
    }
  } else if (isFields(value)) {
    for (const [name, item] of Object.entries(value)) {
      for (const copy of tamperedCopies(item, change, `${path}.${name}`)) {
        yield { path: copy.path, vector: { ...value, [name]: copy.vector } };
      }
    }
  }
}

/** The smallest case of the file that passes as it is, or undefined when this build carries none. */
async function smallestPassingCase(file: string, cases: readonly Fields[]): Promise<Fields | undefined> {
  const sizes = new Map(cases.map((vector) => [vector, JSON.stringify(vector).length]));
  for (const vector of [...cases].sort((a, b) => (sizes.get(a) ?? 0) - (sizes.get(b) ?? 0))) {
    if ((await runVectorCases(file, [vector])).passed === 1) return vector;
  }
  return undefined;
}

/** The cases in which every field of the format matters. */
function suitableCases(file: string, cases: readonly Fields[]): readonly Fields[] {
  if (file === "psk_secret.json") return cases.filter(({ psks }) => Array.isArray(psks) && psks.length >= 2);
  // The sender matters for an Update only.
  if (file === "tree-operations.json") return cases.filter((vector) => String(vector["proposal"]).startsWith("0002"));
  // 200 epochs, each of which would be followed once for every value of all others; the first few hold every kind.
  if (file === "passive-client-random.json") {
    return cases.map((vector) => ({
      ...vector,
      epochs: Array.isArray(vector["epochs"]) ? vector["epochs"].slice(0, 4) : [],
    }));
  }
  return cases;
}

/** Values that the format leaves free. */
const FREE: Readonly<Record<string, readonly string[]>> = {
  // Keys come from the first Nh bytes of the ciphertext only (RFC 9420 §6.3.2).
  "secret-tree.json": [".sender_data.ciphertext", ".cipher_suite"],
  // The next suite has the same hash, and these need nothing else of it.
  "psk_secret.json": [".cipher_suite"],
  "transcript-hashes.json": [".cipher_suite"],
  "tree-operations.json": [".cipher_suite"],
};

const { paths, missing } = officialVectorFiles();
for (const path of missing) {
  console.warn(`OFFICIAL VECTORS NOT FOUND: ${path}; the runner was not tried with a tampered copy`);
}

describe("a case with any one value changed is not counted as passed", () => {
  for (const path of paths.filter((file) => !missing.includes(file))) {
    const file = basename(path);
    test(file, async () => {
      const cases = suitableCases(file, JSON.parse(await readFile(path, "utf8")) as Fields[]);
      const vector = await smallestPassingCase(file, cases);
      assert.ok(vector !== undefined, "a case passes as it is");
      const change = file === "messages.json" ? resizedText : tamperedText;
      const accepted: string[] = [];
      for (const tampered of tamperedCopies(vector, change)) {
        if ((await runVectorCases(file, [tampered.vector])).passed > 0) accepted.push(tampered.path);
      }
      const free = new Set(FREE[file]);
      assert.deepEqual(
        accepted.filter((name) => !free.has(name)),
        [],
        "accepted in spite of a change",
      );
    });
  }
});
