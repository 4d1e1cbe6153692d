import assert from "node:assert/strict";
import { test } from "node:test";
import { cleanUp } from "../testing/support.ts";
import { attacks } from "./attacks.ts";
import { PROMISED, Siege } from "./run.ts";
import { Subject } from "./subject.ts";

/** The attacks of the short form, one of each kind, and how long each runs, in milliseconds. */
const SHORT = [
  "decode bomb, gzip",
  "JSON bomb, values",
  "identity updates, junk registrations",
  "unread answers",
  "wide streams",
  "idle connections, HTTP/2",
  "slots, large blobs",
  "HTTP/2 rapid reset",
];
const SHORT_MS = 800;

test("TRU-19 a node of 1 GiB lives through one attack of each kind, and refuses nobody honest", async (t) => {
  const known = attacks().map(({ name }) => name);
  assert.equal(new Set(known).size, known.length);
  const [subject, siege] = await Promise.all([Subject.start(), Siege.start()]);
  cleanUp(t, () => subject.stop());
  cleanUp(t, () => siege.stop());
  for (const name of SHORT) {
    assert.ok(known.includes(name), name);
    const { end, honestRefused, honestDelayed, steps, peakMiB } = await siege.attack(name, subject, SHORT_MS);
    assert.equal(end, "", name);
    assert.equal(honestRefused, 0, name);
    assert.ok(steps > honestDelayed, name);
    assert.ok(peakMiB < PROMISED.peakMiB, `${name}: ${peakMiB} MiB`);
  }
});
