import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { fromBinary } from "@bufbuild/protobuf";
import { SendWelcomeMessagesRequestSchema } from "@latchkey/xmtp/proto";
import { epochOf, INSTALLATION_CHECK_MS, identifierOf, installationsOf, membersOf, textsOf } from "../native.ts";
import type { Scenario } from "../stage.ts";

function pointersIn(requests: readonly Uint8Array[]): number {
  return requests
    .flatMap((request) => fromBinary(SendWelcomeMessagesRequestSchema, request).messages)
    .filter(({ version }) => version.case === "welcomePointer").length;
}

export const scenario: Scenario = {
  title: "1.1 native clients on our node: inboxes, a group, messages both ways, a second installation",
  async run({ native, newWallet, step, wire, library }) {
    const [ana, ben, eva] = await step("three inboxes register", async () => {
      const clients = [await native("ana"), await native("ben"), await native("eva")] as const;
      for (const { client, inboxId, identifier, backend } of clients) {
        assert.equal(client.inboxId(), inboxId);
        assert.equal(await library.getInboxIdByIdentity(backend, identifier), inboxId);
        const id = client.installationId();
        const status = (await client.fetchKeyPackageStatusesByInstallationIds([id]))[id];
        assert.ok(status !== undefined && status.validationError === undefined, "a valid key package is on the node");
      }
      return clients;
    });

    await step("a stranger's address is not in XMTP, a member's is", async () => {
      const stranger = identifierOf(newWallet());
      const answers = await ana.client.canMessage([ben.identifier, stranger]);
      assert.deepEqual(answers, { [ben.identifier.identifier]: true, [stranger.identifier]: false });
    });

    const group = await step("one creates a group with the others, who find it", async () => {
      const created = await ana.client.conversations().createGroup([ben.inboxId, eva.inboxId], { groupName: "lake" });
      const everybody = [ana, ben, eva].map(({ inboxId }) => inboxId).sort();
      for (const client of [ana, ben, eva]) {
        const seen = await client.group(created.id());
        assert.equal(seen.groupName(), "lake");
        assert.deepEqual(await membersOf(seen), everybody);
      }
      return created;
    });

    await step("texts of all three arrive at all three, in one order", async () => {
      const expected: string[] = [];
      for (const [index, client] of [ana, ben, eva, ben, ana].entries()) {
        const text = `message ${index}: äöü 🦆`;
        await (await client.group(group.id())).sendText(text);
        expected.push(text);
      }
      for (const client of [ana, ben, eva]) {
        assert.deepEqual(await textsOf(await client.group(group.id())), expected);
      }
    });

    const second = await step("a second installation of one registers", async () => {
      const other = await native("ben-phone", ben.wallet);
      assert.equal(other.inboxId, ben.inboxId);
      assert.notEqual(other.client.installationId(), ben.client.installationId());
      const state = await ana.client.fetchInboxStatesByInboxIds([ben.inboxId], true);
      const ids = state[0]?.installations.map(({ id }) => id).sort();
      assert.deepEqual(ids, [ben.client.installationId(), other.client.installationId()].sort());
      return other;
    });

    await step("the next send brings it into the group; it reads from there on, and writes", async () => {
      await delay(INSTALLATION_CHECK_MS + 100);
      await group.sendText("welcome, phone");
      const onPhone = await second.group(group.id());
      assert.deepEqual(await textsOf(onPhone), ["welcome, phone"]);
      assert.equal((await installationsOf(group, ben.inboxId)).length, 2);
      await onPhone.sendText("from the phone");
      for (const client of [ana, ben, eva]) {
        assert.equal((await textsOf(await client.group(group.id()))).at(-1), "from the phone");
      }
    });

    await step("three new installations at once come by welcome pointers", async () => {
      const pointersBefore = pointersIn(wire.requests("SendWelcomeMessages"));
      const devices = [
        await native("eva-2", eva.wallet),
        await native("eva-3", eva.wallet),
        await native("eva-4", eva.wallet),
      ];
      await delay(INSTALLATION_CHECK_MS + 100);
      await group.sendText("welcome, all");
      for (const device of devices) {
        assert.deepEqual(await textsOf(await device.group(group.id())), ["welcome, all"]);
      }
      assert.ok(pointersIn(wire.requests("SendWelcomeMessages")) - pointersBefore >= 3, "pointers were used");
    });

    await step("all seven installations are in the same epoch", async () => {
      const epochs = await Promise.all(
        [ana, ben, eva, second].map(async (client) => epochOf(await client.group(group.id()))),
      );
      assert.equal(new Set(epochs).size, 1, `epochs ${epochs.join(", ")}`);
    });

    await step("a conversation of two goes both ways", async () => {
      const dm = await ana.client.conversations().createDm(eva.inboxId);
      await dm.sendText("just us");
      const other = await eva.group(dm.id());
      await other.sendText("yes");
      assert.deepEqual(await textsOf(dm), ["just us", "yes"]);
      assert.deepEqual(await textsOf(other), ["just us", "yes"]);
    });
  },
};
