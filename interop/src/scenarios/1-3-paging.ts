import assert from "node:assert/strict";
import { textsOf } from "../native.ts";
import type { Scenario } from "../stage.ts";

/** More than two pages of the library, which asks for 100 messages at a time. */
const MESSAGES = 230;

/** Groups for syncAll. */
const GROUPS = 12;

export const scenario: Scenario = {
  title: "1.3 native clients on our node: more than 100 messages, syncAll over many groups",
  async run({ native, step }) {
    const [ana, ben] = [await native("ana"), await native("ben")];
    const expected = Array.from({ length: MESSAGES }, (_, index) => `text ${index}`);

    await step(`${MESSAGES} messages arrive in one sync, complete and in order`, async () => {
      const group = await ana.client.conversations().createGroup([ben.inboxId]);
      for (const text of expected) await group.sendText(text);
      assert.deepEqual(await textsOf(await ben.group(group.id())), expected);
      assert.deepEqual(await textsOf(group), expected);
    });

    await step(`syncAll brings ${GROUPS} groups up to date`, async () => {
      const ids: string[] = [];
      for (let index = 0; index < GROUPS; index++) {
        const group = await ana.client.conversations().createGroup([ben.inboxId]);
        await group.sendText(`in group ${index}`);
        ids.push(group.id());
      }
      await ben.client.conversations().syncAll();
      for (const [index, id] of ids.entries()) {
        const messages = await ben.client.conversations().getConversationById(id).listMessages();
        const texts = messages.map(({ content }) => new TextDecoder().decode(content.content));
        assert.ok(texts.includes(`in group ${index}`), `group ${index} was read by syncAll alone`);
      }
    });

    await step("a second syncAll finds nothing left to do", async () => {
      const { numSynced } = await ben.client.conversations().syncAll();
      assert.equal(numSynced, 0);
    });
  },
};
