import assert from "node:assert/strict";
import { test } from "node:test";
import { compareVersions } from "./semver.ts";

test("versions order as semantic versioning says", () => {
  const ordered = [
    "1.0.0-alpha",
    "1.0.0-alpha.1",
    "1.0.0-alpha.beta",
    "1.0.0-beta.2",
    "1.0.0-beta.11",
    "1.0.0-rc.1",
    "1.0.0",
    "1.9.0",
    "1.11.0-dev",
    "1.11.0",
    "1.11.1",
    "2.0.0",
  ];
  for (const [index, version] of ordered.entries()) {
    for (const [otherIndex, other] of ordered.entries()) {
      assert.equal(Math.sign(compareVersions(version, other)), Math.sign(index - otherIndex), `${version} ${other}`);
    }
  }
  assert.equal(compareVersions("1.2.3+build", "1.2.3"), 0);
});

test("texts that are no versions are refused", () => {
  for (const text of ["", "1", "1.2", "v1.2.3", "1.2.3-", "99999999999.0.0", "1.2.3 "]) {
    assert.throws(() => compareVersions(text, "1.0.0"), { code: "DECODE" });
  }
});
