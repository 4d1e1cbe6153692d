import assert from "node:assert/strict";
import { copyFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { createNode } from "@latchkey/node";
import { field, lastJson, latchkey, tempDir, User } from "./testing/command.ts";

test("a restored database is shown as parted, and a group can be forgotten", async (t) => {
  const directory = await tempDir(t);
  const node = await createNode({ dataDir: join(directory, "node") });
  t.after(() => node.close());
  const [ada, ben] = [new User(join(directory, "ada")), new User(join(directory, "ben"))];
  for (const user of [ada, ben]) await user.run("init", "--node", node.url);
  const benId = String((await ben.run("whoami"))["inboxId"]);
  await ada.run("group", "create", "Team", "--member", benId);
  await ben.run("group", "list");
  const database = join(ben.home, "latchkey.db");
  await copyFile(database, join(directory, "backup.db"));
  await ben.run("send", "Team", "after the backup");
  await copyFile(join(directory, "backup.db"), database);

  const shown = await latchkey(["group", "list"], { env: { LATCHKEY_HOME: ben.home } });
  assert.match(shown.stdout, /parted: the group went on without this device/);
  const refused = await ben.try("send", "Team", "what nobody could read");
  assert.equal(field(lastJson(refused.stdout), "error")["code"], "GROUP_PARTED");
  // The super admin's program adds the device again with its next synchronization.
  await ada.run("group", "list");
  const [team] = (await ben.run("group", "list"))["groups"] as { status: string; gaps: number }[];
  assert.deepEqual([team?.status, team?.gaps], ["pending", 1]);

  assert.deepEqual((await ben.run("group", "conflicts"))["conflicts"], []);
  assert.equal((await ben.try("group", "choose", "00")).status, 2);
  const forgotten = field(await ben.run("group", "forget", "Team", "--yes"), "forgotten");
  assert.equal(forgotten["name"], "Team");
  assert.deepEqual((await ben.run("group", "list"))["groups"], []);
});
