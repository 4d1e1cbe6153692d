import assert from "node:assert/strict";
import { assertAgree, ourGroup, ourTexts } from "../mixed.ts";
import { epochOf, textsOf } from "../native.ts";
import type { Scenario } from "../stage.ts";

export const scenario: Scenario = {
  title: "5.1 joining by invite beside native members: what happens today",
  async run({ native, ours, step }) {
    const [mine, other, guest] = [await ours("mine"), await ours("other"), await ours("guest")];
    const ana = await native("ana");
    const group = await mine.conversations.createGroup([ana.inboxId, other.inboxId], { name: "lake" });
    const onOther = await ourGroup(other, group.id);
    const onAna = await ana.group(group.id);
    // The library renews its leaf before its first message in a group it was added to; let that be behind us.
    await onAna.sendText("hello");

    await step("our client knows who would be left behind, and makes no invite unless it is told to", async () => {
      const left = group.members().filter(({ followsInvites }) => !followsInvites);
      assert.deepEqual(
        left.map(({ inboxId }) => inboxId),
        [ana.inboxId],
      );
      await assert.rejects(group.createInvite(), { code: "INVITE_LEAVES_BEHIND" });
      assert.equal(group.invite, undefined);
    });

    const invite = await step(
      "making an invite is harmless in itself: the native member follows its commits",
      async () => {
        const made = await group.createInvite({ force: true });
        await assertAgree([group, onOther], [onAna]);
        return made;
      },
    );

    await step("a guest of ours joins by the link, our members follow", async () => {
      const { group: onGuest } = await guest.conversations.joinByInvite(invite.url);
      await onGuest.send("hello from the guest");
      for (const seen of [group, onOther]) assert.equal((await ourTexts(seen)).at(-1), "hello from the guest");
      await assertAgree([group, onOther, onGuest], []);
    });

    await step("the native member refuses the join: it stays behind, in the epoch before", async () => {
      const texts = await textsOf(onAna);
      assert.ok(!texts.includes("hello from the guest"));
      assert.equal(await epochOf(onAna), group.epoch - 1n);
      assert.equal(onAna.isActive(), true);
    });

    await step("texts it sends in that epoch still arrive; it cannot read what is sent after the join", async () => {
      await onAna.sendText("does anybody hear me?");
      await group.sync();
      assert.ok((await ourTexts(group)).includes("does anybody hear me?"));
      await group.send("ana?");
      assert.ok(!(await textsOf(onAna)).includes("ana?"));
    });

    await step("a commit of its in that epoch forks it: nobody reads it any more", async () => {
      await onAna.updateGroupName("on a branch of its own");
      await onAna.sendText("and now?");
      assert.ok(!(await ourTexts(group)).includes("and now?"));
      assert.equal(group.name, "lake");
    });

    await step("removing it and adding it again brings it back", async () => {
      await group.removeMembers([ana.inboxId]);
      await assert.rejects(group.addMembers([ana.inboxId]), { code: "KEY_PACKAGE_MISSING" });
      await group.addMembers([ana.inboxId], { force: true });
      await group.send("welcome back");
      const again = await ana.group(group.id);
      assert.equal((await textsOf(again)).at(-1), "welcome back");
      // The text of the branch could not be decrypted by anybody.
      await assertAgree([group, onOther, await ourGroup(guest, group.id)], [again], [undefined]);
    });
  },
};
