import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import ts from "typescript";
import { publishedExports, type SourcePackage } from "./packages.ts";
import { ROOT } from "./root.ts";
import { keptDependencies, withVendoredSpecifiers } from "./vendor.ts";

/** A module that is started by its address, such as the code of a worker. */
const ADDRESSED_MODULE = /new URL\((["'])(\.[^"']+)\.ts\1, import\.meta\.url\)/g;

const HOST: ts.FormatDiagnosticsHost = {
  getCurrentDirectory: () => ROOT,
  getCanonicalFileName: (name) => name,
  getNewLine: () => "\n",
};

function compilerOptions(): ts.CompilerOptions {
  const file = join(ROOT, "tsconfig.json");
  const read = ts.readConfigFile(file, (path) => ts.sys.readFile(path));
  const { options } = ts.parseJsonConfigFileContent(read.config, { ...ts.sys, readDirectory: () => [] }, ROOT);
  return {
    ...options,
    noEmit: false,
    rewriteRelativeImportExtensions: true,
    declaration: true,
    sourceMap: true,
    inlineSources: true,
    rootDir: ROOT,
    outDir: join(ROOT, "build"),
  };
}

/** Files that a module starts by their address. */
function addressedBy(file: ts.SourceFile): string[] {
  return Array.from(file.text.matchAll(ADDRESSED_MODULE), ([, , path = ""]) =>
    join(dirname(file.fileName), `${path}.ts`),
  );
}

/** Specifiers of declarations name the built files. Each extension has the same length, so source maps stay right. */
function withBuiltSpecifiers(declarations: string): string {
  const places = ts
    .preProcessFile(declarations, true, true)
    .importedFiles.filter(({ fileName }) => fileName.startsWith(".") && fileName.endsWith(".ts"));
  let text = declarations;
  for (const { pos, fileName } of places) {
    const at = text.indexOf(fileName, pos);
    const end = at + fileName.length;
    text = `${text.slice(0, end - ".ts".length)}.js${text.slice(end)}`;
  }
  return text;
}

/** @throws Error for an import of a package that the manifest does not name, which works in the clone alone. */
function checkImports(code: string, path: string, { manifest }: SourcePackage): void {
  const named = new Set([manifest.name, ...Object.keys(keptDependencies(manifest.dependencies ?? {}))]);
  for (const { fileName } of ts.preProcessFile(code, true, true).importedFiles) {
    if (fileName.startsWith(".") || fileName.startsWith("node:")) continue;
    const name = fileName
      .split("/")
      .slice(0, fileName.startsWith("@") ? 2 : 1)
      .join("/");
    if (!named.has(name)) throw new Error(`${path} imports ${name}, which is no dependency of ${manifest.name}`);
  }
}

/** Compiles the entry points of all packages and what they import. @throws Error for what does not compile. */
export function compilePackages(packages: readonly SourcePackage[]): void {
  const roots = new Set(
    packages.flatMap(({ folder, manifest }) =>
      [...publishedExports(manifest).map(([, path]) => path), ...Object.values(manifest.bin ?? {})].map((path) =>
        join(ROOT, folder, path),
      ),
    ),
  );
  const options = compilerOptions();
  let program = ts.createProgram([...roots], options);
  for (;;) {
    const own = program.getSourceFiles().filter(({ isDeclarationFile }) => !isDeclarationFile);
    const missing = own.flatMap(addressedBy).filter((path) => program.getSourceFile(path) === undefined);
    if (missing.length === 0) break;
    for (const path of missing) roots.add(path);
    program = ts.createProgram([...roots], options, undefined, program);
  }
  const write: ts.WriteFileCallback = (output, text, _mark, _error, from) => {
    const source = from?.[0]?.fileName;
    if (source === undefined) throw new Error(`${output} comes from no source`);
    const path = relative(ROOT, source).split(sep).join("/");
    const owner = packages.find(({ folder }) => path.startsWith(`${folder}/src/`));
    if (owner === undefined) throw new Error(`${path} belongs to no package that is published`);
    const inside = path.slice(`${owner.folder}/src/`.length);
    const name = output.slice(output.lastIndexOf("/") + 1);
    const target = join(ROOT, "build", owner.buildName, "dist", dirname(inside), name);
    let content = text;
    if (name.endsWith(".map")) {
      const here = join("dist", dirname(inside));
      const sources = [relative(here, join("src", inside)).split(sep).join("/")];
      content = JSON.stringify({ ...(JSON.parse(text) as object), sources });
    } else if (name.endsWith(".d.ts")) {
      content = withBuiltSpecifiers(text);
    } else {
      content = withVendoredSpecifiers(text, inside).replace(ADDRESSED_MODULE, (call) =>
        call.replace(/\.ts(["'],)/, ".js$1"),
      );
      checkImports(content, output, owner);
    }
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, content);
  };
  const emitted = program.emit(undefined, write);
  const problems = [...ts.getPreEmitDiagnostics(program), ...emitted.diagnostics];
  if (problems.length > 0) throw new Error(ts.formatDiagnostics(problems, HOST));
}
