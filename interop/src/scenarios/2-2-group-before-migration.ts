import assert from "node:assert/strict";
import { assertAgree, ourGroup, ourTexts } from "../mixed.ts";
import { textsOf } from "../native.ts";
import type { Scenario } from "../stage.ts";

export const scenario: Scenario = {
  title: "2.2 ours in a native group of the form before app data: what happens today",
  async run({ native, ours, step }) {
    const [ana, ben] = [await native("ana"), await native("ben")];
    const mine = await ours("mine");
    const onAna = await ana.client.conversations().createGroup([ben.inboxId], { groupName: "lake" });
    const onBen = await ben.group(onAna.id());
    const unsupported = () => mine.conversations.listUnsupported().map(({ id }) => id);

    await step("our client does not open a group of that form, and says so; the native clients go on", async () => {
      await onAna.addMembers([mine.inboxId]);
      await onAna.sendText("hello");
      assert.deepEqual(await mine.conversations.sync(), []);
      assert.deepEqual(mine.conversations.list(), []);
      assert.deepEqual(unsupported(), [onAna.id()]);
      assert.equal((await textsOf(onBen)).at(-1), "hello");
    });

    await step("our client is not harmed: it gets into other groups all the same", async () => {
      const other = await ana.client.conversations().createGroup([]);
      await other.unstable.enableProposals({});
      await other.addMembers([mine.inboxId]);
      await other.sendText("in the other group");
      assert.deepEqual(await ourTexts(await ourGroup(mine, other.id())), ["in the other group"]);
    });

    await step("once the group is migrated, removing and adding our inbox brings it in", async () => {
      await onAna.unstable.enableProposals({});
      assert.equal((await mine.conversations.sync()).length, 0);
      await onAna.removeMembers([mine.inboxId]);
      await onAna.addMembers([mine.inboxId]);
      const group = await ourGroup(mine, onAna.id());
      await group.send("here now");
      assert.deepEqual(unsupported(), []);
      assert.equal((await textsOf(onBen)).at(-1), "here now");
      await assertAgree([group], [onAna, onBen]);
    });
  },
};
