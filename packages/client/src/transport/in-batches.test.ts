import assert from "node:assert/strict";
import { test } from "node:test";
import { inBatches } from "./in-batches.ts";

/** Lets everything that is under way come to where it waits. */
const settled = () => new Promise<void>((resolve) => setImmediate(resolve));
const options = { maxItems: 100, pause: settled };

test("TRU-21 what arrives while a batch is dealt with is the next batch, and no more is read ahead", async () => {
  let opened: AbortSignal | undefined;
  let read = 0;
  async function* numbers(signal: AbortSignal) {
    opened = signal;
    for (; read < 1_000; read++) yield read;
  }
  const sizes: number[] = [];
  const seen: number[] = [];
  for await (const batch of inBatches(numbers, options, new AbortController().signal)) {
    sizes.push(batch.length);
    seen.push(...batch);
    assert.ok(read <= seen.length + 100, `${read} read with ${seen.length} taken`);
    await settled();
  }
  assert.deepEqual(
    seen,
    Array.from({ length: 1_000 }, (_, index) => index),
  );
  assert.ok(sizes.length <= 10, sizes.join());
  assert.equal(opened?.aborted, true);
});

test("a stream that fails is told of behind what came before; one that is left is closed", async () => {
  async function* failing() {
    yield 1;
    yield 2;
    throw new Error("the line was cut (made up by a test)");
  }
  const seen: number[] = [];
  const reading = (async () => {
    for await (const batch of inBatches(failing, options, new AbortController().signal)) seen.push(...batch);
  })();
  await assert.rejects(reading, /the line was cut/);
  assert.deepEqual(seen, [1, 2]);

  let opened: AbortSignal | undefined;
  let ended = false;
  async function* endless(signal: AbortSignal) {
    opened = signal;
    try {
      yield 1;
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
    } finally {
      ended = true;
    }
  }
  for await (const batch of inBatches(endless, options, new AbortController().signal)) {
    assert.deepEqual(batch, [1]);
    break;
  }
  await settled();
  assert.deepEqual([opened?.aborted, ended], [true, true]);
});
