import assert from "node:assert/strict";
import { once } from "node:events";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { PassThrough, Writable } from "node:stream";
import { test, type TestContext } from "node:test";
import { createNode } from "@latchkey/node";
import { runCli } from "./run.ts";
import { lastJson, latchkey, parseJson, tempDir, User, type Json } from "./testing/command.ts";

async function world(t: TestContext) {
  const directory = await tempDir(t);
  const node = await createNode({ dataDir: join(directory, "node") });
  t.after(() => node.close());
  const laptop = new User(join(directory, "laptop"));
  await laptop.run("init", "--node", node.url);
  return { directory, node, laptop };
}

/** A command that is under way in this process: its JSON lines as they come, and its standard input. */
function running(home: string, ...args: string[]) {
  const lines: Json[] = [];
  const stdin = new PassThrough();
  const seen = new PassThrough();
  const stdout = new Writable({
    write(chunk: Buffer, _, done) {
      for (const line of chunk.toString().trimEnd().split("\n")) lines.push(parseJson(line));
      seen.emit("line");
      done();
    },
  });
  const status = runCli([...args, "--json"], {
    stdin,
    stdout,
    stderr: { write: () => undefined },
    env: { ...process.env, LATCHKEY_HOME: home },
    signal: new AbortController().signal,
  });
  return {
    stdin,
    lines,
    status,
    /** The line of a step, once it is there. */
    async step(name: string): Promise<Json> {
      for (;;) {
        const found = lines.find(({ step }) => step === name);
        if (found !== undefined) return found;
        await Promise.race([once(seen, "line"), status.then(() => Promise.reject(new Error(JSON.stringify(lines))))]);
      }
    },
  };
}

for (const [id, shows] of [
  ["DEV-05", "new"],
  ["DEV-06", "old"],
] as const) {
  test(`${id} device link: the ${shows} device shows the code as text and picture, and history comes along`, async (t) => {
    const { directory, node, laptop } = await world(t);
    await laptop.run("group", "create", "Reading circle");
    await laptop.run("send", "Reading circle", "before the phone");
    const phoneHome = join(directory, "phone");
    const png = join(directory, "device.png");
    const at = (home: string, ...args: string[]) => running(home, "device", "link", ...args, "--node", node.url);
    const [first, second] = shows === "new" ? [phoneHome, laptop.home] : [laptop.home, phoneHome];
    const showing = at(first, "--qr-png", png);
    assert.match(String((await showing.step("code"))["code"]), /^LATCHKEY-LINK:[A-Z2-7]+$/);
    assert.equal((await stat(png)).mode & 0o077, 0);
    // The other device reads the picture.
    const reading = at(second, png);
    const [old, phone] = shows === "new" ? [reading, showing] : [showing, reading];
    const { digits } = await phone.step("digits");
    await old.step("type-digits");
    old.stdin.write(`${String(digits)}\n`);
    assert.deepEqual(await Promise.all([old.status, phone.status]), [0, 0], JSON.stringify([old.lines, phone.lines]));
    const { inboxId } = await laptop.run("whoami");
    const linked = phone.lines.at(-1);
    assert.deepEqual([linked?.["linked"], linked?.["inboxId"], linked?.["groups"]], [true, inboxId, 1]);
    const done = old.lines.at(-1);
    assert.deepEqual([done?.["addedTo"], done?.["missed"]], [1, []]);
    assert.deepEqual(done?.["history"], { messages: 1, isComplete: true });
    // It opens without any wallet's key.
    const user = new User(phoneHome);
    await user.run("send", "Reading circle", "from the phone");
    const read = await laptop.run("read", "Reading circle");
    assert.match(JSON.stringify(read), /before the phone.*from the phone/);
    await assert.rejects(stat(join(phoneHome, "wallet.key")));
  });
}

test("device link ends with wrong digits, for programs by code and exit status", async (t) => {
  const { directory, node, laptop } = await world(t);
  const showing = running(laptop.home, "device", "link");
  const code = String((await showing.step("code"))["code"]);
  const phone = running(join(directory, "phone"), "device", "link", code, "--node", node.url);
  const { digits } = await phone.step("digits");
  await showing.step("type-digits");
  showing.stdin.write(`${String(digits) === "000000" ? "000001" : "000000"}\n`);
  assert.deepEqual(await Promise.all([showing.status, phone.status]), [3, 3]);
  const codeOf = (json: Json | undefined) => (json?.["error"] as Json)["code"];
  assert.deepEqual([codeOf(showing.lines.at(-1)), codeOf(phone.lines.at(-1))], ["LINK_FAILED", "LINK_FAILED"]);
  // A link is no invite, and an invite links nothing.
  const joined = await laptop.try("join", code, "--yes");
  assert.deepEqual([joined.status, codeOf(lastJson(joined.stdout))], [3, "INVITE_WRONG_KIND"]);
  const linked = await laptop.try("device", "link", "latchkey:Ch4SEA", "--yes");
  assert.deepEqual([linked.status, codeOf(lastJson(linked.stdout))], [3, "LINK_MALFORMED"]);
  assert.equal((await laptop.try("device", "link", "--history", "many")).status, 2);
});

test("DEV-10 device recovery: the words open the inbox on a fresh device, and revoke the lost one", async (t) => {
  const { directory, node, laptop } = await world(t);
  await laptop.run("group", "create", "Reading circle");
  const { inboxId, installationId } = await laptop.run("whoami");
  const made = await laptop.try("device", "recovery");
  assert.equal(made.status, 0, made.stdout);
  const { words } = parseJson(made.stdout.split("\n")[0] ?? "");
  assert.equal(String(words).split(" ").length, 12);
  // The key of the old device holds recovery no longer.
  const again = await laptop.try("device", "recovery");
  assert.deepEqual([again.status, (lastJson(again.stdout)["error"] as Json)["code"]], [3, "NOT_RECOVERY"]);
  assert.doesNotMatch(again.stdout, /"words"/);

  const env = { LATCHKEY_HOME: join(directory, "fresh") };
  const input = `${String(words).toUpperCase()}\n`;
  const restored = await latchkey(["device", "recovery", "--restore", "--node", node.url, "--json"], { input, env });
  assert.equal(restored.status, 0, restored.stdout);
  assert.deepEqual([lastJson(restored.stdout)["inboxId"], lastJson(restored.stdout)["installations"]], [inboxId, 2]);
  await assert.rejects(stat(join(env.LATCHKEY_HOME, "wallet.key")), "the words stay on paper");
  const revoke = ["device", "revoke", String(installationId), "--words", "--json"];
  const revoked = await latchkey(revoke, { input, env });
  assert.equal(revoked.status, 0, revoked.stdout);
  const fresh = new User(env.LATCHKEY_HOME);
  const { installations } = await fresh.run("device", "list");
  assert.deepEqual(
    (installations as Json[]).map(({ isThis }) => isThis),
    [true],
  );
  const wrong = await latchkey(["device", "recovery", "--restore", "--node", node.url, "--json"], {
    input: "no words\n",
    env: { LATCHKEY_HOME: join(directory, "other") },
  });
  assert.deepEqual([wrong.status, (lastJson(wrong.stdout)["error"] as Json)["code"]], [3, "ARGUMENT_INVALID"]);
});

test("DEV-06 device link for people: the code in the terminal, and what it means", async (t) => {
  const { laptop } = await world(t);
  const stop = new AbortController();
  const texts = { stdout: "", stderr: "" };
  const stdout = new Writable({
    write(chunk: Buffer, _, done) {
      texts.stdout += chunk.toString();
      if (texts.stdout.includes("Let nobody else see it.")) stop.abort();
      done();
    },
  });
  const status = await runCli(["device", "link"], {
    stdin: new PassThrough(),
    stdout,
    stderr: { write: (text: string) => (texts.stderr += text) },
    env: { ...process.env, LATCHKEY_HOME: laptop.home },
    signal: stop.signal,
  });
  assert.equal(status, 130);
  assert.match(texts.stdout, /[▀▄█]/);
  assert.match(texts.stdout, /latchkey device link LATCHKEY-LINK:/);
  assert.match(texts.stderr, /can act as you/);
  assert.match(texts.stderr, /device recovery/);
});
