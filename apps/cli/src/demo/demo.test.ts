import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { describe, test } from "node:test";
import { lastJson, start, tempDir } from "../testing/command.ts";

const STEPS = [
  "start-node",
  "register",
  "create-group",
  "issue-invite",
  "go-offline",
  "join-with-three-devices",
  "join-second",
  "come-back",
  "link-new-phone",
  "revoke-tablet",
  "talk",
];

describe("the demo", () => {
  test("X82-02 --json ends with one object in which everything holds, exits with 0 and leaves no file", async (t) => {
    const temporary = await tempDir(t);
    const demo = start(t, "demo/main.ts", ["--json"], { TMPDIR: temporary });
    const stdout = await text(demo.child.stdout);
    assert.equal(await demo.stderr, "");
    assert.equal(await demo.status, 0);
    const { steps, ...rest } = lastJson(stdout);
    assert.deepEqual(rest, {
      ok: true,
      qrDecodedFromImage: true,
      members: 4,
      installations: 6,
      epochAuthenticatorsEqual: true,
      messagesDelivered: 45,
    });
    assert.ok(Array.isArray(steps));
    const named = steps.map((step: { name: string; ms: number }) => {
      assert.ok(Number.isInteger(step.ms) && step.ms >= 0, step.name);
      return step.name;
    });
    assert.deepEqual(named, STEPS);
    assert.deepEqual(await readdir(temporary), []);
  });

  test("for people it fits into 80 columns, shows the QR code and a line for each of the six devices", async (t) => {
    const demo = start(t, "demo/main.ts", [], { TMPDIR: await tempDir(t), NO_COLOR: "1" });
    const stdout = await text(demo.child.stdout);
    assert.equal(await demo.status, 0);
    // Paths of temporary directories are as long as the machine makes them.
    const wide = stdout.split("\n").filter((line) => line.length > 80 && !line.includes("latchkey-demo-"));
    assert.deepEqual(wide, []);
    assert.ok(!stdout.includes("✗"));
    assert.ok(stdout.split("\n").filter((line) => /^ {3}[█▀▄ ]{40,}$/.test(line)).length > 20, "a QR code is drawn");
    for (const name of [
      "Ada's phone",
      "Ben's phone",
      "Cleo's phone",
      "Cleo's laptop",
      "Cleo's new phone",
      "Dan's phone",
    ]) {
      assert.match(stdout, new RegExp(`^ +${name} +[0-9a-f]{8} +6 +[0-9a-f]{16} +4 +6$`, "m"));
    }
  });

  test("stopped by Ctrl-C it exits with 130, says so, and leaves no file", async (t) => {
    const temporary = await tempDir(t);
    const demo = start(t, "demo/main.ts", [], { TMPDIR: temporary });
    for await (const line of demo.lines()) {
      if (line.startsWith("2. ")) demo.child.kill("SIGINT");
    }
    assert.equal(await demo.status, 130);
    assert.match(await demo.stderr, /stopped by the user/);
    assert.deepEqual(await readdir(temporary), []);
  });
});
