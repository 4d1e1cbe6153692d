import assert from "node:assert/strict";
import { assertAgree, ourGroup, ourTexts } from "../mixed.ts";
import { textsOf } from "../native.ts";
import type { Scenario } from "../stage.ts";

/** Times that somebody registers and is added, or joins, at the very next moment. */
const ROUNDS = 5;

export const scenario: Scenario = {
  title: "4.3 registered a moment ago: added and joined at once, beside a native bystander",
  async run({ native, ours, step }) {
    const [mine, other] = [await ours("mine"), await ours("other")];
    const ana = await native("ana");
    const group = await mine.conversations.createGroup([ana.inboxId, other.inboxId], { name: "lake" });
    const onOther = await ourGroup(other, group.id);
    const onAna = await ana.group(group.id);
    await onAna.sendText("hello");
    await group.sync();

    await step("our member adds people of both sides right after they registered", async () => {
      for (let round = 0; round < ROUNDS; round++) {
        const [newcomer, native2] = await Promise.all([ours(`ours ${round}`), native(`native ${round}`)]);
        await group.addMembers([newcomer.inboxId, native2.inboxId]);
        await assertAgree([group, onOther, await ourGroup(newcomer, group.id)], [onAna, await native2.group(group.id)]);
        await group.removeMembers([newcomer.inboxId, native2.inboxId]);
      }
    });

    await step("the native member adds them, and our members follow", async () => {
      for (let round = 0; round < ROUNDS; round++) {
        const [newcomer, native2] = await Promise.all([ours(`guest ${round}`), native(`native guest ${round}`)]);
        await onAna.sync();
        await mine.conversations.sync();
        await group.promote(ana.inboxId, "super_admin").catch(() => undefined);
        await onAna.sync();
        await onAna.addMembers([newcomer.inboxId, native2.inboxId]);
        await assertAgree([group, onOther, await ourGroup(newcomer, group.id)], [onAna, await native2.group(group.id)]);
        await group.removeMembers([newcomer.inboxId, native2.inboxId]);
      }
    });

    await step("nobody was parted: everybody reads everybody", async () => {
      await group.send("from ours");
      assert.equal((await textsOf(onAna)).at(-1), "from ours");
      await onAna.sendText("from the native member");
      for (const seen of [group, onOther]) assert.equal((await ourTexts(seen)).at(-1), "from the native member");
      for (const seen of [group, onOther]) assert.equal(seen.waitsUntilNs, undefined);
    });
  },
};
