import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { buildPage } from "@latchkey/page/build";

/**
 * Kilobytes (1 000 bytes) of gzip that a person waits for. The aims are 130 before Join and 750 for a member who talks;
 * the bounds leave room for what a change elsewhere in the client adds, until somebody takes it out again.
 */
const BUDGETS = {
  // The document, its script and style, the look at an invite, the client's page part.
  beforeJoin: { parts: ["index", "start", "style", "chunk", "look", "web", "icon"], most: 135 },
  // A member who comes back and talks.
  talking: { parts: ["index", "start", "style", "chunk", "web", "icon", "client", "sqlite3"], most: 770 },
  // The second reader of codes, for pictures and for cameras of browsers without one.
  scanning: { parts: ["scan", "zxing"], most: 450 },
  language: { parts: ["de"], most: 12 },
} as const;

function packed(folder: string, prefixes: readonly string[]): number {
  const files = [
    join(folder, "index.html"),
    ...readdirSync(join(folder, "assets")).map((name) => join(folder, "assets", name)),
  ];
  const wanted = files.filter((file) => prefixes.some((prefix) => new RegExp(`/${prefix}[-.]`).test(file)));
  assert.ok(wanted.length >= prefixes.length, prefixes.join());
  return wanted.reduce((sum, file) => sum + gzipSync(readFileSync(file), { level: 9 }).length, 0) / 1_000;
}

test("the page is the same bytes each time it is built, and keeps to its budgets", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "latchkey-budget-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const hash = await buildPage(folder);
  assert.equal(await buildPage(folder), hash);
  for (const [name, { parts, most }] of Object.entries(BUDGETS)) {
    const size = packed(folder, parts);
    t.diagnostic(`${name}: ${size.toFixed(1)} kB of ${most}`);
    assert.ok(size <= most, `${name}: ${size.toFixed(1)} kB, the budget is ${most}`);
  }
});
