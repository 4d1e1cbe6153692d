import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { Client, LatchkeyError } from "@latchkey/client";
import { generatedSigner, nodeEnvironment } from "@latchkey/client/node";
import { createNode } from "@latchkey/node";
import { dataDirAt, readConfig } from "./data-dir.ts";
import { readKey } from "./key-file.ts";
import { field, lastJson, latchkey, tempDir, User, type Json } from "./testing/command.ts";

/** Queues texts in the only group of a user, whose line is cut behind its node's acceptance or before. */
async function queueTexts(user: User, nodeUrl: string, texts: readonly string[]): Promise<void> {
  const { keyFile } = (await readConfig(dataDirAt(user.home, {}))) ?? { keyFile: "" };
  const dbPath = join(user.home, "latchkey.db");
  const environment = nodeEnvironment({ dbPath, nodeUrl, keepInvitesFresh: false });
  const cut = () => Promise.reject(new LatchkeyError("NODE_UNREACHABLE", "made up by a test", { retryable: true }));
  const transport = { ...environment.transport, sendGroupMessages: cut };
  const client = await Client.create(generatedSigner(await readKey(keyFile)), { ...environment, transport });
  const [group] = client.conversations.list();
  assert.ok(group !== undefined);
  for (const text of texts) await assert.rejects(group.send(text), { code: "NODE_UNREACHABLE" });
  client.close();
}

const queueOf = (json: Json) => json["queue"] as { id: string; text: string; state: string; error: string | null }[];

test("TRU-16: what waits and what failed is listed, and can be cancelled without network", async (t) => {
  const directory = await tempDir(t);
  const node = await createNode({ dataDir: join(directory, "node") });
  let isOpen = true;
  t.after(() => (isOpen ? node.close() : undefined));
  const [ada, ben] = [new User(join(directory, "ada")), new User(join(directory, "ben"))];
  for (const user of [ada, ben]) await user.run("init", "--node", node.url);
  const benId = String((await ben.run("whoami"))["inboxId"]);
  await ada.run("group", "create", "Team", "--member", benId);
  await ben.run("group", "list");

  // The same key is the same message.
  const once = [await ben.run("send", "Team", "pay 10", "--key", "order 1")];
  once.push(await ben.run("send", "Team", "pay 10", "--key", "order 1"));
  assert.deepEqual(once[0], once[1]);
  const other = await ben.try("send", "Team", "pay 20", "--key", "order 1");
  assert.equal(field(lastJson(other.stdout), "error")["code"], "ARGUMENT_INVALID");

  await queueTexts(ben, node.url, ["written on the train", "and this\u001b[2K"]);
  await ada.run("group", "remove", "Team", benId);
  const read = await ben.run("read", "Team");
  assert.deepEqual(
    queueOf(read).map(({ text, state, error }) => [text, state, error]),
    [
      ["written on the train", "failed", "NOT_A_MEMBER"],
      ["and this\u001b[2K", "failed", "NOT_A_MEMBER"],
    ],
  );
  const shown = await latchkey(["read", "Team"], { env: { LATCHKEY_HOME: ben.home } });
  assert.equal(shown.stderr, "");
  assert.match(shown.stdout, /not sent: NOT_A_MEMBER {2}written on the train\n/);
  assert.doesNotMatch(shown.stdout, /\u001b\[2K/);

  await node.close();
  isOpen = false;
  const [first, second] = queueOf(read).map(({ id }) => id);
  const cancelled = await ben.run("cancel", "Team", (first ?? "").slice(0, 12));
  assert.deepEqual([cancelled["cancelled"], cancelled["mayHaveLeft"]], [true, true]);
  const human = await latchkey(["cancel", "Team", second ?? ""], { env: { LATCHKEY_HOME: ben.home } });
  // The first one stood in its way, so that it never left.
  assert.match(human.stdout, /cancelled; nobody has read it/);
  for (const id of [first ?? "", ""]) {
    assert.equal(field(lastJson((await ben.try("cancel", "Team", id)).stdout), "error")["code"], "USAGE");
  }
});
