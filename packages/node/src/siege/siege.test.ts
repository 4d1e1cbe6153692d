import assert from "node:assert/strict";
import { test } from "node:test";
import { cleanUp } from "../test-support.ts";
import { attacks, besiege, PROMISED } from "./run.ts";
import { Subject } from "./subject.ts";

/** The attacks of the short form, one of each kind, and how long each runs, in milliseconds. */
const SHORT = [
  "decode bomb, gzip",
  "JSON bomb, values",
  "identity updates, bad and heavy",
  "unread answers",
  "wide streams",
  "idle connections, HTTP/2",
  "slots, large blobs",
];
const SHORT_MS = 800;

test("TRU-19 a node of 1 GiB lives through one attack of each kind, and refuses nobody honest", async (t) => {
  const subject = await Subject.start();
  cleanUp(t, () => subject.stop());
  const known = attacks();
  assert.equal(new Set(known.map(({ name }) => name)).size, known.length);
  for (const name of SHORT) {
    const attack = known.find((one) => one.name === name);
    assert.ok(attack, name);
    const { isAlive, honestRefused, honestDelayed, steps, peakMiB } = await besiege(attack, SHORT_MS, subject);
    assert.ok(isAlive, name);
    assert.equal(honestRefused, 0, name);
    assert.ok(steps > honestDelayed, name);
    assert.ok(peakMiB < PROMISED.peakMiB, `${name}: ${peakMiB} MiB`);
  }
});
