import assert from "node:assert/strict";
import { test } from "node:test";
import { docComments, proseFigures, runningText } from "./prose.ts";
import { filesEndingWith, type SourceFile } from "./source-files.ts";

/** Most what-clauses per 1 000 words of comments: the goal. */
const GOAL = 1.5;

/** Packages above the goal, with the most that each may have. A figure here only goes down. */
const ABOVE: Readonly<Record<string, number>> = {
  "apps/web": 12,
  "packages/client": 9,
  "packages/node": 10.5,
  "packages/testkit": 10.5,
};

/** Most sentences of docs above 30 words, in percent. */
const LONG_SENTENCES = 12;

function packageOf({ path }: SourceFile): string {
  return path.split("/", 2).join("/");
}

test("comments name things instead of saying what they are, package by package", () => {
  const files = filesEndingWith(".ts").filter(
    ({ path }) => /^(apps|packages)\//.test(path) && !path.endsWith(".test.ts"),
  );
  const packages = Map.groupBy(files, packageOf);
  assert.ok(packages.size > 5);
  for (const [name, sources] of packages) {
    const { whatClauses } = proseFigures(sources.map(docComments).join("\n\n"));
    const most = ABOVE[name] ?? GOAL;
    assert.ok(whatClauses <= most, `${name}: ${whatClauses.toFixed(2)} what-clauses per 1 000 words, at most ${most}`);
  }
});

test("most sentences of the docs have at most 30 words", () => {
  const pages = filesEndingWith(".md").filter(({ path }) => path.startsWith("docs/"));
  const { longSentences } = proseFigures(pages.map(runningText).join("\n\n"));
  assert.ok(longSentences <= LONG_SENTENCES, `${longSentences.toFixed(1)} percent`);
});

test("the counter finds clauses and long sentences, and reads neither code nor tables", () => {
  const page = {
    path: "a.md",
    text: "# What is\n\nIt is what is left.\n\n| what is |\n\n```\nwhat is\n```\n\n`what is` it.",
  };
  const { words, whatClauses } = proseFigures(runningText(page));
  assert.deepEqual([words, whatClauses], [7, 1_000 / 7]);
  assert.equal(proseFigures(`Short one here. ${"word ".repeat(31)}end.`).longSentences, 50);
  const source = { path: "a.ts", text: "/** One. */\nconst a = 1; // what is\n/**\n * Which the\n * other.\n */" };
  assert.deepEqual(proseFigures(docComments(source)).whatClauses, 1_000 / 4);
});
