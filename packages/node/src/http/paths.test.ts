import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as fc from "fast-check";
import { readTarget } from "./paths.ts";

const SLOT = "/v1/slots/00112233";

describe("paths of requests", () => {
  for (const spelling of [
    SLOT,
    `${SLOT}/`,
    "//v1///slots//00112233",
    "/v1/./slots/00112233/.",
    "/v1/x/../slots/00112233",
    "/../v1/slots/00112233",
    "/%76%31/slots/%30011223%33",
    "/v1/%2e%2E/v1/slots/00112233",
    "http://node.example:5556/v1/slots/00112233",
    "HTTPS://node.example/v1/slots/00112233#part",
  ]) {
    test(`TRU-19 ${spelling} is one path with its other spellings`, () => {
      assert.deepEqual(readTarget(spelling), { path: SLOT, query: "" });
      assert.deepEqual(readTarget(spelling.replace(/(#.*)?$/, "?joining")), { path: SLOT, query: "joining" });
    });
  }

  test("TRU-19 what means something else stays apart", () => {
    assert.equal(readTarget("/v1/slots%2f00112233")?.path, "/v1/slots%2F00112233");
    assert.equal(readTarget("/V1/slots/00112233")?.path, "/V1/slots/00112233");
    assert.equal(readTarget("/v1\\slots\\00112233")?.path, "/v1\\slots\\00112233");
    assert.equal(readTarget("/%zz")?.path, "/%zz");
    assert.deepEqual(readTarget("http://node.example?a=b"), { path: "/", query: "a=b" });
    for (const target of ["", "*", "node.example:443", "\\metrics"]) assert.equal(readTarget(target), undefined);
  });

  test("TRU-19 a path in its one spelling stays as it is", () => {
    const part = fc.constantFrom("a", ".", "..", "", "%2e", "%2F", "%41", "~", "%", "%7e");
    fc.assert(
      fc.property(fc.array(part, { maxLength: 8 }), (parts) => {
        const path = readTarget(`/${parts.join("/")}`)?.path ?? "";
        assert.equal(readTarget(path)?.path, path);
        assert.match(path, /^\/$|^(?:\/[^/]+)+$/);
        assert.doesNotMatch(path, /\/\.\.?(?:\/|$)/);
      }),
    );
  });
});
