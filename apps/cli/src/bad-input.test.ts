import assert from "node:assert/strict";
import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, test, type TestContext } from "node:test";
import { createNodeClient, encodePng, generatedSigner } from "@latchkey/client/node";
import { createNode } from "@latchkey/node";
import { field, lastJson, tempDir, User, type Ended } from "./testing/command.ts";

/** Two nodes that are up, an invite at the one, and somebody registered at the other. */
async function scene(t: TestContext) {
  const directory = await tempDir(t);
  const here = await createNode({ dataDir: join(directory, "here") });
  t.after(() => here.close());
  const options = { dbPath: join(directory, "admin.db"), nodeUrl: here.url };
  const admin = await createNodeClient(generatedSigner(), options);
  t.after(() => admin.close());
  const group = await admin.conversations.createGroup([], { name: "Team" });
  const invite = await group.createInvite();
  const user = new User(join(directory, "user"));
  await user.run("init", "--node", here.url);
  return { directory, here, invite, user };
}

function errorOf(ended: Ended): { code: unknown; retryable: unknown } {
  const { code, retryable } = field(lastJson(ended.stdout), "error");
  return { code, retryable };
}

/** What joins leave in the tables of a client, as counts. */
function tracesOf(user: User): Record<string, unknown> {
  const database = new DatabaseSync(join(user.home, "latchkey.db"), { readOnly: true });
  try {
    const count = (table: string) => database.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.["n"];
    return {
      joins: count("joins"),
      groups: count("groups"),
      rows: count("group_rows"),
      followUps: count("follow_ups"),
    };
  } finally {
    database.close();
  }
}

const NOTHING = { joins: 0, groups: 0, rows: 0, followUps: 0 };

describe("bad input", () => {
  test("a damaged link: exit 3, INVITE_MALFORMED, nothing written, and the link is not repeated", async (t) => {
    const { invite, user } = await scene(t);
    const hash = invite.url.indexOf("#") + 1;
    const damaged = [
      invite.url.slice(0, -9),
      invite.url.slice(0, hash),
      invite.url.slice(0, hash) + invite.url.slice(hash + 3),
      `https://latchkey.link/i#${"A".repeat(100_000)}`,
    ];
    for (const command of ["join", "inspect"]) {
      for (const link of command === "join" ? damaged : damaged.slice(0, 2)) {
        const ended = await user.try(command, link);
        assert.equal(ended.status, 3, ended.stdout);
        assert.deepEqual(errorOf(ended), { code: "INVITE_MALFORMED", retryable: false });
        assert.ok(!ended.stdout.includes(invite.url.slice(hash + 4, hash + 20)));
      }
    }
    assert.deepEqual(tracesOf(user), NOTHING);
  });

  test("an image without a QR code, a damaged image, and one of a kind that is not read: exit 3, INVITE_NO_QR", async (t) => {
    const { directory, invite, user } = await scene(t);
    const blank = encodePng(Array.from({ length: 40 }, () => Array.from({ length: 40 }, () => false)));
    const heic = Buffer.from("\0\0\0\x18ftypheic\0\0\0\0heicmif1", "latin1");
    const files = { "blank.png": blank, "cut.png": invite.toQR("png").subarray(0, 300), "photo.heic": heic };
    for (const [name, bytes] of Object.entries(files)) {
      const file = join(directory, name);
      await writeFile(file, bytes);
      for (const command of ["join", "inspect"]) {
        const ended = await user.try(command, file);
        assert.equal(ended.status, 3, ended.stdout);
        assert.deepEqual(errorOf(ended), { code: "INVITE_NO_QR", retryable: false });
      }
    }
    assert.deepEqual(tracesOf(user), NOTHING);
  });

  test("a file that is not there: exit 2, FILE_UNREADABLE", async (t) => {
    const user = new User(await tempDir(t));
    const ended = await user.try("inspect", "no-such.png");
    assert.equal(ended.status, 2);
    assert.deepEqual(errorOf(ended), { code: "FILE_UNREADABLE", retryable: false });
  });

  test("a data directory that cannot be, and an image that cannot be written: exit 2, FILE_…", async (t) => {
    const { directory, here, user } = await scene(t);
    const file = join(directory, "file");
    await writeFile(file, "");
    const refused = await new User(join(file, "home")).try("init", "--node", here.url);
    assert.equal(refused.status, 2);
    assert.deepEqual(errorOf(refused), { code: "FILE_UNREADABLE", retryable: false });
    await user.run("group", "create", "Mine");
    const ended = await user.try("invite", "create", "Mine", "--qr-png", join(directory, "none", "invite.png"));
    assert.equal(ended.status, 2);
    assert.deepEqual(errorOf(ended), { code: "FILE_UNWRITABLE", retryable: false });
  });

  test("a wallet key that is no number of the curve: exit 2, KEY_FILE_INVALID", async (t) => {
    const directory = await tempDir(t);
    for (const digits of ["00".repeat(32), "ff".repeat(32)]) {
      const key = join(directory, "key");
      await writeFile(key, digits);
      const ended = await new User(join(directory, "home")).try("init", "--key-file", key);
      assert.equal(ended.status, 2);
      assert.deepEqual(errorOf(ended), { code: "KEY_FILE_INVALID", retryable: false });
    }
  });

  test("a link for an unknown slot: exit 4, INVITE_UNKNOWN_SLOT, nothing written", async (t) => {
    const { directory, here, user } = await scene(t);
    // A service that has lost everything: another one at the same address.
    const before = await createNode({ dataDir: join(directory, "before") });
    const options = { dbPath: join(directory, "other.db"), nodeUrl: here.url, inviteServiceUrl: before.url };
    const other = await createNodeClient(generatedSigner(), options);
    t.after(() => other.close());
    const group = await other.conversations.createGroup([], { name: "Lost" });
    const { url } = await group.createInvite();
    await before.close();
    const after = await createNode({ dataDir: join(directory, "after"), port: before.port });
    t.after(() => after.close());
    const ended = await user.try("join", url, "--timeout", "5s");
    assert.equal(ended.status, 4, ended.stdout);
    assert.deepEqual(errorOf(ended), { code: "INVITE_UNKNOWN_SLOT", retryable: true });
    assert.deepEqual(tracesOf(user), NOTHING);
  });

  test("a node that is down: exit 4, NODE_UNREACHABLE with the time to wait; nothing half-written", async (t) => {
    const { directory, here, invite, user } = await scene(t);
    await user.run("group", "create", "Mine");
    const before = tracesOf(user);
    await here.close();
    const commands = [
      ["group", "list"],
      ["group", "create", "More"],
      ["read", "Mine"],
      ["join", invite.url, "--timeout", "5s"],
    ];
    for (const args of commands) {
      const ended = await user.try(...args);
      assert.equal(ended.status, 4, `${args.join(" ")}: ${ended.stdout}`);
      assert.deepEqual(errorOf(ended), { code: "NODE_UNREACHABLE", retryable: true });
      assert.ok(Number(field(lastJson(ended.stdout), "error")["retryAfterMs"]) > 0);
      assert.deepEqual(tracesOf(user), before);
    }
    const fresh = new User(join(directory, "fresh"));
    const refused = await fresh.try("init", "--node", here.url);
    assert.equal(refused.status, 4);
    assert.equal(errorOf(await fresh.try("whoami")).code, "NOT_INITIALISED");
  });

  test("init after the node came back goes on with the same key", async (t) => {
    const directory = await tempDir(t);
    const first = await createNode({ dataDir: join(directory, "node") });
    await first.close();
    const user = new User(join(directory, "user"));
    assert.equal((await user.try("init", "--node", first.url)).status, 4);
    const key = await readFile(join(user.home, "wallet.key"), "utf8");
    const second = await createNode({ dataDir: join(directory, "node") });
    t.after(() => second.close());
    assert.equal((await user.run("init", "--node", second.url))["keyCreated"], false);
    assert.equal(await readFile(join(user.home, "wallet.key"), "utf8"), key);
  });

  test("a database of a newer version: exit 3, STORE_VERSION, the file untouched", async (t) => {
    const { user } = await scene(t);
    const file = join(user.home, "latchkey.db");
    const database = new DatabaseSync(file);
    database.exec("PRAGMA journal_mode = DELETE; PRAGMA user_version = 1000");
    database.close();
    const bytes = await readFile(file);
    const { mtimeMs } = await stat(file);
    for (const args of [["whoami"], ["group", "list"], ["init"]]) {
      const ended = await user.try(...args);
      assert.equal(ended.status, 3, ended.stdout);
      assert.deepEqual(errorOf(ended), { code: "STORE_VERSION", retryable: false });
    }
    assert.deepEqual(await readFile(file), bytes);
    assert.equal((await stat(file)).mtimeMs, mtimeMs);
  });
});
