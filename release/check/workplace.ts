import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import ts from "typescript";
import type { SourcePackage } from "../packages.ts";
import { ROOT } from "../root.ts";

/** Versions of the tools that the check installs beside the consumers, and not with `npm ci`. */
const TOOLS: Readonly<Record<string, string>> = {
  "@arethetypeswrong/cli": "0.18.5",
  publint: "0.3.25",
  vite: "8.4.0",
  [`node-${process.platform}-${process.arch}`]: "24.9.0",
};

/** Longest time of one command, in milliseconds. */
const COMMAND_TIMEOUT_MS = 300_000;

/** How a program is written: ES module, CommonJS, or as its TypeScript source. */
export type Flavour = "mjs" | "cjs" | "ts";

/** Variables that `npm run` and the test runner set, and that would lead a consumer into the clone. */
const CLONE_ONLY =
  /^(npm_(package|lifecycle|command|execpath|config_local_prefix)|NODE_(OPTIONS|TEST_CONTEXT)|INIT_CWD)/i;

function cleanEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !CLONE_ONLY.test(name)));
}

/** The folder outside of the clone where packages are installed and used as anybody would. */
export class Workplace {
  readonly folder: string;
  readonly #tarballs = new Map<string, string>();

  constructor() {
    this.folder = mkdtempSync(join(tmpdir(), "latchkey-release-"));
  }

  /** Runs a command and returns its output. @throws Error with the output when it fails. */
  run(folder: string, command: string, args: readonly string[]): Promise<string> {
    const env = cleanEnvironment();
    return new Promise((resolve, reject) => {
      const options = { cwd: folder, env, timeout: COMMAND_TIMEOUT_MS, maxBuffer: 2 ** 26 };
      execFile(command, args, options, (error, stdout, stderr) => {
        if (error === null) resolve(stdout);
        else reject(new Error(`${command} ${args.join(" ")}: ${error.message.split("\n", 1)[0]}\n${stdout}${stderr}`));
      });
    });
  }

  /** Packs what was built. */
  async pack(packages: readonly SourcePackage[]): Promise<void> {
    const folder = join(this.folder, "tarballs");
    mkdirSync(folder);
    for (const { buildName, manifest } of packages) {
      const from = join(ROOT, "build", buildName);
      const output = await this.run(from, "npm", ["pack", "--json", "--pack-destination", folder]);
      const listed = JSON.parse(output) as { filename: string }[] | Record<string, { filename: string }>;
      const filename = Object.values(listed)[0]?.filename;
      if (filename === undefined) throw new Error(`npm pack names no file for ${manifest.name}`);
      this.#tarballs.set(manifest.name, join(folder, filename));
    }
  }

  /** The packed file of each package. */
  get tarballs(): ReadonlyMap<string, string> {
    return this.#tarballs;
  }

  async installTools(): Promise<void> {
    this.write("tools/package.json", JSON.stringify({ private: true, dependencies: TOOLS }));
    await this.#install("tools", []);
  }

  /** Path of a tool's program. */
  tool(name: string): string {
    return join(this.folder, "tools/node_modules/.bin", name);
  }

  /** Path of a Node.js binary. */
  nodeBinary(major: 24 | 26): string {
    if (major === 26) return process.execPath;
    return join(this.folder, `tools/node_modules/node-${process.platform}-${process.arch}/bin/node`);
  }

  /**
   * An empty project with packages of this repository, and others by `name@version`. A package brings along those that it
   * needs of this repository. Returns its folder.
   */
  async project(name: string, own: readonly string[], others: readonly string[] = []): Promise<string> {
    this.write(`${name}/package.json`, JSON.stringify({ name, private: true }));
    const files = own.map((one) => {
      const file = this.#tarballs.get(one);
      if (file === undefined) throw new Error(`${one} is not packed`);
      return file;
    });
    await this.#install(name, [...files, ...others]);
    return join(this.folder, name);
  }

  async #install(name: string, words: readonly string[]): Promise<void> {
    const options = ["--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund", "--loglevel=error"];
    await this.run(join(this.folder, name), "npm", ["install", ...options, ...words]);
  }

  write(path: string, content: string): void {
    mkdirSync(dirname(join(this.folder, path)), { recursive: true });
    writeFileSync(join(this.folder, path), content);
  }

  /** Puts one of `programs/` into a project. Returns its path. */
  program(project: string, name: string, flavour: Flavour): string {
    const source = readFileSync(join(import.meta.dirname, "programs", `${name}.ts`), "utf8");
    const module = flavour === "cjs" ? ts.ModuleKind.CommonJS : ts.ModuleKind.ESNext;
    const compilerOptions = { module, target: ts.ScriptTarget.ES2024, verbatimModuleSyntax: false };
    const text = flavour === "ts" ? source : ts.transpileModule(source, { compilerOptions }).outputText;
    this.write(`${project}/${name}.${flavour}`, text);
    return join(this.folder, project, `${name}.${flavour}`);
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
