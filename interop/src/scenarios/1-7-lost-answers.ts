import assert from "node:assert/strict";
import { epochAuthenticatorStart, textsOf } from "../native.ts";
import type { Scenario } from "../stage.ts";

export const scenario: Scenario = {
  title: "1.7 native clients on our node: every 4th answer is lost",
  async run({ native, step, wire }) {
    wire.loseEvery(4);

    const [ana, ben, eva] = await step("inboxes and installations register all the same, each once", async () => {
      const clients = [await native("ana"), await native("ben"), await native("eva")] as const;
      for (const { client } of clients) {
        const state = await client.inboxState(true);
        assert.deepEqual(
          state.installations.map(({ id }) => id),
          [client.installationId()],
        );
      }
      return clients;
    });

    const group = await step("a group is made", async () => {
      const created = await ana.client.conversations().createGroup([ben.inboxId, eva.inboxId]);
      for (const client of [ben, eva]) assert.ok((await client.group(created.id())).isActive());
      return created;
    });

    await step("40 texts arrive once each and in order, with renames in between", async () => {
      const expected: string[] = [];
      for (let index = 0; index < 40; index++) {
        const sender = [ana, ben, eva][index % 3] ?? ana;
        const seen = await sender.group(group.id());
        if (index % 10 === 9) await seen.updateGroupName(`name ${index}`);
        await seen.sendText(`text ${index}`);
        expected.push(`text ${index}`);
      }
      for (const client of [ana, ben, eva]) {
        const seen = await client.group(group.id());
        assert.deepEqual(await textsOf(seen), expected);
        assert.equal(seen.groupName(), "name 39");
      }
    });

    await step("a member is added and another removed", async () => {
      const kim = await native("kim");
      await group.addMembers([kim.inboxId]);
      await group.removeMembers([eva.inboxId]);
      await group.sendText("hello kim");
      assert.deepEqual(await textsOf(await kim.group(group.id())), ["hello kim"]);
      const authenticators = await Promise.all(
        [ana, ben, kim].map(async (client) => epochAuthenticatorStart(await client.group(group.id()))),
      );
      assert.equal(new Set(authenticators).size, 1);
    });

    await step("answers were lost indeed", async () => {
      assert.ok(wire.lost > 40, `${wire.lost} answers`);
    });
  },
};
