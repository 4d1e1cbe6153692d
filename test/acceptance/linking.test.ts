import assert from "node:assert/strict";
import { test } from "node:test";
import { codesOf, link } from "./linking.ts";
import { groupOf, World } from "./support.ts";

for (const [id, shows, keeps] of [
  ["DEV-05", "new", "with a wallet at hand"],
  ["DEV-06", "old", "with a wallet at hand"],
  ["DEV-05", "new", "without a wallet"],
  ["DEV-06", "old", "without a wallet"],
] as const) {
  test(`${id} the ${shows} device shows the code, ${keeps}: the new one is in all groups, reads and writes`, async (t) => {
    const world = await World.start(t);
    const { admin, member, adminGroup } = await world.group();
    const second = await admin.client.conversations.createGroup([member.client.inboxId], { name: "Second" });
    if (keeps === "without a wallet") await world.restart(admin, undefined, "unsigned");
    const outcome = await link(t, world, admin, "phone", { shows });
    assert.deepEqual(codesOf(outcome), { old: undefined, new: undefined });
    const { client, linked } = outcome;
    assert.ok(client !== undefined && linked !== undefined);
    assert.equal(client.inboxId, admin.client.inboxId);
    assert.deepEqual([linked.addedTo, linked.missed], [2, []]);
    assert.deepEqual(
      client.conversations
        .list()
        .map(({ id: groupId }) => groupId)
        .sort(),
      [adminGroup.id, second.id].sort(),
    );
    const group = client.conversations.get(adminGroup.id);
    assert.ok(group !== undefined);
    await group.send("from the new phone");
    await member.client.conversations.sync();
    const messages = groupOf(member, adminGroup.id).messages();
    assert.deepEqual(
      messages.map(({ text, senderInstallationId }) => [text, senderInstallationId]),
      [["from the new phone", client.installationId]],
    );
    // The inbox has one more address only where no wallet signed.
    const { accounts } = await admin.client.inboxState();
    assert.equal(accounts.length, keeps === "without a wallet" ? 2 : 1);
    const adding = outcome.steps.old.filter(({ step }) => step === "adding");
    assert.deepEqual(adding.at(-1), { step: "adding", added: 2, total: 2 });
  });
}
