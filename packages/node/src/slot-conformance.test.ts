import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { HTTP_RULES, runServiceRules, runSuite, SERVICE_RULES } from "@latchkey/slot-conformance";
import { openInProcess } from "./in-process.ts";
import { InProcessSlot } from "./testing/in-process-slot.ts";
import { cleanUp, startNode, temporaryDirectory } from "./testing/support.ts";

test("SLOT the node keeps every rule of the written contract", async (t) => {
  const { url } = await startNode(t, { limits: { slotBlobBytes: 1_000_000, lingerMs: 100 } });
  const { passed, failed, rules } = await runSuite(`${url}/`);
  assert.deepEqual(
    rules.filter((rule) => !rule.passed),
    [],
  );
  assert.deepEqual([passed, failed], [SERVICE_RULES.length + HTTP_RULES.length, 0]);
});

test("SLOT the node in the process keeps every rule that does not depend on HTTP", async (t) => {
  let nowMs = 1_700_000_000_000;
  const node = openInProcess({ dataDir: temporaryDirectory(t), nowNs: () => BigInt(nowMs) * 1_000_000n });
  cleanUp(t, () => node.close());
  const pass = (ms: number): Promise<void> => {
    nowMs += ms;
    return Promise.resolve();
  };
  const clock = { nowMs: () => nowMs, pass };
  const { passed, failed, rules } = await runServiceRules(() => new InProcessSlot(node.slots, clock));
  assert.deepEqual(
    rules.filter((rule) => !rule.passed),
    [],
  );
  assert.deepEqual([passed, failed], [SERVICE_RULES.length, 0]);
});

test("SLOT a service that says yes to everything breaks every rule", async (t) => {
  const server = createServer((request, response) => {
    request.resume();
    request.once("end", () => response.end("yes"));
  });
  t.after(() => server.close());
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const { passed, rules } = await runSuite(`http://127.0.0.1:${port}`);
  assert.equal(passed, 0);
  for (const { reason } of rules) assert.ok(reason !== undefined && reason.length > 0);
});
