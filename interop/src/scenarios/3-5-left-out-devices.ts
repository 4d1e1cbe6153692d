import assert from "node:assert/strict";
import type { Group } from "@latchkey/client";
import { registerBareDevice } from "../bare-device.ts";
import { ourGroup } from "../mixed.ts";
import { epochAuthenticatorStart, epochOf, textsOf } from "../native.ts";
import type { Scenario } from "../stage.ts";

export const scenario: Scenario = {
  title: "3.5 devices that were left out of our group, beside a native member",
  async run({ native, ours, newWallet, wire, step }) {
    const wallet = newWallet();
    const [mine, other, ana] = [await ours("mine", wallet), await ours("other"), await native("ana")];
    const tablet = await registerBareDevice(wire.url, wallet, mine.inboxId);
    const group = await other.conversations.createGroup([mine.inboxId, ana.inboxId], { name: "lake" });
    const onMine = await ourGroup(mine, group.id);
    const onAna = await ana.group(group.id);
    const ownerOf = (seen: Group) => seen.members().find(({ inboxId }) => inboxId === mine.inboxId);

    /** All of ours read on; then the native member is in their epoch and reads what they write. */
    const inStep = async (text: string, seen: readonly Group[] = [group, onMine]) => {
      for (const view of seen) await view.sync();
      await group.send(text);
      assert.equal((await textsOf(onAna)).at(-1), text);
      assert.equal(await epochOf(onAna), group.epoch);
      assert.equal(await epochAuthenticatorStart(onAna), group.epochAuthenticator.slice(0, 6));
      for (const view of seen) assert.equal(view.epochAuthenticator, group.epochAuthenticator);
    };

    await step("a device without key package is listed as left out, and cannot be added by a commit", async () => {
      const { installationId } = tablet;
      assert.deepEqual(ownerOf(group)?.leftOut, [{ installationId, fault: "missing", canBeAddedLater: false }]);
      await inStep("without the tablet");
    });

    await step("it has one now: nobody adds it, and the native member stays in step", async () => {
      await tablet.uploadKeyPackage();
      await mine.conversations.sync();
      await other.conversations.sync();
      for (const view of [group, onMine]) await view.updateInstallations();
      await inStep("still without the tablet");
      assert.equal(ownerOf(group)?.leftOut.length, 1);
    });

    await step("a device that is registered later comes in alone", async () => {
      const laptop = await registerBareDevice(wire.url, wallet, mine.inboxId);
      await laptop.uploadKeyPackage();
      await onMine.updateInstallations();
      await inStep("with the laptop");
      assert.ok(ownerOf(group)?.installations.includes(laptop.installationId));
      assert.equal(ownerOf(group)?.installations.length, 2);
    });

    await step("the owner is removed, and added again with all devices", async () => {
      await group.removeMembers([mine.inboxId]);
      await inStep("without the owner", [group]);
      await group.addMembers([mine.inboxId]);
      await inStep("with the owner", [group]);
      assert.equal(ownerOf(group)?.installations.length, 3);
      assert.deepEqual(ownerOf(group)?.leftOut, []);
    });

    await step("a device that was left out is revoked", async () => {
      const watch = await registerBareDevice(wire.url, wallet, mine.inboxId);
      await group.updateInstallations();
      assert.equal(ownerOf(group)?.leftOut.length, 1);
      await watch.revoke();
      await group.updateInstallations();
      assert.deepEqual(ownerOf(group)?.leftOut, []);
      await inStep("without the watch", [group]);
    });

    await step("the native member leaves a device out unsaid; whom it adds next opens the group", async () => {
      const kimsWallet = newWallet();
      const [kim, lea] = [await ours("kim", kimsWallet), await ours("lea")];
      await registerBareDevice(wire.url, kimsWallet, kim.inboxId);
      await onAna.addMembers([kim.inboxId]);
      await onAna.addMembers([lea.inboxId]);
      const onLea = await ourGroup(lea, group.id);
      await inStep("with kim and lea", [group, onLea, await ourGroup(kim, group.id)]);
    });
  },
};
