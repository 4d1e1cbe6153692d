import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { builtManifest, builtPath, sourcePackages } from "../../release/packages.ts";
import { ROOT } from "../../release/root.ts";

const OF_THE_CLONE: readonly string[] = ["./internals", "./build"];

for (const { folder, manifest } of sourcePackages()) {
  test(`the built ${manifest.name} has the entry points of its source, and nothing of the clone`, () => {
    const built = builtManifest(manifest);
    const sources = Object.entries(manifest.exports ?? {}).filter(([subpath]) => !OF_THE_CLONE.includes(subpath));
    assert.deepEqual(
      Object.keys(built.exports).filter((subpath) => subpath !== "./package.json"),
      sources.map(([subpath]) => subpath),
    );
    for (const [subpath, path] of sources) {
      // What is no source is made by the build.
      if (!path.endsWith(".ts")) {
        assert.equal(built.exports[subpath], path);
        continue;
      }
      assert.ok(existsSync(join(ROOT, folder, path)), `${path} exists`);
      assert.deepEqual(built.exports[subpath], { types: builtPath(path, ".d.ts"), default: builtPath(path, ".js") });
    }
    assert.ok(manifest.private, "the source is private, so that nobody publishes it");
    for (const field of ["private", "scripts", "devDependencies"]) assert.equal(field in built, false, field);
    for (const [name, range] of Object.entries(built.dependencies ?? {})) {
      assert.match(range, /^\d+\.\d+\.\d+(-[\w.]+)?$/, `${name} is pinned`);
    }
    assert.ok(existsSync(join(ROOT, folder, "README.md")), "a README to pack");
  });
}

test("packages are built behind those that they need, and the testkit never", () => {
  const names = sourcePackages().map(({ manifest }) => manifest.name);
  assert.ok(names.indexOf("@latchkey/mls") < names.indexOf("@latchkey/client"));
  assert.ok(names.indexOf("@latchkey/client") < names.indexOf("latchkey"));
  assert.equal(names.includes("@latchkey/testkit"), false);
});
