import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { registerBareDevice, revokeInstallation } from "../bare-device.ts";
import { assertAgree, ourGroup } from "../mixed.ts";
import { epochOf, INSTALLATION_CHECK_MS } from "../native.ts";
import type { Scenario } from "../stage.ts";

export const scenario: Scenario = {
  title: "3.10 who may propose that a device of another inbox comes or goes (NAT-02)",
  async run({ native, ours, newWallet, wire, step }) {
    const [wallet, lonely] = [newWallet(), newWallet()];
    const [mine, phone, gone] = [await ours("mine"), await ours("phone", wallet), await ours("gone", lonely)];
    const [ana, ben, cat] = [await native("ana"), await native("ben"), await native("cat")];
    const device = async () => {
      const registered = await registerBareDevice(wire.url, wallet, phone.inboxId);
      await registered.uploadKeyPackage();
      return registered;
    };
    const [laptop, tablet] = [await device(), await device()];
    const inboxIds = [phone, gone, ana, ben, cat].map(({ inboxId }) => inboxId);
    const group = await mine.conversations.createGroup(inboxIds, { name: "lake" });
    await group.promote(ana.inboxId, "admin");
    const onPhone = await ourGroup(phone, group.id);
    const [onAna, onBen, onCat] = [await ana.group(group.id), await ben.group(group.id), await cat.group(group.id)];
    const devicesOf = (inboxId: string) =>
      group.members().find((member) => member.inboxId === inboxId)?.installations.length;

    await step("an admin's native client takes a revoked device out: followed by all", async () => {
      await laptop.revoke();
      await delay(INSTALLATION_CHECK_MS + 100);
      await onAna.sendText("without the laptop");
      await assertAgree([group, onPhone], [onAna, onBen, onCat]);
      assert.equal(devicesOf(phone.inboxId), 2);
    });

    await step("ours take the last device of an inbox out; natives let nobody remove the inbox then", async () => {
      await revokeInstallation(wire.url, lonely, gone);
      await group.updateInstallations();
      assert.equal(devicesOf(gone.inboxId), 0);
      await assert.rejects(group.removeMembers([gone.inboxId]), { code: "NOT_PERMITTED", rule: "ProposerNotFound" });
      await assertAgree([group, onPhone], [onAna, onBen, onCat]);
    });

    // A commit, and a message from the epoch behind it.
    const parting = ["InsufficientPermissions", "future-epoch"];

    await step(
      "the Remove of a super admin's revoked device is refused to a native super admin, not to ours",
      async () => {
        for (const { inboxId } of [ana, phone]) await group.promote(inboxId, "super_admin");
        await assertAgree([group, onPhone], [onAna, onBen, onCat]);
        await tablet.revoke();
        await delay(INSTALLATION_CHECK_MS + 100);
        const { epoch } = group;
        await onAna.sendText("without the tablet");
        assert.equal(await epochOf(onAna), epoch + 1n);
        await assertAgree([group, onPhone], [onBen, onCat], parting);
        await group.updateInstallations();
        assert.equal(devicesOf(phone.inboxId), 1);
        await assertAgree([group, onPhone], [onBen, onCat], parting);
      },
    );

    await step("the Add of a new device is refused to a native member who may add no inbox, not to ours", async () => {
      await group.updatePermission("addMember", "admin");
      await assertAgree([group, onPhone], [onBen, onCat], parting);
      await device();
      await delay(INSTALLATION_CHECK_MS + 100);
      await onBen.sendText("with a watch");
      await assertAgree([group, onPhone], [onCat], [...parting, ...parting]);
      await group.updateInstallations();
      assert.equal(devicesOf(phone.inboxId), 2);
      await assertAgree([group, onPhone], [onCat], [...parting, ...parting]);
    });
  },
};
