import assert from "node:assert/strict";
import { collect, textOf, textsOf } from "../native.ts";
import type { NativeGroup, NativeMessage } from "../native-library.ts";
import type { Scenario } from "../stage.ts";

/** Messages sent while streams are open. */
const BURST = 30;

export const scenario: Scenario = {
  title: "1.2 native clients on our node: streams",
  async run({ native, step }) {
    const [ana, ben] = [await native("ana"), await native("ben")];

    const { group, onBen } = await step("a stream of conversations delivers a new group", async () => {
      const conversations = await collect<NativeGroup>((...handlers) => ben.client.conversations().stream(...handlers));
      const created = await ana.client.conversations().createGroup([ben.inboxId]);
      const delivered = await conversations.until((item) => item.id() === created.id(), "the new group");
      await conversations.end();
      return { group: created, onBen: delivered };
    });

    await step("a stream of one group delivers texts in order, each once", async () => {
      const messages = await collect<NativeMessage>((...handlers) => onBen.stream(...handlers));
      const expected = Array.from({ length: BURST }, (_, index) => `text ${index}`);
      for (const text of expected) await group.sendText(text);
      await messages.until((item) => textOf(item) === expected.at(-1), "the last text");
      assert.deepEqual(
        messages.items.flatMap((item) => textOf(item) ?? []),
        expected,
      );
      await messages.end();
    });

    await step("a stream of all messages spans groups, also those made after it was opened", async () => {
      const messages = await collect<NativeMessage>((...handlers) =>
        ben.client.conversations().streamAllMessages(...handlers),
      );
      const other = await ana.client.conversations().createGroup([ben.inboxId]);
      await other.sendText("in the new group");
      await group.sendText("in the old group");
      const [inNew, inOld] = await Promise.all([
        messages.until((item) => textOf(item) === "in the new group", "the text of the new group"),
        messages.until((item) => textOf(item) === "in the old group", "the text of the old group"),
      ]);
      assert.deepEqual([inNew.convoId, inOld.convoId], [other.id(), group.id()]);
      await messages.end();
    });

    await step("messages of a time without stream are there after a sync", async () => {
      await group.sendText("nobody listens");
      assert.equal((await textsOf(onBen)).at(-1), "nobody listens");
    });

    await step("a commit and a text behind it pass through an open stream", async () => {
      const messages = await collect<NativeMessage>((...handlers) => onBen.stream(...handlers));
      await group.updateGroupName("renamed");
      await group.sendText("after the commit");
      await messages.until((item) => textOf(item) === "after the commit", "the text after the commit");
      assert.equal(onBen.groupName(), "renamed");
      await messages.end();
    });
  },
};
