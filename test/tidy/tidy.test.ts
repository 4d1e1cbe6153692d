import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import ts from "typescript";
import { CASE_ID } from "../cases/cases.ts";
import { importCircles } from "./import-circles.ts";
import { filesEndingWith, isTest, ROOT, type SourceFile } from "./source-files.ts";

const MAX_LINES = 400;

/** Files that are longer until somebody splits them. */
const LONGER: readonly string[] = [
  "packages/client/src/api/group.ts",
  "packages/client/src/identity/directory.ts",
  "packages/mls/src/group/illegal-commits.test.ts",
  "packages/mls/src/group/illegal-messages.test.ts",
  "packages/testkit/src/crash/operations.ts",
  "test/acceptance/contested-joins.test.ts",
  "test/acceptance/conversations.test.ts",
  "test/acceptance/identity-at-envelope.test.ts",
  "test/acceptance/join-review.test.ts",
  "test/acceptance/public-face.ts",
];
const MAX_LONGER = 500;

/** Who may import whom (docs/architecture.md). Arrows go downwards only. */
const ARROWS: Readonly<Record<string, readonly string[]>> = {
  "apps/cli": ["@latchkey/client", "@latchkey/node", "@latchkey/page"],
  "apps/web": ["@latchkey/client", "@latchkey/node", "@latchkey/mls"],
  "packages/client": ["@latchkey/xmtp", "@latchkey/mls"],
  "packages/node": ["@latchkey/xmtp", "@latchkey/mls"],
  "packages/slot-conformance": ["@latchkey/xmtp", "@latchkey/mls"],
  "packages/xmtp": ["@latchkey/mls"],
  "packages/mls": [],
  "packages/testkit": ["@latchkey/client", "@latchkey/node", "@latchkey/xmtp", "@latchkey/mls"],
};

/**
 * Folders of the client, from the top to the bottom (docs/architecture.md): each imports those below it, by value and by
 * type. Files of no folder are the lowest, but for the index.
 */
const CLIENT_FOLDERS: readonly string[] = [
  "node",
  "web",
  "api",
  "link",
  "upkeep",
  "join",
  "invite",
  "group",
  "identity",
  "store",
  "transport",
  "",
];

/** Packages that also run in browsers: Node's modules stay in their `src/node` folder. */
const PORTABLE = ["packages/mls/", "packages/xmtp/", "packages/client/"];

const sources = filesEndingWith(".ts");

function read(path: string): string {
  return readFileSync(join(ROOT, path), "utf8");
}

function importsOf(file: SourceFile): string[] {
  return ts.preProcessFile(file.text, true, true).importedFiles.map(({ fileName }) => fileName);
}

/** String literals and parts of templates. */
function textsOf(file: SourceFile): string[] {
  const texts: string[] = [];
  const look = (node: ts.Node): void => {
    if (ts.isStringLiteralLike(node) || ts.isTemplateHead(node) || ts.isTemplateMiddleOrTemplateTail(node)) {
      texts.push(node.text);
    }
    ts.forEachChild(node, look);
  };
  look(ts.createSourceFile(file.path, file.text, ts.ScriptTarget.Latest));
  return texts;
}

function packageOf(file: SourceFile): string {
  return file.path.split("/", 2).join("/");
}

test("imports between packages follow the arrows of the architecture", () => {
  const wrong = sources.flatMap((file) => {
    const allowed = ARROWS[packageOf(file)];
    // Tests may use any package: they run on the real parts.
    if (allowed === undefined || isTest(file.path)) return [];
    return importsOf(file)
      .filter((name) => name.startsWith("@latchkey/"))
      .filter((name) => !allowed.includes(name.split("/", 2).join("/")))
      .map((name) => `${file.path} imports ${name}`);
  });
  assert.deepEqual(wrong, []);
  assert.ok(sources.length > 100, "the walk found the sources");
});

test("no import leaves its package by a relative path", () => {
  const wrong = sources.flatMap((file) =>
    importsOf(file)
      .filter((name) => name.startsWith("."))
      .map((name) => join(file.path, "..", name))
      .filter((target) => !target.startsWith(`${packageOf(file)}/`) && !/^(test|release)\//.test(file.path))
      .map((target) => `${file.path} imports ${target}`),
  );
  assert.deepEqual(wrong, []);
});

test("production code imports nothing of testing", () => {
  const wrong = sources
    .filter(({ path }) => /^(packages|apps)\//.test(path) && !isTest(path))
    .filter(({ path }) => !path.startsWith("packages/testkit/") && !/\/(bench|siege)\//.test(path))
    .flatMap((file) =>
      importsOf(file)
        .filter((name) => /\/testing(\/|$)/.test(name))
        .map((name) => `${file.path} imports ${name}`),
    );
  assert.deepEqual(wrong, []);
});

test("the suite of stores runs wherever a store does: it uses no module of Node", () => {
  const suite = sources.filter(({ path }) =>
    /^packages\/client\/src\/testing\/(index|expect|sample-rows|store-suite|store-cases\/.+)\.ts$/.test(path),
  );
  const wrong = suite.flatMap((file) =>
    importsOf(file)
      .filter((name) => !name.startsWith(".") && name !== "@latchkey/mls")
      .map((name) => `${file.path} imports ${name}`),
  );
  assert.ok(suite.length > 5);
  assert.deepEqual(wrong, []);
});

test("helpers of tests are in the src/testing folder of their package", () => {
  const elsewhere = sources
    .map(({ path }) => path)
    .filter((path) => /^(packages|apps)\//.test(path) && /\/test-[^/]+\.ts$|\/testing\//.test(path))
    .filter((path) => !/^[^/]+\/[^/]+\/src\/testing\//.test(path));
  assert.deepEqual(elsewhere, []);
});

test("imports between the folders of the client go down", () => {
  const root = "packages/client/src/";
  const rankOf = (path: string): number => {
    const parts = path.slice(root.length).split("/");
    return CLIENT_FOLDERS.indexOf(parts.length === 1 ? "" : (parts[0] ?? ""));
  };
  const files = sources
    .filter(({ path }) => path.startsWith(root) && !isTest(path) && path !== `${root}index.ts`)
    .filter(({ path }) => !path.startsWith(`${root}node/bench/`));
  const wrong = files.flatMap((file) =>
    importsOf(file)
      .filter((name) => name.startsWith("."))
      .map((name) => join(file.path, "..", name))
      .filter((target) => rankOf(target) < rankOf(file.path))
      .map((target) => `${file.path} imports ${target}`),
  );
  assert.deepEqual(wrong, []);
  assert.deepEqual(
    files.filter(({ path }) => rankOf(path) < 0).map(({ path }) => path),
    [],
  );
});

test("no modules import each other in a circle, and but for the testkit no types either", () => {
  assert.deepEqual(importCircles(sources, "value"), []);
  const typed = sources.filter(({ path }) => /^packages\/(mls|xmtp|node|client)\//.test(path) && !isTest(path));
  assert.deepEqual(importCircles(typed, "any"), []);
});

test("a circle of imports is found, by value or by type", () => {
  const files = [
    { path: "a.ts", text: 'import { b } from "./b.ts"; import type { C } from "./c.ts";' },
    { path: "b.ts", text: 'export * from "./d/e.ts";' },
    { path: "c.ts", text: 'import { a } from "./a.ts"; import fs from "node:fs";' },
    { path: "d/e.ts", text: 'export type { A } from "../a.ts"; import "../b.ts";' },
  ];
  assert.deepEqual(importCircles(files, "value"), [["b.ts", "d/e.ts"]]);
  assert.deepEqual(importCircles(files, "any"), [["a.ts", "b.ts", "c.ts", "d/e.ts"]]);
});

test("mls, xmtp and client use Node's modules in their src/node folder only", () => {
  const wrong = sources
    .filter((file) => PORTABLE.some((prefix) => file.path.startsWith(prefix)))
    .filter((file) => !file.path.includes("/src/node/") && !isTest(file.path))
    .flatMap((file) =>
      importsOf(file)
        .filter((name) => name.startsWith("node:") || name.endsWith("-node") || name.includes("/node/"))
        .map((name) => `${file.path} imports ${name}`),
    );
  assert.deepEqual(wrong, []);
});

test("the MLS engine depends on no package; its provider for browsers depends on @noble only", () => {
  const outside = sources
    .filter((file) => file.path.startsWith("packages/mls/") && !isTest(file.path))
    .flatMap((file) => {
      const allowed = file.path.startsWith("packages/mls/src/web/") ? [".", "@noble/"] : [".", "node:"];
      return importsOf(file)
        .filter((name) => !allowed.some((prefix) => name.startsWith(prefix)))
        .map((name) => `${file.path} imports ${name}`);
    });
  assert.deepEqual(outside, []);
});

test("every table has its row where the documentation tells what grows", () => {
  const pages = {
    "packages/client/src/store/sql/schema.ts": "packages/client/README.md",
    "packages/node/src/storage/sqlite/schema.ts": "docs/operator.md",
  };
  for (const [schema, page] of Object.entries(pages)) {
    const made = read(schema).matchAll(/CREATE TABLE (\w+)|topicLog\("(\w+)"\)/g);
    const tables = Array.from(made, ([, plain, log]) => plain ?? log ?? "");
    const firstCells = read(page).matchAll(/^\|([^|]+)\|/gm);
    const told = new Set(Array.from(firstCells, ([, cell = ""]) => cell.match(/\w+/g) ?? []).flat());
    assert.ok(tables.length > 5, schema);
    assert.deepEqual(
      tables.filter((name) => !told.has(name)),
      [],
      page,
    );
  }
});

test("every TextDecoder says what it makes of wrong bytes and of a byte order mark", () => {
  const wrong = sources
    .filter((file) => !isTest(file.path))
    .flatMap((file) =>
      Array.from(file.text.matchAll(/new TextDecoder\(([^)]*)\)/g), ([call, options = ""]) => ({ call, options }))
        .filter(({ options }) => !(/\bfatal: /.test(options) && /\bignoreBOM: /.test(options)))
        .map(({ call }) => `${file.path}: ${call}`),
    );
  assert.deepEqual(wrong, []);
});

test(`no source file has more than ${MAX_LINES} lines`, () => {
  const long = sources
    .map((file) => ({ path: file.path, lines: file.text.split("\n").length }))
    .filter(({ path, lines }) => lines > (LONGER.includes(path) ? MAX_LONGER : MAX_LINES));
  assert.deepEqual(long, []);
});

test("no text of the program names a case", () => {
  const found = sources
    .filter((file) => !isTest(file.path) && !file.path.startsWith("packages/testkit/") && CASE_ID.test(file.text))
    .flatMap((file) => textsOf(file).map((text) => `${file.path}: ${text}`))
    .filter((text) => CASE_ID.test(text));
  assert.deepEqual(found, []);
});

test("no test is skipped, focused, retried or left to do", () => {
  const marks = new RegExp(
    String.raw`\b(test|it|describe)\.(skip|only|todo)\b|\b(skip|only|todo): *(true|")|retries: *[1-9]`,
  );
  const found = sources.filter((file) => isTest(file.path) && marks.test(file.text)).map(({ path }) => path);
  assert.deepEqual(
    found.filter((path) => path !== "test/tidy/tidy.test.ts"),
    [],
  );
});

test("no folder is empty and no note of unfinished work is left in the sources", () => {
  const mark = new RegExp(String.raw`\b(TO` + String.raw`DO|FIX` + String.raw`ME|XX` + String.raw`X)\b`);
  assert.deepEqual(
    sources.filter(({ text }) => mark.test(text)).map(({ path }) => path),
    [],
  );
  const empty = (folder: string): string[] =>
    readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
      if (!entry.isDirectory() || entry.name === "node_modules") return [];
      const path = join(folder, entry.name);
      return readdirSync(path).length === 0 ? [path] : empty(path);
    });
  assert.deepEqual(
    ["packages", "apps", "test", "docs"].flatMap((folder) => empty(join(ROOT, folder))),
    [],
  );
});

describe("error codes and rules", () => {
  const production = sources.filter((file) => !isTest(file.path) && !file.path.startsWith("packages/testkit/"));
  const tests = sources.filter((file) => isTest(file.path)).map(({ text }) => text);
  const isTested = (name: string): boolean =>
    tests.some((text) => text.includes(`"${name}"`) || text.includes(`${name}:`));

  test("every rule of the MLS engine stands in docs/rules.md", () => {
    const documented = read("docs/rules.md");
    const rules = new Set(
      production
        .filter(({ path }) => path.startsWith("packages/mls/"))
        .flatMap(({ text }) =>
          [...text.matchAll(/new ValidationError\(\s*"([a-z-]+)"/g)].map((match) => match[1] ?? ""),
        ),
    );
    assert.ok(rules.size > 30);
    assert.deepEqual([...rules].filter((rule) => !documented.includes(`\`${rule}\``)).sort(), []);
  });

  test("every rule that XMTP's validators name stands in docs/rules.md", () => {
    const documented = read("docs/rules.md");
    const named = /(?:\breject|\bCommitRejectedError|\bclaimOf\([^,()]+,)\(?\s*"([A-Z][A-Za-z]+)"/g;
    const rules = new Set(
      production
        .filter(({ path }) => path.startsWith("packages/xmtp/"))
        .flatMap(({ text }) => [...text.matchAll(named)].map((match) => match[1] ?? "")),
    );
    assert.ok(rules.size > 40, `${rules.size} rules found`);
    assert.deepEqual([...rules].filter((rule) => !documented.includes(`\`${rule}\``)).sort(), []);
  });

  test("every rule that docs/rules.md calls tested has a test that names it", () => {
    const rows = read("docs/rules.md").matchAll(/^\| `([A-Za-z-]+)` +\|.*\| tested +\|$/gm);
    const rules = [...rows].map((match) => match[1] ?? "");
    assert.ok(rules.length > 30);
    assert.deepEqual(rules.filter((rule) => !isTested(rule)).sort(), []);
  });

  test("every function that docs/rules.md names exists where it says", () => {
    const page = read("docs/rules.md");
    const named = [...page.matchAll(/`([^`"| ]+\.ts)` `([#\w]+)`/g)].map(([, path = "", name = ""]) => ({
      path,
      name,
    }));
    assert.ok(named.length > 150);
    const missing = named.filter(({ path, name }) => {
      const file = production.find((source) => source.path === path || source.path === `packages/mls/src/${path}`);
      return file === undefined || !new RegExp(`(^|[^\\w#])${name}\\b`, "m").test(file.text);
    });
    assert.deepEqual(missing, []);
  });
});

/** A page's references to tests, as path and a part of the title. */
function testsNamedBy(page: string): { path: string; title: string }[] {
  const text = read(page);
  return [...text.matchAll(/`([^`]+\.test\.ts)` "([^"]+)"/g)].map(([, path = "", title = ""]) => ({ path, title }));
}

for (const [page, folder, atLeast] of [
  ["docs/guarantees.md", "", 25],
  ["docs/rules.md", "packages/mls/src/", 90],
] as const) {
  test(`every test that ${page} names exists`, () => {
    const named = testsNamedBy(page);
    assert.ok(named.length > atLeast);
    const missing = named.filter(({ path, title }) => {
      const file = sources.find((source) => source.path === path || source.path === `${folder}${path}`);
      return file?.text.includes(title) !== true;
    });
    assert.deepEqual(missing, []);
  });
}
