import assert from "node:assert/strict";
import { registerBareDevice } from "../bare-device.ts";
import { assertAgree, ourGroup } from "../mixed.ts";
import { epochAuthenticatorStart, epochOf } from "../native.ts";
import type { Scenario } from "../stage.ts";

export const scenario: Scenario = {
  title: "3.6 roles that go and come back, and devices that cannot be added, beside a native member",
  async run({ native, ours, newWallet, wire, step }) {
    const wallet = newWallet();
    const [mine, other, third] = [await ours("mine"), await ours("other"), await ours("third", wallet)];
    const ana = await native("ana");
    const group = await mine.conversations.createGroup([other.inboxId, third.inboxId, ana.inboxId], { name: "lake" });
    const onOther = await ourGroup(other, group.id);
    const onAna = await ana.group(group.id);
    await onAna.sendText("hello");
    await group.updatePermission("removeMember", "admin");

    await step("a removed admin leaves the list in the same commit", async () => {
      await group.promote(third.inboxId, "admin");
      await group.removeMembers([third.inboxId]);
      await assertAgree([group, onOther], [onAna]);
      assert.deepEqual(group.absentRoles(), []);
    });

    await step("a super admin is demoted, and then removed", async () => {
      await group.addMembers([third.inboxId]);
      await group.promote(third.inboxId, "super_admin");
      await group.removeMembers([third.inboxId]);
      await assertAgree([group, onOther], [onAna]);
    });

    await step("an admin removes an admin; the next commit of a super admin cleans the list", async () => {
      await group.addMembers([third.inboxId]);
      for (const { inboxId } of [third, other]) await group.promote(inboxId, "admin");
      await onOther.sync();
      await onOther.removeMembers([third.inboxId]);
      await assertAgree([group, onOther], [onAna]);
      assert.equal(onOther.absentRoles().length, 1);
      await group.updateDescription("deep");
      await assertAgree([group, onOther], [onAna]);
      assert.deepEqual(onOther.absentRoles(), []);
    });

    await step("the native super admin cleans nothing: who comes back before has the role again", async () => {
      await group.addMembers([third.inboxId]);
      await group.promote(third.inboxId, "admin");
      await group.promote(ana.inboxId, "super_admin");
      await onAna.sync();
      await onAna.removeMembers([third.inboxId]);
      await onOther.sync();
      assert.equal(onOther.absentRoles().length, 1);
      await onOther.addMembers([third.inboxId]);
      await assertAgree([group, onOther], [onAna]);
      const back = group.members().find(({ inboxId }) => inboxId === third.inboxId);
      assert.equal(back?.permission, "admin");
    });

    await step("a device without key package keeps neither its owner nor others out", async () => {
      await group.removeMembers([third.inboxId]);
      const watch = await registerBareDevice(wire.url, wallet, third.inboxId);
      const addition = await group.addMembers([third.inboxId]);
      assert.deepEqual(addition.added, [third.inboxId]);
      assert.equal(addition.leftOut[0]?.unusable[0]?.installationId, watch.installationId);
      await group.send("all here");
      assert.equal(await epochOf(onAna), group.epoch);
      assert.equal(await epochAuthenticatorStart(onAna), group.epochAuthenticator.slice(0, 6));
    });
  },
};
