import assert from "node:assert/strict";
import { test } from "node:test";
import { readTopic, type Page, type Position } from "./transport.ts";

interface Item {
  readonly id: bigint;
}

/** Answers with the given pages, one call after the other. */
function pages(...answers: Page<Item>[]) {
  const asked: bigint[] = [];
  const query = async ({ afterId }: Position) => {
    asked.push(afterId);
    return answers[asked.length - 1] ?? { items: [], complete: true };
  };
  return { asked, query };
}

async function read(query: (position: Position) => Promise<Page<Item>>, afterId = 0n): Promise<bigint[]> {
  const ids: bigint[] = [];
  for await (const { id } of readTopic(query, { topic: new Uint8Array(1), afterId })) ids.push(id);
  return ids;
}

test("a topic is read page by page, each from behind the last id", async () => {
  const { asked, query } = pages(
    { items: [{ id: 3n }, { id: 7n }], complete: false },
    { items: [{ id: 8n }], complete: true },
  );
  assert.deepEqual(await read(query, 2n), [3n, 7n, 8n]);
  assert.deepEqual(asked, [2n, 7n]);
});

test("SEC-12 a node that repeats, reorders or never ends: ids only ascend, and a page without news is the last", async () => {
  const { asked, query } = pages(
    { items: [{ id: 5n }, { id: 4n }, { id: 5n }, { id: 6n }], complete: false },
    { items: [{ id: 6n }, { id: 1n }], complete: false },
    { items: [{ id: 9n }], complete: false },
  );
  assert.deepEqual(await read(query), [5n, 6n]);
  assert.deepEqual(asked, [0n, 6n]);
});
