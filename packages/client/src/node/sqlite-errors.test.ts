import assert from "node:assert/strict";
import { test } from "node:test";
import { translated } from "./sqlite-errors.ts";

function thrown(facts: object): () => never {
  return () =>
    translated(() => {
      throw Object.assign(new Error("made up"), facts);
    });
}

test("results of SQLite have their code: damage, locks that a network disk does not give, a failing disk", () => {
  const expected: readonly (readonly [number, object])[] = [
    [11, { code: "STORE_DAMAGED" }],
    [267, { code: "STORE_DAMAGED" }],
    [26, { code: "STORE_DAMAGED" }],
    [13, { code: "STORE_FULL", retryable: true }],
    [5, { code: "STORE_LOCKED", retryable: true }],
    [3850, { code: "STORE_FAILED", message: /disk of this machine/ }],
    [778, { code: "STORE_FAILED", message: /disk of the database failed/ }],
    [8, { code: "STORE_FAILED", message: /permissions/ }],
    [14, { code: "STORE_FAILED", message: /permissions/ }],
    [1, { code: "STORE_FAILED", message: /made up/, scope: "availability" }],
    [18, { code: "STORE_FAILED", message: /refuses/, scope: "defect" }],
    [1555, { code: "STORE_FAILED", message: /refuses/, scope: "defect" }],
  ];
  for (const [errcode, error] of expected) assert.throws(thrown({ code: "ERR_SQLITE_ERROR", errcode }), error);
});

test("errors of the file system have their code; what is none passes as it is", () => {
  const system = (code: string) => thrown({ code, syscall: "open" });
  for (const code of ["ENOSPC", "EDQUOT"]) assert.throws(system(code), { code: "STORE_FULL" });
  for (const code of ["ENOENT", "ENOTDIR", "EACCES", "EPERM", "EROFS", "ELOOP"]) {
    assert.throws(system(code), { code: "STORE_FAILED" });
  }
  assert.throws(thrown({ code: "ERR_INVALID_STATE" }), { code: "CLIENT_CLOSED" });
  for (const code of ["ERR_INVALID_ARG_TYPE", "ERR_INVALID_ARG_VALUE", "ERR_OUT_OF_RANGE"]) {
    assert.throws(thrown({ code }), { code: "STORE_FAILED", scope: "defect" });
  }
  assert.throws(thrown({}), { message: "made up" });
});
