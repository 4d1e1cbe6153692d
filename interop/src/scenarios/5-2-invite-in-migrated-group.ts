import assert from "node:assert/strict";
import { assertAgree, ourGroup, ourTexts } from "../mixed.ts";
import { textsOf } from "../native.ts";
import type { Scenario } from "../stage.ts";

export const scenario: Scenario = {
  title: "5.2 an invite in a group that native clients created and migrated",
  async run({ native, ours, step }) {
    const [ana, ben] = [await native("ana"), await native("ben")];
    const [mine, guest] = [await ours("mine"), await ours("guest")];
    const onAna = await ana.client.conversations().createGroup([ben.inboxId], { groupName: "lake" });
    await onAna.unstable.enableProposals({});
    await onAna.addMembers([mine.inboxId]);
    const group = await ourGroup(mine, onAna.id());
    const onBen = await ben.group(onAna.id());

    await step("without the role our client may not make an invite", async () => {
      await assert.rejects(group.createInvite({ force: true }), { code: "NOT_PERMITTED" });
      await assertAgree([group], [onAna, onBen]);
    });

    const invite = await step(
      "as a super admin it registers the policy and makes one; native members follow",
      async () => {
        await onAna.addSuperAdmin(mine.inboxId);
        await group.sync();
        const made = await group.createInvite({ force: true });
        await onAna.sendText("still here");
        assert.equal((await ourTexts(group)).at(-1), "still here");
        assert.equal((await textsOf(onBen)).at(-1), "still here");
        await assertAgree([group], [onAna, onBen]);
        return made;
      },
    );

    await step("rotating and revoking it, native members follow as well", async () => {
      await group.rotateInvite();
      await group.revokeInvite();
      await assertAgree([group], [onAna, onBen]);
      await assert.rejects(guest.conversations.joinByInvite(invite.url));
      await assertAgree([group], [onAna, onBen]);
    });

    await step("once the native members are out, a guest joins by a new link", async () => {
      await group.demote(ana.inboxId, "super_admin");
      await group.removeMembers([ana.inboxId, ben.inboxId]);
      const fresh = await group.createInvite();
      const joined = await guest.conversations.joinByInvite(fresh.url);
      await joined.group.send("hello");
      assert.deepEqual((await ourTexts(group)).at(-1), "hello");
      await assertAgree([group, joined.group], []);
    });
  },
};
