import { buildPage } from "@latchkey/page/build";
import { chmodSync, copyFileSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { compilePackages } from "./compile.ts";
import { noticesText, thirdPartiesOf } from "./notices.ts";
import { builtManifest, builtPath, PAGE, readManifest, sourcePackages, type SourcePackage } from "./packages.ts";
import { packedReadme } from "./readme.ts";
import { ROOT } from "./root.ts";
import { writeVendored } from "./vendor.ts";

/**
 * Builds every published package below `build`, each whole: manifest, compiled code with declarations and maps that hold
 * the sources, README, licence and notices. The sources stay as they are. Returns the packages.
 *
 * @throws Error for a source that does not compile and for a dependency whose licence is not allowed.
 */
export async function buildPackages(): Promise<SourcePackage[]> {
  const packages = sourcePackages();
  rmSync(join(ROOT, "build"), { recursive: true, force: true });
  compilePackages(packages.filter(({ manifest }) => manifest.name !== PAGE));
  await buildPage(join(ROOT, "build/page/dist"));
  const { repository } = readManifest(ROOT) as { repository?: string };
  for (const { folder, buildName, manifest } of packages) {
    const target = join(ROOT, "build", buildName);
    if (manifest.name !== PAGE) await writeVendored(Object.keys(manifest.dependencies ?? {}), target);
    writeFileSync(join(target, "package.json"), `${JSON.stringify(builtManifest(manifest), null, 2)}\n`);
    writeFileSync(
      join(target, "README.md"),
      packedReadme(readFileSync(join(ROOT, folder, "README.md"), "utf8"), folder, repository),
    );
    copyFileSync(join(ROOT, "LICENSE"), join(target, "LICENSE"));
    writeFileSync(join(target, "THIRD_PARTY_NOTICES"), noticesText(thirdPartiesOf(folder)));
    for (const path of Object.values(manifest.bin ?? {})) chmodSync(join(target, builtPath(path, ".js")), 0o755);
  }
  return packages;
}

if (import.meta.main) {
  for (const { buildName, manifest } of await buildPackages()) {
    console.log(`build/${buildName}: ${manifest.name} ${manifest.version}`);
  }
}
