import assert from "node:assert/strict";
import { assertAgree, ourGroup, ourTexts } from "../mixed.ts";
import { afterLostRaces, storedTextsOf, syncToRemoval, textsOf } from "../native.ts";
import type { Scenario } from "../stage.ts";

export const scenario: Scenario = {
  title: "3.7 a removal that renews the invite, beside native members",
  async run({ native, ours, step }) {
    const [mine, other, leaver] = [await ours("mine"), await ours("other"), await ours("leaver")];
    const [ana, ben] = [await native("ana"), await native("ben")];
    const members = [other, leaver, ana, ben].map(({ inboxId }) => inboxId);
    const group = await mine.conversations.createGroup(members, { name: "lake" });
    const [onOther, onLeaver] = [await ourGroup(other, group.id), await ourGroup(leaver, group.id)];
    const [onAna, onBen] = [await ana.group(group.id), await ben.group(group.id)];
    const old = await group.createInvite({ force: true });
    await assertAgree([group, onOther, onLeaver], [onAna, onBen]);

    await step("both commits are followed by a native member: off with the removal, on in the next epoch", async () => {
      const { epoch } = group;
      const removal = await group.removeMembers([leaver.inboxId], { rotateInvite: "slot" });
      assert.equal(group.epoch, epoch + 2n);
      assert.ok(removal.invite !== undefined && removal.invite.url !== old.url);
      await onLeaver.sync();
      assert.equal(onLeaver.isActive, false);
      await onAna.sendText("still here");
      assert.equal((await ourTexts(onOther)).at(-1), "still here");
      assert.equal((await textsOf(onBen)).at(-1), "still here");
      await assertAgree([group, onOther], [onAna, onBen]);
    });

    await step("the same when the one who goes is a native member, with a new key", async () => {
      await group.removeMembers([ben.inboxId], { rotateInvite: "key" });
      await group.send("without ben");
      await syncToRemoval(onBen);
      assert.ok(!(await storedTextsOf(onBen)).includes("without ben"));
      assert.equal((await textsOf(onAna)).at(-1), "without ben");
      await assertAgree([group, onOther], [onAna]);
    });

    await step("a native commit between the two, or at the same time, parts nobody", async () => {
      for (let round = 0; round < 3; round++) {
        await group.addMembers([leaver.inboxId]);
        const before = group.invite?.url;
        const [removal] = await Promise.all([
          group.removeMembers([leaver.inboxId], { rotateInvite: "slot" }),
          afterLostRaces(() => onAna.updateGroupName(`native ${round}`)),
        ]);
        assert.ok(removal.invite !== undefined && removal.invite.url !== before);
        await assertAgree([group, onOther], [onAna]);
        assert.equal(group.name, `native ${round}`);
      }
    });
  },
};
