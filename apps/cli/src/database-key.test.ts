import assert from "node:assert/strict";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { createNode } from "@latchkey/node";
import { field, lastJson, latchkey, tempDir, type Ended, type Json } from "./testing/command.ts";

test("SEC-09 a database is encrypted from the start or later, gets another key, and opens with no other", async (t) => {
  const directory = await tempDir(t);
  const node = await createNode({ dataDir: join(directory, "node") });
  t.after(() => node.close());
  const home = join(directory, "home");
  const [first, second] = [join(directory, "first.key"), join(directory, "second.key")];
  const run = (keyFile: string, ...args: string[]): Promise<Ended> =>
    latchkey([...args, "--json"], { env: { LATCHKEY_HOME: home, LATCHKEY_DB_KEY_FILE: keyFile } });
  const done = async (keyFile: string, ...args: string[]): Promise<Json> => {
    const { status, stdout } = await run(keyFile, ...args);
    assert.equal(status, 0, stdout);
    return lastJson(stdout);
  };
  const refused = async (keyFile: string, code: string) => {
    const { status, stdout } = await run(keyFile, "whoami");
    assert.equal(status, 2, stdout);
    assert.equal(field(lastJson(stdout), "error")["code"], code);
  };
  const { inboxId } = await done(first, "init", "--node", node.url);
  assert.equal((await stat(first)).mode & 0o777, 0o600);
  assert.match((await readFile(first, "utf8")).trim(), /^0x[0-9a-f]{64}$/);
  await done(first, "group", "create", "A name that stands nowhere");
  assert.ok(!(await readFile(join(home, "latchkey.db"))).includes("A name that stands nowhere"));
  await refused("", "STORE_KEY_MISSING");

  assert.deepEqual(await done(first, "rekey", "--new-key-file", second), {
    ok: true,
    encrypted: true,
    keyFile: second,
  });
  await refused(first, "STORE_KEY_WRONG");

  assert.equal((await done(second, "rekey", "--decrypt"))["encrypted"], false);
  await refused(second, "STORE_NOT_ENCRYPTED");
  assert.equal((await done("", "whoami"))["inboxId"], inboxId);
  assert.equal((await run("", "rekey")).status, 2);
});
