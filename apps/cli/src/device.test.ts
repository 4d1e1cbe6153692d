import assert from "node:assert/strict";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { createNode } from "@latchkey/node";
import { latchkey, lastJson, tempDir, User, type Json } from "./testing/command.ts";

async function world(t: TestContext) {
  const directory = await tempDir(t);
  const node = await createNode({ dataDir: join(directory, "node") });
  t.after(() => node.close());
  const phone = new User(join(directory, "phone"));
  await phone.run("init", "--node", node.url);
  const keyFile = join(phone.home, "wallet.key");
  const device = async (name: string) => {
    const user = new User(join(directory, name));
    await user.run("init", "--node", node.url, "--import", keyFile);
    return user;
  };
  return { directory, node, phone, keyFile, device };
}

function rows(json: Json, name: string): Json[] {
  const value = json[name];
  assert.ok(Array.isArray(value));
  return value as Json[];
}

test("DEV-12 device list and device revoke, for programs and for people", async (t) => {
  const { phone, device } = await world(t);
  const laptop = await device("laptop");
  const { installationId } = await laptop.run("whoami");
  const listed = await phone.run("device", "list");
  assert.deepEqual(
    rows(listed, "installations").map((row) => [row["isThis"], row["missingFrom"]]),
    [
      [true, []],
      [false, []],
    ],
  );
  assert.match(String(listed["recoveryIdentifier"]), /^0x[0-9a-f]{40}$/);
  const human = await latchkey(["device", "list"], { env: { LATCHKEY_HOME: phone.home } });
  assert.match(human.stdout, /^[0-9a-f]{8} {2}since .*, last seen .* UTC {2}this device$/m);

  const revoked = await phone.run("device", "revoke", String(installationId).slice(0, 10));
  assert.deepEqual(rows(revoked, "revoked"), [
    { kind: "installation", id: installationId, because: "asked", by: null },
  ]);
  assert.equal(rows(await phone.run("device", "list"), "installations").length, 1);
  const wrong = await phone.try("device", "revoke", "zz");
  assert.deepEqual([wrong.status, (lastJson(wrong.stdout)["error"] as Json)["code"]], [2, "USAGE"]);
  assert.equal((await phone.try("device", "revoke")).status, 2);
  assert.deepEqual(rows(await phone.run("device", "revoke", "--all-others"), "revoked"), []);
});

test("DEV-12 device revoke with the key alone, where no installation lives, and not with another key", async (t) => {
  const { directory, node, phone, keyFile, device } = await world(t);
  const laptop = await device("laptop");
  const { installationId } = await laptop.run("whoami");
  const stranger = new User(join(directory, "stranger"));
  await stranger.run("init", "--node", node.url);
  const strangersKey = join(stranger.home, "wallet.key");
  const refused = await phone.try("device", "revoke", String(installationId), "--key-file", strangersKey);
  assert.deepEqual([refused.status, (lastJson(refused.stdout)["error"] as Json)["code"]], [3, "NOT_RECOVERY"]);

  const nowhere = new User(join(directory, "nowhere"));
  const args = ["device", "revoke", String(installationId), "--node", node.url, "--key-file", keyFile];
  const revoked = await nowhere.run(...args);
  assert.equal(rows(revoked, "revoked")[0]?.["id"], installationId);
  assert.equal(revoked["groups"], null);
});
