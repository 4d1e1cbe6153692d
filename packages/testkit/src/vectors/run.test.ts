import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { describe, test } from "node:test";
import { runVectorCases, type VectorReport } from "./run.ts";

const MAIN = resolve(import.meta.dirname, "main.ts");
const GOOD = { vlbytes_header: "4040", length: 64 };
const BAD = { vlbytes_header: "4041", length: 64 };
const PSKS_OF_SUITE_77 = { cipher_suite: 0x4d, psks: [], psk_secret: "00" };

async function withFiles(
  files: Readonly<Record<string, string>>,
  run: (directory: string) => void | Promise<void>,
): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "latchkey-vectors-"));
  try {
    for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text);
    await run(directory);
  } finally {
    await rm(directory, { recursive: true });
  }
}

function runMain(args: readonly string[], cwd: string, directory?: string) {
  const env = directory === undefined ? process.env : { ...process.env, MLS_VECTORS_DIR: directory };
  return spawnSync(process.execPath, [MAIN, ...args], { cwd, env, encoding: "utf8" });
}

describe("runVectorCases", () => {
  test("counts passed, failed and unsupported cases, and says why", async () => {
    const report = await runVectorCases("deserialization.json", [GOOD, BAD, GOOD, null]);
    assert.equal(report.passed, 2);
    assert.deepEqual(
      report.failures.map((failure) => failure.case),
      [1, 3],
    );
    assert.match(report.failures[0]?.reason ?? "", /length is 65; the vector states 64/);
    const other = await runVectorCases("psk_secret.json", [PSKS_OF_SUITE_77]);
    assert.deepEqual(
      { passed: other.passed, failed: other.failed, unsupported: other.unsupported },
      { passed: 0, failed: 0, unsupported: 1 },
    );
    assert.match(Object.keys(other.unsupportedReasons)[0] ?? "", /cipher suite 77/);
  });

  test("recognises a kind by the shape of its first case when the name says nothing", async () => {
    assert.equal((await runVectorCases("mine.json", [GOOD])).passed, 1);
  });

  test("counts a file of no known kind, or without cases, as a failure", async () => {
    for (const cases of [[], {}, null, [{ surprise: 1 }], ["text"]]) {
      const report = await runVectorCases("mine.json", cases);
      assert.equal(report.passed, 0);
      assert.equal(report.failed, 1);
    }
  });
});

describe("npm run vectors", () => {
  test("prints one JSON object as last line and exits 0 when all cases pass", async () => {
    await withFiles({ "mine.json": JSON.stringify([GOOD, GOOD]) }, (directory) => {
      const { status, stdout } = runMain(["mine.json", "--", "--json"], directory);
      assert.equal(status, 0);
      const report = JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "") as Record<string, unknown>;
      assert.equal(report["passed"], 2);
      assert.equal(report["failed"], 0);
      assert.equal(report["unsupported"], 0);
      assert.deepEqual(report["files"], [
        { file: "mine.json", passed: 2, failed: 0, unsupported: 0, failures: [], unsupportedReasons: {} },
      ]);
    });
  });

  test("exits 1 when a case fails, when nothing passes, and when a file is missing or not JSON", async () => {
    const files = {
      "bad.json": JSON.stringify([GOOD, BAD]),
      "unsupported.json": JSON.stringify([PSKS_OF_SUITE_77]),
      "text.json": "not JSON",
    };
    await withFiles(files, (directory) => {
      for (const name of [...Object.keys(files), "absent.json"])
        assert.equal(runMain([name], directory).status, 1, name);
    });
  });

  test("goes on behind a file that cannot be read, is no file, or is too large, and says why", async () => {
    await withFiles({ "good.json": JSON.stringify([GOOD]) }, async (directory) => {
      await mkdir(join(directory, "folder.json"));
      await writeFile(join(directory, "huge.json"), "");
      await truncate(join(directory, "huge.json"), 3 * 2 ** 30);
      const names = ["absent.json", "folder.json", "huge.json", "good.json"];
      const { status, stdout } = runMain([...names, "--json"], directory);
      assert.equal(status, 1);
      const report = JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "") as VectorReport;
      assert.deepEqual([report.passed, report.failed], [1, 3]);
      const reasons = report.files.map(({ failures }) => failures[0]?.reason);
      for (const [index, reason] of [/ENOENT/, /EISDIR|illegal operation/, /bytes; at most/].entries()) {
        assert.match(reasons[index] ?? "", reason);
      }
    });
  });

  test("runs the engine on the provider that --provider names, and exits 1 for an unknown one", async () => {
    // Its psk_secret is all zero (RFC 9420 §8.4), so the case needs a suite and nothing else.
    const noPsks = JSON.stringify([{ cipher_suite: 1, psks: [], psk_secret: "00".repeat(32) }]);
    await withFiles({ "psk_secret.json": noPsks }, (directory) => {
      for (const name of ["node", "web"]) {
        assert.equal(runMain(["psk_secret.json", "--provider", name], directory).status, 0, name);
      }
      const { status, stderr } = runMain(["psk_secret.json", "--provider", "abacus"], directory);
      assert.equal(status, 1);
      assert.match(stderr, /no provider abacus; expected one of: node, web/);
    });
  });

  test("says loudly that the official vectors are absent and exits 1", async () => {
    await withFiles({}, (directory) => {
      const { status, stderr } = runMain([], directory, directory);
      assert.equal(status, 1);
      assert.match(stderr, /OFFICIAL VECTORS NOT FOUND/);
    });
  });
});
