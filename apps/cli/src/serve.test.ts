import assert from "node:assert/strict";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test, type TestContext } from "node:test";
import { field, lastJson, latchkey, parseJson, start, tempDir, User } from "./testing/command.ts";

async function serving(t: TestContext, ...args: string[]) {
  const home = await tempDir(t);
  const server = start(t, "main.ts", ["serve", "--port", "0", "--json", ...args], { LATCHKEY_HOME: home });
  const lines = server.lines();
  const listening = parseJson(String((await lines.next()).value));
  return { home, server, lines, listening, url: String(listening["url"]) };
}

describe("serve", () => {
  test("says where it listens, answers, and stops on SIGINT and SIGTERM with exit 0", async (t) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      const { home, server, lines, listening, url } = await serving(t);
      assert.deepEqual(listening, { event: "listening", url, dataDir: join(home, "node") });
      assert.equal((await fetch(`${url}/healthz`)).status, 200);
      server.child.kill(signal);
      assert.deepEqual(parseJson(String((await lines.next()).value)), { ok: true, url, stopped: true });
      assert.equal(await server.status, 0);
      assert.equal(await server.stderr, "");
    }
  });

  test("what it was told is there again after a restart", async (t) => {
    const first = await serving(t);
    const ada = new User(join(first.home, "ada"));
    await ada.run("init", "--node", first.url);
    first.server.child.kill("SIGTERM");
    assert.equal(await first.server.status, 0);
    const second = await serving(t, "--data-dir", first.home);
    await ada.run("group", "create", "Team", "--node", second.url);
    second.server.child.kill("SIGTERM");
    assert.equal(await second.server.status, 0);
  });

  test("--json-logs writes a JSON object per event to standard error", async (t) => {
    const { server } = await serving(t, "--json-logs");
    server.child.kill("SIGTERM");
    await server.status;
    const events = (await server.stderr).trimEnd().split("\n").map(parseJson);
    assert.ok(events.length >= 2);
    for (const event of events) assert.equal(typeof event["msg"], "string");
  });

  test("a port that is taken: exit 2, LISTEN_FAILED, with advice", async (t) => {
    const { url, server } = await serving(t);
    const { port } = new URL(url);
    const { status, stdout } = await latchkey(["serve", "--port", port, "--json", "--data-dir", await tempDir(t)]);
    assert.equal(status, 2);
    assert.equal(field(lastJson(stdout), "error")["code"], "LISTEN_FAILED");
    assert.match(String(field(lastJson(stdout), "error")["message"]), /choose another with --port/);
    server.child.kill("SIGTERM");
    assert.equal(await server.status, 0);
  });

  test("options that make no sense: exit 2, and no directory is made", async (t) => {
    const home = await tempDir(t);
    for (const [option, value] of [
      ["--host", ""],
      ["--port", "70000"],
      ["--metrics-port", "x"],
      ["--public-url", "node.example"],
      ["--public-url", "https://me:secret@node.example"],
      ["--database", "mysql://db.example/latchkey"],
    ] as const) {
      const { status, stdout } = await latchkey(["serve", option, value, "--json", "--data-dir", home]);
      assert.equal(status, 2, `${option} ${value}`);
      assert.equal(field(lastJson(stdout), "error")["code"], "USAGE");
    }
    assert.deepEqual(await readdir(home), []);
  });

  test("a database server that does not answer: exit 4, no password is told, and no directory is made", async (t) => {
    const home = await tempDir(t);
    const database = "postgres://latchkey:geheim@localhost/latchkey?host=/nowhere";
    const { status, stdout, stderr } = await latchkey(["serve", "--database", database, "--json", "--data-dir", home]);
    assert.equal(status, 4);
    assert.equal(field(lastJson(stdout), "error")["code"], "STORE_FAILED");
    assert.ok(!`${stdout}${stderr}`.includes("geheim"));
    assert.deepEqual(await readdir(home), []);
  });

  test("a data directory that another node uses is refused", async (t) => {
    const { home, server } = await serving(t);
    const { status, stdout } = await latchkey(["serve", "--port", "0", "--json", "--data-dir", home]);
    assert.equal(status, 3);
    assert.equal(field(lastJson(stdout), "error")["code"], "STORE_LOCKED");
    server.child.kill("SIGTERM");
    assert.equal(await server.status, 0);
  });

  test("a damaged database: exit 3, STORE_DAMAGED, and what to do", async (t) => {
    const home = await tempDir(t);
    await mkdir(join(home, "node"));
    await writeFile(join(home, "node", "node.sqlite"), "damaged beyond recognition".repeat(1_000));
    const { status, stdout } = await latchkey(["serve", "--port", "0", "--json", "--data-dir", home]);
    assert.equal(status, 3);
    assert.equal(field(lastJson(stdout), "error")["code"], "STORE_DAMAGED");
    assert.match(String(field(lastJson(stdout), "error")["message"]), /restore the back-up/);
  });
});
