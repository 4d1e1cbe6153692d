import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { NODE_LIMITS } from "./limits.ts";

test("LIMIT every bound of the node stands in the operator's page, and the page names no other", () => {
  const page = readFileSync(new URL("../../../docs/operator.md", import.meta.url), "utf8");
  const section = page.slice(page.indexOf("## Limits"), page.indexOf("## Capacity"));
  const named = new Set([...section.matchAll(/`([a-z][A-Za-z]*)`/g)].map(([, name]) => name));
  const known = Object.keys(NODE_LIMITS);
  assert.deepEqual(
    known.filter((name) => !named.has(name)),
    [],
  );
  const others = new Set(["createNode", "held", "received", "answers", "requests", "servedUntilNs", "rpc", "overhead"]);
  const looksLikeBound = /(?:Bytes|Ms|PerSecond|Burst|PerAddress|Total|Entries|Micros)$/;
  const unknown = [...named].filter((name) => name !== undefined && looksLikeBound.test(name) && !known.includes(name));
  assert.deepEqual(
    unknown.filter((name) => name !== undefined && !others.has(name)),
    [],
  );
});
