import { build } from "esbuild";
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { basename, join, posix } from "node:path";
import { ROOT } from "./root.ts";

/**
 * Packages of which little is needed. Their parts travel in the built package, and the package itself is no dependency:
 * these two are 9 MB, of which the decoders are 1.3 MB.
 */
const VENDORED: Readonly<Record<string, { readonly modules: readonly string[]; readonly files: readonly string[] }>> = {
  "@jsquash/avif": { modules: ["@jsquash/avif/decode.js"], files: ["@jsquash/avif/codec/dec/avif_dec.wasm"] },
  "@jsquash/webp": { modules: ["@jsquash/webp/decode.js"], files: ["@jsquash/webp/codec/dec/webp_dec.wasm"] },
};

/** The dependencies that stay dependencies. */
export function keptDependencies(dependencies: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(dependencies).filter(([name]) => !(name in VENDORED)));
}

/** File in `dist/vendor` of a module or file of a vendored package. */
function vendoredName(specifier: string): string {
  return specifier.endsWith(".wasm")
    ? basename(specifier)
    : `${specifier.split("/").slice(0, 2).join("-").slice(1)}.js`;
}

/** Code of a file in `dist/<path>` with the specifiers of vendored packages led to `dist/vendor`. */
export function withVendoredSpecifiers(code: string, path: string): string {
  const specifiers = Object.values(VENDORED).flatMap(({ modules, files }) => [...modules, ...files]);
  const up = posix.relative(posix.dirname(path), "vendor");
  return specifiers.reduce((text, one) => text.replaceAll(`"${one}"`, `"${up}/${vendoredName(one)}"`), code);
}

/** Writes the vendored parts of the given dependencies into `dist/vendor`; modules are bundled with what they import. */
export async function writeVendored(dependencies: readonly string[], target: string): Promise<void> {
  for (const { modules, files } of dependencies.flatMap((name) => VENDORED[name] ?? [])) {
    const folder = join(target, "dist/vendor");
    mkdirSync(folder, { recursive: true });
    for (const file of files) copyFileSync(join(ROOT, "node_modules", file), join(folder, vendoredName(file)));
    for (const module of modules) {
      const { outputFiles } = await build({
        entryPoints: [module],
        absWorkingDir: ROOT,
        bundle: true,
        write: false,
        format: "esm",
        platform: "node",
        target: "es2023",
        legalComments: "inline",
      });
      const [bundle] = outputFiles;
      if (bundle === undefined) throw new Error(`${module} was not bundled`);
      writeFileSync(join(folder, vendoredName(module)), bundle.contents);
    }
  }
}
