import assert from "node:assert/strict";
import { epochAuthenticatorStart, epochOf, sign, textsOf } from "../native.ts";
import type { Scenario } from "../stage.ts";

export const scenario: Scenario = {
  title: "1.8 native clients on our node: everything is sent twice",
  async run({ native, step, wire }) {
    wire.repeatWrites(true);

    const [ana, ben] = await step("an inbox registered twice has one identity update, one installation", async () => {
      const clients = [await native("ana"), await native("ben")] as const;
      for (const { client } of clients) assert.equal((await client.inboxState(true)).installations.length, 1);
      return clients;
    });

    const group = await step("a group is found once, and its first commit counts once", async () => {
      const created = await ana.client.conversations().createGroup([ben.inboxId]);
      await ben.group(created.id());
      assert.equal(ben.client.conversations().list().length, 1);
      return created;
    });

    await step("texts arrive once each and in order", async () => {
      const expected: string[] = [];
      for (let index = 0; index < 20; index++) {
        await (await (index % 2 === 0 ? ana : ben).group(group.id())).sendText(`text ${index}`);
        expected.push(`text ${index}`);
      }
      for (const client of [ana, ben]) assert.deepEqual(await textsOf(await client.group(group.id())), expected);
    });

    await step("a text sent twice with one idempotency key is one message", async () => {
      const before = (await textsOf(group)).length;
      await group.sendText("once", { idempotencyKey: "key" });
      await group.sendText("once", { idempotencyKey: "key" });
      assert.equal((await textsOf(await ben.group(group.id()))).length, before + 1);
    });

    await step("commits count once: epochs rise by one each", async () => {
      const before = await epochOf(group);
      await group.updateGroupName("one");
      await group.updateGroupName("two");
      assert.equal(await epochOf(group), before + 2n);
      const onBen = await ben.group(group.id());
      assert.equal(await epochOf(onBen), before + 2n);
      assert.equal(await epochAuthenticatorStart(onBen), await epochAuthenticatorStart(group));
    });

    await step("a second installation and its revocation are each stored once", async () => {
      const phone = await native("ben-phone", ben.wallet);
      const request = await ben.client.revokeInstallationsSignatureRequest([phone.client.installationIdBytes()]);
      await sign(request, ben.wallet);
      await ben.client.applySignatureRequest(request);
      assert.equal((await ben.client.inboxState(true)).installations.length, 1);
    });

    await step("writes were repeated indeed", async () => {
      assert.ok(wire.repeated > 30, `${wire.repeated} writes`);
    });
  },
};
