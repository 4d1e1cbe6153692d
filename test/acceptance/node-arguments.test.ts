import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import * as node from "@latchkey/node";
import { createLogger, createNode, NodeError, NODE_LIMITS } from "@latchkey/node";
import type { Argument, Rows } from "./public-arguments.ts";
import { oddCalls } from "./public-face.ts";

const isPort = (odd: unknown) => typeof odd === "number" && Number.isInteger(odd) && odd >= 0 && odd < 65_536;
const isName = (odd: unknown) =>
  typeof odd === "string" && odd !== "" && odd.isWellFormed() && !odd.includes("\0") && odd.length < 1_000;
const port: Argument = { good: 0, optional: true, takes: isPort };
const flag: Argument = { good: false, optional: true, takes: (odd) => typeof odd === "boolean" };

/** A limit by what it bounds: rates may be fractions, timers fire at once beyond 2^31 - 1. */
function limit(name: string): Argument {
  const isCount = (odd: unknown) => typeof odd === "number" && Number.isSafeInteger(odd) && odd >= 0;
  const isRate = (odd: unknown) => typeof odd === "number" && Number.isFinite(odd) && odd > 0;
  const isTimer = (odd: unknown) => isCount(odd) && (odd as number) > 0 && (odd as number) < 2 ** 31;
  const isDate = name === "slotBlobMs" || name === "slotCredentialMs";
  const takes = name.endsWith("PerSecond") ? isRate : name.endsWith("Ms") && !isDate ? isTimer : isCount;
  return { good: 1, optional: true, takes };
}

/** Nobody listens there. */
const POSTGRES_URL = "postgres://somebody@127.0.0.1:9/latchkey";

function rowsOf(dataDir: string): Rows {
  const limits = Object.fromEntries(Object.keys(NODE_LIMITS).map((name) => [name, limit(name)]));
  const isEmpty = (odd: unknown) =>
    typeof odd === "object" && odd !== null && !Array.isArray(odd) && Reflect.ownKeys(odd).length === 0;
  const transfer: Argument = {
    good: { dataDir, url: POSTGRES_URL },
    fields: {
      dataDir: { good: dataDir, takes: (odd) => typeof odd === "string" && isName(odd) },
      url: { good: POSTGRES_URL },
      onProgress: { good: () => undefined, optional: true, takes: (odd) => typeof odd === "function" },
    },
  };
  return {
    createNode: [
      {
        good: { dataDir },
        fields: {
          dataDir: { good: dataDir, takes: (odd) => typeof odd === "string" && isName(odd) },
          store: { good: undefined, optional: true },
          port,
          host: { good: "127.0.0.1", optional: true, takes: isName },
          metricsPort: port,
          logger: { good: createLogger("silent"), optional: true },
          limits: { good: {}, optional: true, takes: isEmpty },
          trustForwardedFor: flag,
          publicUrl: { good: "https://node.example", optional: true },
          invitePage: flag,
          clock: { good: undefined, optional: true },
          nowNs: { good: undefined, optional: true, takes: (odd) => typeof odd === "function" },
        },
      },
    ],
    limits: [{ good: {}, optional: true, takes: isEmpty, fields: limits }],
    openPostgresStore: [{ good: POSTGRES_URL }],
    importToPostgres: [transfer],
    exportFromPostgres: [transfer],
    bumpIds: [
      { good: dataDir, takes: (odd) => typeof odd === "string" && isName(odd) },
      { good: 1n, optional: true, takes: (odd) => typeof odd === "bigint" && odd > 0n && odd <= 2n ** 62n },
    ],
    createLogger: [
      { good: "silent", takes: (odd) => odd === "silent" },
      { good: { write: () => true }, optional: true },
    ],
  };
}

/** A node that should not have started must not keep the test from ending. */
async function closed(made: unknown): Promise<undefined> {
  if (typeof made === "object" && made !== null && "metricsUrl" in made) await (made as node.DeliveryNode).close();
}

test("ARGUMENT_INVALID for every argument of the node package: an error of its own, and no directory is made", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "latchkey-arguments-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const dataDir = join(folder, "node");
  const calls: Record<string, (...args: unknown[]) => unknown> = {
    createNode: (...args) => createNode(...(args as Parameters<typeof createNode>)),
    createLogger: (...args) => createLogger(...(args as Parameters<typeof createLogger>)),
    openPostgresStore: (url) => node.openPostgresStore(url as string),
    importToPostgres: (options) => node.importToPostgres(options as node.TransferOptions),
    exportFromPostgres: (options) => node.exportFromPostgres(options as node.TransferOptions),
    bumpIds: (where, by) => node.bumpIds(where as string, by as bigint),
    limits: (limits) => createNode({ dataDir, limits: limits as Partial<node.NodeLimits> }),
  };
  let refused = 0;
  for (const [name, row] of Object.entries(rowsOf(dataDir))) {
    for (const { title, args, isTaken } of oddCalls(name, row)) {
      if (isTaken) continue;
      const error: unknown = await Promise.resolve()
        .then(() => calls[name]?.(...args))
        .then(closed, (reason: unknown) => reason);
      assert.ok(error instanceof NodeError, `${title}: ${String(error)}`);
      assert.equal(error.code, "ARGUMENT_INVALID", `${title}: ${error.message}`);
      assert.equal(typeof error.data["argument"], "string", title);
      assert.ok(error.message.length < 500, title);
      refused++;
    }
  }
  assert.ok(refused > 1_500, `${refused} calls`);
  for (const odd of [{}, { dataDir, store: () => undefined }]) {
    await assert.rejects(createNode(odd as unknown as node.NodeOptions), { code: "ARGUMENT_INVALID" });
  }
  for (const publicUrl of ["ftp://node.example", "https://me:secret@node.example", "https://node.example/#x", "/i"]) {
    await assert.rejects(createNode({ dataDir, publicUrl }), { code: "ARGUMENT_INVALID" });
  }
  assert.equal(existsSync(dataDir), false);
});

test("every function that the node package exports is checked, or is for stores", () => {
  const functions = Object.entries(node).flatMap(([name, value]) => (typeof value === "function" ? [name] : []));
  const checked = [
    "bumpIds",
    "createLogger",
    "createNode",
    "exportFromPostgres",
    "importToPostgres",
    "openPostgresStore",
  ];
  const forStores = ["Notifier", "servedUntilNs", "sqliteStore"];
  assert.deepEqual(functions.toSorted(), ["NodeError", ...checked, ...forStores].toSorted());
});
