import { relative } from "node:path";
import type { TestEvent } from "node:test/reporters";
import { ROOT } from "../tidy/source-files.ts";

/** Seconds with one decimal, right-aligned. */
function seconds(ms: number): string {
  return (ms / 1_000).toFixed(1).padStart(7);
}

/** Reporter of `node --test`: seconds per file, process start included, slowest first, and their sum. */
async function* durations(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const files: { path: string; ms: number }[] = [];
  for await (const { type, data } of events) {
    // A file is a test of its own at the top, named by its path.
    if (type !== "test:complete" || data.nesting !== 0 || data.file === undefined) continue;
    const path = relative(ROOT, data.file);
    if (data.name === path) files.push({ path, ms: data.details.duration_ms });
  }
  files.sort((a, b) => b.ms - a.ms);
  yield "\nSeconds per test file:\n";
  for (const { path, ms } of files) yield `${seconds(ms)}  ${path}\n`;
  const sum = files.reduce((total, { ms }) => total + ms, 0);
  yield `${seconds(sum)}  in ${files.length} files\n`;
}

/** Node takes a reporter from the default export. */
export { durations as default };
