import assert from "node:assert/strict";
import { test } from "node:test";
import { LatchkeyError, type Message } from "@latchkey/client";
import { fromHex } from "@latchkey/mls";
import { codesOf, link } from "./linking.ts";
import { World, type Wrap } from "./support.ts";

function facts(messages: readonly Message[]) {
  return messages.map(
    ({ id, sequenceId, senderInboxId, senderInstallationId, sentAtNs, contentType, text, content }) => {
      return { id, sequenceId, senderInboxId, senderInstallationId, sentAtNs, contentType, text, content };
    },
  );
}

test("DEV-09 the last messages of each group come along, with senders and times, marked as brought", async (t) => {
  const world = await World.start(t);
  const { admin, adminGroup, memberGroup } = await world.group();
  for (let index = 0; index < 6; index++) await (index % 2 === 0 ? adminGroup : memberGroup).send(`message ${index}`);
  await admin.client.conversations.sync();
  const outcome = await link(t, world, admin, "phone", { shows: "old", old: { history: 4 } });
  assert.deepEqual(codesOf(outcome), { old: undefined, new: undefined });
  assert.deepEqual(outcome.linked?.history, { messages: 4, isComplete: true });
  const group = outcome.client?.conversations.get(adminGroup.id);
  assert.ok(group !== undefined);
  const brought = group.messages();
  assert.deepEqual(facts(brought), facts(adminGroup.messages().slice(-4)));
  assert.deepEqual(new Set(brought.map(({ broughtBy }) => broughtBy)), new Set([admin.client.installationId]));
  // What it reads itself is not marked, and stands behind.
  await memberGroup.send("after the link");
  await group.sync();
  assert.deepEqual(group.messages().at(-1)?.broughtBy, undefined);
  assert.deepEqual(group.messages().at(-1)?.text, "after the link");
  assert.deepEqual(outcome.steps.new.at(-1), { step: "history", messages: 4 });
});

test("DEV-09 history: 0 brings nothing, and a group that the new device is not in gets none", async (t) => {
  const world = await World.start(t);
  const { admin, adminGroup } = await world.group();
  await adminGroup.send("before");
  const outcome = await link(t, world, admin, "phone", { shows: "new", old: { history: 0 } });
  assert.deepEqual(outcome.linked?.history, { messages: 0, isComplete: true });
  assert.deepEqual(outcome.client?.conversations.get(adminGroup.id)?.messages(), []);
});

test("DEV-09 a hostile device of one's own brings nothing ahead of the log, no text of its own, and no group", async (t) => {
  const world = await World.start(t);
  const { admin, adminGroup, memberGroup } = await world.group();
  await memberGroup.send("genuine");
  await admin.client.conversations.sync();
  const { store } = admin.environment;
  const [row] = store.messages.list(fromHex(adminGroup.id));
  assert.ok(row !== undefined);
  const ahead = { ...row, id: 1n << 40n, messageId: "11".repeat(32) };
  const due = { ...row, id: row.id - 1n, messageId: "22".repeat(32) };
  store.transaction(({ messages, expiries }) => {
    messages.put({ ...row, text: "a text that its content does not have", contentType: "example.org/other:1.0" });
    messages.put(ahead);
    messages.put(due);
    expiries.put({ groupId: row.groupId, expiresAtNs: 1n, id: due.id });
  });
  const outcome = await link(t, world, admin, "phone", { shows: "old" });
  const { client, environment } = outcome;
  assert.ok(client !== undefined);
  const group = client.conversations.get(adminGroup.id);
  assert.deepEqual(
    group?.messages().map(({ text, contentType, broughtBy }) => [text, contentType, broughtBy]),
    [["genuine", "xmtp.org/text:1.0", admin.client.installationId]],
  );
  assert.equal(environment.store.groups.list().length, 1);
  // All were confirmed as taken: what becomes of them is the new device's own matter.
  assert.deepEqual(outcome.linked?.history, { messages: 3, isComplete: true });
});

test("DEV-09 a history that breaks off keeps what came, and the link holds", async (t) => {
  const world = await World.start(t);
  const { admin, adminGroup, memberGroup } = await world.group();
  for (let index = 0; index < 7; index++) await memberGroup.send(`${index} ${"x".repeat(500_000)}`);
  await admin.client.conversations.sync();
  let uploads = 0;
  const broken: Wrap = (environment) => ({
    ...environment,
    slots: {
      ...environment.slots,
      upload: (slot, blob, signal) => {
        // Parts have a mebibyte each; the third one never leaves.
        if (blob.length > 1_000_000 && ++uploads > 2) return Promise.reject(new LatchkeyError("NODE_REJECTED", "no"));
        return environment.slots.upload(slot, blob, signal);
      },
    },
  });
  await world.restart(admin, broken);
  const outcome = await link(t, world, admin, "phone", { shows: "old" });
  assert.equal(outcome.linked?.history.isComplete, false);
  const kept = outcome.client?.conversations.get(adminGroup.id)?.messages() ?? [];
  assert.deepEqual(
    kept.map(({ text }) => text?.slice(0, 1)),
    ["0", "1", "2", "3"],
  );
});
