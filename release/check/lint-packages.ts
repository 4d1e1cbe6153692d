import { join } from "node:path";
import type { SourcePackage } from "../packages.ts";
import { ROOT } from "../root.ts";
import type { Workplace } from "./workplace.ts";

/** Has publint look at every built package. @throws Error with its findings. */
export async function runPublint(workplace: Workplace, packages: readonly SourcePackage[]): Promise<void> {
  for (const { buildName } of packages) {
    await workplace.run(workplace.folder, workplace.tool("publint"), ["--strict", join(ROOT, "build", buildName)]);
  }
}

/** Has Are the Types Wrong look at every packed package. @throws Error with its findings. */
export async function runAttw(workplace: Workplace): Promise<void> {
  for (const tarball of workplace.tarballs.values()) {
    await workplace.run(workplace.folder, workplace.tool("attw"), [tarball, "--profile", "esm-only", "--no-color"]);
  }
}
