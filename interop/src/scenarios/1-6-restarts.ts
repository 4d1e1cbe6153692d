import assert from "node:assert/strict";
import { epochOf, textsOf } from "../native.ts";
import type { Scenario } from "../stage.ts";

export const scenario: Scenario = {
  title: "1.6 native clients on our node: restarts of clients and of the node",
  async run({ native, node, step }) {
    let ana = await native("ana");
    let ben = await native("ben");
    const created = await ana.client.conversations().createGroup([ben.inboxId], { groupName: "lake" });
    const id = created.id();
    const expected: string[] = [];

    async function talk(round: string): Promise<void> {
      for (const client of [ana, ben]) {
        const text = `${round}: ${client === ana ? "ana" : "ben"}`;
        await (await client.group(id)).sendText(text);
        expected.push(text);
      }
      for (const client of [ana, ben]) assert.deepEqual(await textsOf(await client.group(id)), expected);
    }

    await step("both talk", () => talk("at first"));

    await step("clients opened again are the same installations, read what came meanwhile, and write", async () => {
      const before = ben.client.installationId();
      await ben.client.close();
      await (await ana.group(id)).sendText("while ben was away");
      expected.push("while ben was away");
      ben = await native("ben", ben.wallet);
      ana = await native("ana", ana.wallet);
      assert.equal(ben.client.installationId(), before);
      await talk("after the clients' restart");
    });

    for (const how of ["close", "kill"] as const) {
      const words = { close: "stopped", kill: "killed" }[how];
      await step(`the node is ${words} and started again: nothing is lost, cursors stay valid`, async () => {
        await (await ana.group(id)).sendText(`before the node was ${words}`);
        expected.push(`before the node was ${words}`);
        await node.restart(how);
        await talk(`after the node was ${words}`);
      });
    }

    await step("commits, new members and new installations work as before", async () => {
      await (await ana.group(id)).updateGroupName("river");
      assert.equal((await ben.group(id)).groupName(), "river");
      const eva = await native("eva");
      await (await ben.group(id)).addMembers([eva.inboxId]);
      await (await eva.group(id)).sendText("eva here");
      expected.push("eva here");
      assert.deepEqual(await textsOf(await ana.group(id)), expected);
      assert.equal(await epochOf(await ana.group(id)), await epochOf(await eva.group(id)));
    });

    await step("a client that never saw the first node reads all it is entitled to", async () => {
      const phone = await native("ana-phone", ana.wallet);
      const state = await phone.client.inboxState(true);
      assert.equal(state.installations.length, 2);
    });
  },
};
