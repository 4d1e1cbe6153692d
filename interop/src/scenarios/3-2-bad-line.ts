import assert from "node:assert/strict";
import { isRetryable, type Client, type Group } from "@latchkey/client";
import { assertAgree, ourGroup, ourTexts } from "../mixed.ts";
import { textsOf, type Native } from "../native.ts";
import type { Scenario } from "../stage.ts";

/** Attempts of an application for one call; our client reports a lost answer where the native library tries again. */
const ATTEMPTS = 6;

async function withAttempts<T>(act: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await act();
    } catch (error) {
      if (!isRetryable(error) || attempt === ATTEMPTS) throw error;
    }
  }
}

/** Sends a text under a key, so that the call may be repeated: it returns the message of the first one. */
function sendOnce(group: Group, text: string): Promise<unknown> {
  return withAttempts(() => group.send(text, { idempotencyKey: text }));
}

export const scenario: Scenario = {
  title: "3.2 native clients and ours on a bad line",
  async run({ native, ours, newWallet, step, wire }) {
    let mine: Client;
    let ana: Native;
    let group: Group;

    async function talk(round: string): Promise<void> {
      const expected = await withAttempts(() => ourTexts(group));
      const onAna = await ana.group(group.id);
      for (let index = 0; index < 20; index++) {
        if (index % 2 === 0) await sendOnce(group, `ours ${round} ${index}`);
        else await onAna.sendText(`native ${round} ${index}`);
        if (index === 7) await withAttempts(() => group.updateName("named by ours"));
        if (index === 13) await onAna.updateGroupName("named by the native client");
        expected.push(`${index % 2 === 0 ? "ours" : "native"} ${round} ${index}`);
      }
      await withAttempts(() => group.sync());
      assert.deepEqual(await withAttempts(() => ourTexts(group)), expected);
      assert.deepEqual((await textsOf(onAna)).slice(-20), expected.slice(-20));
    }

    await step("every write arrives twice: inboxes, a group, and 20 texts, each once and in order", async () => {
      wire.repeatWrites(true);
      mine = await ours("mine");
      ana = await native("ana");
      group = await mine.conversations.createGroup([ana.inboxId]);
      await talk("twice");
      await assertAgree([group], [await ana.group(group.id)]);
      wire.repeatWrites(false);
    });

    await step("every 4th answer is lost: 20 texts and two renames, each once and in order", async () => {
      wire.loseEvery(4);
      await talk("lost");
      wire.loseEvery(0);
      await assertAgree([group], [await ana.group(group.id)]);
    });

    await step("every 4th answer is lost: both sides add and remove", async () => {
      wire.loseEvery(4);
      const ben = await native("ben");
      const wallet = newWallet();
      const second = await withAttempts(() => ours("second", wallet));
      await withAttempts(() => group.addMembers([ben.inboxId]));
      const onAna = await ana.group(group.id);
      await onAna.addMembers([second.inboxId]);
      const onSecond = await withAttempts(() => ourGroup(second, group.id));
      await withAttempts(() => group.sync());
      await withAttempts(() => group.removeMembers([ben.inboxId]));
      wire.loseEvery(0);
      await assertAgree([group, onSecond], [onAna]);
      assert.ok(wire.lost > 20, `${wire.lost} answers were lost`);
    });
  },
};
