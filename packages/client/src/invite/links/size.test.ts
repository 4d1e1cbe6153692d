import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

/** Bytes after minification and gzip that reading links may add to a page. */
const LIMIT = 20_000;

test(`a page that only reads links takes at most ${LIMIT} bytes for it, and nothing of Node`, async (t) => {
  const { outputFiles } = await build({
    stdin: {
      contents: 'import { inspectInvite } from "@latchkey/client"; globalThis.inspect = inspectInvite;',
      resolveDir: import.meta.dirname,
      loader: "ts",
    },
    bundle: true,
    minify: true,
    format: "esm",
    platform: "browser",
    write: false,
  });
  const [bundle] = outputFiles;
  assert.ok(bundle !== undefined && outputFiles.length === 1);
  const size = gzipSync(bundle.contents, { level: 9 }).length;
  t.diagnostic(`${bundle.contents.length} bytes minified, ${size} gzipped`);
  assert.match(bundle.text, /TwoInvites/);
  assert.ok(size <= LIMIT, `${size} bytes gzipped`);
});
