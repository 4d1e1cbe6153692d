import assert from "node:assert/strict";
import type { Message } from "@latchkey/client";
import { assertAgree, ourGroup, ourTexts } from "../mixed.ts";
import { collect, textOf, textsOf } from "../native.ts";
import type { NativeMessage } from "../native-library.ts";
import type { Scenario } from "../stage.ts";

/** Texts sent through open streams. */
const BURST = 20;

export const scenario: Scenario = {
  title: "3.3 native clients and ours: streams and restarts",
  async run({ native, ours, newWallet, node, step }) {
    const wallet = newWallet();
    let mine = await ours("mine", wallet);
    let ana = await native("ana");
    const created = await mine.conversations.createGroup([ana.inboxId]);
    const texts = Array.from({ length: BURST }, (_, index) => `text ${index}`);

    await step("a native stream delivers what ours send, in order", async () => {
      const onAna = await ana.group(created.id);
      const stream = await collect<NativeMessage>((...handlers) => onAna.stream(...handlers));
      for (const text of texts) await created.send(text);
      await stream.until((message) => textOf(message) === texts.at(-1), "the last text");
      assert.deepEqual(
        stream.items.flatMap((message) => textOf(message) ?? []),
        texts,
      );
      await stream.end();
    });

    await step("a stream of ours delivers what the native client sends, through a rename of its", async () => {
      const onAna = await ana.group(created.id);
      const stop = new AbortController();
      const stream = created.stream({ signal: stop.signal });
      const received: Message[] = [];
      const done = (async () => {
        for await (const message of stream) {
          received.push(message);
          if (message.text === "the last") return;
        }
      })();
      for (const text of texts) await onAna.sendText(`native ${text}`);
      await onAna.updateGroupName("renamed amid");
      await onAna.sendText("the last");
      await done;
      stop.abort();
      const fromAna = received.filter(({ senderInboxId }) => senderInboxId === ana.inboxId).map(({ text }) => text);
      assert.deepEqual(fromAna.slice(-BURST - 1), [...texts.map((text) => `native ${text}`), "the last"]);
      assert.equal(created.name, "renamed amid");
    });

    await step("both clients are closed and opened again: same group, and what came meanwhile", async () => {
      await (await ana.group(created.id)).sendText("while ours were away");
      mine = await ours("mine", wallet);
      ana = await native("ana", ana.wallet);
      const group = await ourGroup(mine, created.id);
      assert.equal((await ourTexts(group)).at(-1), "while ours were away");
      await group.send("back again");
      const onAna = await ana.group(created.id);
      assert.equal((await textsOf(onAna)).at(-1), "back again");
      await assertAgree([group], [onAna]);
    });

    for (const how of ["close", "kill"] as const) {
      const words = { close: "stopped", kill: "killed" }[how];
      await step(`the node is ${words} and started again: commits and texts go on`, async () => {
        const group = await ourGroup(mine, created.id);
        const onAna = await ana.group(created.id);
        await node.restart(how);
        await onAna.updateGroupName(`renamed after the node was ${words}`);
        await group.sync();
        await group.updateDescription(`described after the node was ${words}`);
        await group.send(`after the node was ${words}`);
        assert.equal((await textsOf(onAna)).at(-1), `after the node was ${words}`);
        await assertAgree([group], [onAna]);
      });
    }
  },
};
