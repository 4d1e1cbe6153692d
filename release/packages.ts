import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./root.ts";
import { keptDependencies } from "./vendor.ts";

/** What the build reads and writes of a `package.json`. */
export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly description: string;
  readonly license: string;
  readonly type: "module";
  readonly private?: boolean;
  readonly sideEffects?: boolean;
  readonly engines: Readonly<Record<string, string>>;
  readonly bin?: Readonly<Record<string, string>>;
  readonly exports?: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
}

/** Where an entry point of a built package leads. */
export type BuiltEntry = Readonly<Record<"types" | "default", string>>;

/** The manifest of a built package. */
export interface BuiltManifest extends Omit<Manifest, "exports" | "private"> {
  readonly types?: string;
  readonly exports: Readonly<Record<string, BuiltEntry | string>>;
}

/** A package that is published, as its source. */
export interface SourcePackage {
  /** Folder below the root, such as `packages/client`. */
  readonly folder: string;
  /** Folder below `build`, such as `client`. */
  readonly buildName: string;
  readonly manifest: Manifest;
}

/** Packages of the workspace that nobody installs. */
const NEVER_PUBLISHED: readonly string[] = ["@latchkey/testkit"];

/** Entry points of this repository's own tests, simulator and builds. */
const NEVER_PUBLISHED_SUBPATHS: readonly string[] = ["./internals", "./build"];

/** The package of the page: a bundle, which brings its dependencies along. */
export const PAGE = "@latchkey/page";

/** Reads a `package.json`. */
export function readManifest(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Manifest;
}

/** All packages that are published, those that others need first. */
export function sourcePackages(): SourcePackage[] {
  const found = ["packages", "apps"]
    .flatMap((parent) => readdirSync(join(ROOT, parent)).map((name) => `${parent}/${name}`))
    .map((folder) => ({ folder, manifest: readManifest(join(ROOT, folder)) }))
    .filter(({ manifest }) => !NEVER_PUBLISHED.includes(manifest.name))
    .map(({ folder, manifest }) => ({ folder, buildName: manifest.name.replace("@latchkey/", ""), manifest }));
  const names = new Set(found.map(({ manifest }) => manifest.name));
  const placed = new Set<string>();
  const ordered: SourcePackage[] = [];
  while (ordered.length < found.length) {
    const ready = found.filter(
      ({ manifest }) =>
        !placed.has(manifest.name) &&
        Object.keys(manifest.dependencies ?? {}).every((name) => !names.has(name) || placed.has(name)),
    );
    if (ready.length === 0) throw new Error("the packages depend on each other in a circle");
    for (const one of ready) placed.add(one.manifest.name);
    ordered.push(...ready);
  }
  return ordered;
}

/** The entry points of a package that are published: subpath and source file, such as `.` and `./src/index.ts`. */
export function publishedExports(manifest: Manifest): [subpath: string, source: string][] {
  return Object.entries(manifest.exports ?? {}).filter(([subpath]) => !NEVER_PUBLISHED_SUBPATHS.includes(subpath));
}

/** Path in the built package of a source file: `./src/index.ts` becomes `./dist/index.js`. */
export function builtPath(source: string, extension: ".js" | ".d.ts"): string {
  return source.replace(/^\.\/src\//, "./dist/").replace(/\.ts$/, extension);
}

/**
 * The manifest of the built package. Entry points lead into `dist`; scripts, development dependencies and `private` stay
 * behind.
 */
export function builtManifest(source: Manifest): BuiltManifest {
  const { name, version, description, license, type, sideEffects, engines, bin, dependencies } = source;
  const subpaths = publishedExports(source);
  const main = source.exports?.["."];
  return {
    name,
    version,
    description,
    license,
    type,
    ...(sideEffects === undefined ? {} : { sideEffects }),
    engines,
    ...(bin === undefined
      ? {}
      : {
          bin: Object.fromEntries(
            Object.entries(bin).map(([command, path]) => [command, builtPath(path, ".js").slice("./".length)]),
          ),
        }),
    ...(main === undefined ? {} : { types: builtPath(main, ".d.ts") }),
    exports: {
      ...Object.fromEntries(
        subpaths.map(([subpath, path]) => [
          subpath,
          path.endsWith(".ts") ? { types: builtPath(path, ".d.ts"), default: builtPath(path, ".js") } : path,
        ]),
      ),
      "./package.json": "./package.json",
    },
    ...(dependencies === undefined || name === PAGE ? {} : { dependencies: keptDependencies(dependencies) }),
  };
}
