import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import ts from "typescript";
import { allSnippets, moduleOf, snippetsOf } from "../../release/snippets/extract.ts";
import { ROOT } from "../../release/root.ts";

test("code blocks are found with their language, line and what stands before them", () => {
  const page =
    "# Title\n\n<!-- check\nconst a = 1;\n-->\n\n```ts\nconst b = a;\n```\n\n```sh\nls\n```\n\n```ts\nconst c = 2;\n```\n";
  assert.deepEqual(
    snippetsOf("page.md", page, "ts").map(({ line, use, before, code }) => ({ line, use, before, code })),
    [
      { line: 8, use: "check", before: "const a = 1;\n", code: "const b = a;\n" },
      { line: 16, use: "run", before: "", code: "const c = 2;\n" },
    ],
  );
  assert.deepEqual(
    snippetsOf("page.md", page, "sh").map(({ code }) => code),
    ["ls\n"],
  );
});

/** Problems that TypeScript has with the modules, each behind its place in a page. */
function problemsOf(modules: ReadonlyMap<string, { text: string; place: string }>): string[] {
  const file = join(ROOT, "tsconfig.json");
  const { config } = ts.readConfigFile(file, (path) => ts.sys.readFile(path)) as { config: unknown };
  const { options } = ts.parseJsonConfigFileContent(config, { ...ts.sys, readDirectory: () => [] }, ROOT);
  // A block of a page may declare what its next block uses.
  const checked = { ...options, noUnusedLocals: false, noUnusedParameters: false };
  const host = ts.createCompilerHost(checked);
  const own = ts.createCompilerHost(checked);
  host.getSourceFile = (path, languageVersion, onError) => {
    const text = modules.get(path)?.text;
    return text === undefined
      ? own.getSourceFile(path, languageVersion, onError)
      : ts.createSourceFile(path, text, languageVersion);
  };
  host.fileExists = (path) => modules.has(path) || own.fileExists(path);
  host.readFile = (path) => modules.get(path)?.text ?? own.readFile(path);
  const program = ts.createProgram([...modules.keys()], checked, host);
  return [...modules].flatMap(([path, { place }]) => {
    const source = program.getSourceFile(path);
    return [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)].map(
      ({ messageText }) => `${place}: ${ts.flattenDiagnosticMessageText(messageText, "\n")}`,
    );
  });
}

test("every ts block of the READMEs and of docs is right in its types", () => {
  const modules = new Map(
    allSnippets("ts").map((snippet, index) => [
      join(ROOT, "test/release", `snippet-${index}.ts`),
      { text: moduleOf(snippet), place: `${snippet.page}:${snippet.line}` },
    ]),
  );
  const wrong = join(ROOT, "test/release/wrong.ts");
  modules.set(wrong, { text: "const text: string = 1;\nexport { text };\n", place: "wrong" });
  assert.ok(modules.size > 8);
  const problems = problemsOf(modules);
  assert.equal(problems.filter((problem) => problem.startsWith("wrong: ")).length, 1, "a wrong block is noticed");
  assert.deepEqual(
    problems.filter((problem) => !problem.startsWith("wrong: ")),
    [],
  );
});
