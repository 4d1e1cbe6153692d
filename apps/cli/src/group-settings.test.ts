import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { createNode } from "@latchkey/node";
import { field, lastJson, latchkey, tempDir, User } from "./testing/command.ts";

test("describe, permissions, permit, rotate-keys and leave", async (t) => {
  const directory = await tempDir(t);
  const node = await createNode({ dataDir: join(directory, "node") });
  t.after(() => node.close());
  const [ada, ben] = [new User(join(directory, "ada")), new User(join(directory, "ben"))];
  for (const user of [ada, ben]) await user.run("init", "--node", node.url);
  const benId = String((await ben.run("whoami"))["inboxId"]);
  await ada.run("group", "create", "Team", "--member", benId);

  const described = await latchkey(["group", "describe", "Team", "on\u001b[2J Wednesdays"], {
    env: { LATCHKEY_HOME: ada.home },
  });
  assert.equal(described.status, 0);
  assert.match(described.stdout, /Team has the description on\ufffd\[2J Wednesdays\./);

  const before = field(await ada.run("group", "permissions", "Team"), "permissions");
  assert.equal(before["addMember"], "allow");
  await ada.run("group", "permit", "Team", "add-member", "super-admin");
  const after = field(await ben.run("group", "permissions", "Team"), "permissions");
  assert.deepEqual(after, { ...before, addMember: "super_admin" });
  const shown = await latchkey(["group", "permissions", "Team"], { env: { LATCHKEY_HOME: ben.home } });
  assert.match(shown.stdout, /^add-member +super-admin$/m);
  assert.match(shown.stdout, /^update-disappearing-messages +admin$/m);

  const refused = await ben.try("group", "permit", "Team", "add-member", "allow");
  assert.equal(refused.status, 3);
  assert.equal(field(lastJson(refused.stdout), "error")["code"], "NOT_PERMITTED");
  assert.equal((await ada.try("group", "permit", "Team", "add-friends", "allow")).status, 2);
  assert.equal((await ada.try("group", "permit", "Team", "add-member", "everybody")).status, 2);

  const { epoch } = field(await ada.run("group", "rotate-keys", "Team"), "group");
  const left = field(await ben.run("group", "leave", "Team"), "group");
  assert.deepEqual({ epoch: left["epoch"], active: left["active"] }, { epoch, active: true });
  await ada.run("group", "list");
  const members = await ada.run("group", "members", "Team");
  assert.equal((members["members"] as unknown[]).length, 1);
  const gone = await ben.run("group", "list");
  assert.equal((gone["groups"] as { active: boolean }[])[0]?.active, false);
  assert.equal((await ada.try("group", "leave", "Team")).status, 3);
});
