import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { revokeInstallation } from "../bare-device.ts";
import { assertAgree, ourGroup, ourTexts } from "../mixed.ts";
import { epochOf, INSTALLATION_CHECK_MS, textsOf } from "../native.ts";
import type { Scenario } from "../stage.ts";

export const scenario: Scenario = {
  title: "3.9 a device that is revoked while it is in the group, beside native members",
  async run({ native, ours, newWallet, wire, step }) {
    const wallet = newWallet();
    const mine = await ours("mine");
    const [stolen, phone] = [await ours("stolen", wallet), await ours("phone", wallet)];
    const [ana, ben, late] = [await native("ana"), await native("ben"), await native("late")];
    const group = await mine.conversations.createGroup([phone.inboxId, ana.inboxId, ben.inboxId], { name: "lake" });
    const [onStolen, onPhone] = [await ourGroup(stolen, group.id), await ourGroup(phone, group.id)];
    const [onAna, onBen] = [await ana.group(group.id), await ben.group(group.id)];
    await onStolen.send("still mine");
    assert.deepEqual(await ourTexts(group), ["still mine"]);

    await step("its commit is followed, and its message is shown as long as nobody knows", async () => {
      await revokeInstallation(wire.url, wallet, stolen);
      await onStolen.send("stolen by now");
      await onStolen.addMembers([late.inboxId]);
      assert.deepEqual(await ourTexts(group), ["still mine", "stolen by now"]);
      assert.equal(group.members().length, 5);
    });

    // Its commit, and its message from the epoch behind that.
    const refused = ["InsufficientPermissions", "future-epoch"];

    await step("NAT-02: the Remove of a native member without the right parts it from everybody else", async () => {
      await delay(INSTALLATION_CHECK_MS + 100);
      const { epoch } = group;
      await onAna.sendText("from an epoch of my own");
      assert.equal(await epochOf(onAna), epoch + 1n);
      await assertAgree([group, onPhone], [onBen], refused);
      assert.equal(group.epoch, epoch);
      assert.ok(!(await ourTexts(group)).includes("from an epoch of my own"));
    });

    await step("the commit that takes its leaf out is followed by all, and everybody reads everybody", async () => {
      await onPhone.updateInstallations();
      assert.deepEqual(await ourTexts(group), ["still mine"], "ours delete what it said");
      const member = group.members().find(({ inboxId }) => inboxId === phone.inboxId);
      assert.deepEqual(member?.installations, [phone.installationId]);
      await assertAgree([group, onPhone], [onBen, await late.group(group.id)], refused);
      await onBen.sendText("without the stolen one");
      await onPhone.send("with the phone");
      await onPhone.sync();
      assert.deepEqual(await ourTexts(group), ["still mine", "without the stolen one", "with the phone"]);
      assert.equal((await textsOf(onBen)).at(-1), "with the phone");
      await onStolen.sync();
      assert.equal(onStolen.isActive, false);
    });

    await step("the native member that parted itself is removed and added, and is back", async () => {
      await group.removeMembers([ana.inboxId]);
      await group.addMembers([ana.inboxId]);
      const again = await ana.group(group.id);
      await again.sendText("back again");
      assert.equal((await ourTexts(onPhone)).at(-1), "back again");
      await assertAgree([group, onPhone], [again, onBen], refused);
    });
  },
};
