import assert from "node:assert/strict";
import { grpcTransport, walletSigner } from "@latchkey/client/node";
import { revokeInstallationUpdate } from "@latchkey/xmtp";
import { assertAgree, ourGroup, ourTexts } from "../mixed.ts";
import { textsOf } from "../native.ts";
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
      const transport = grpcTransport(wire.url);
      const update = await revokeInstallationUpdate({
        wallet: walletSigner(wallet),
        inboxId: phone.inboxId,
        installationId: stolen.installationId,
        timestampNs: BigInt(Date.now()) * 1_000_000n,
      });
      await transport.publishIdentityUpdate(update);
      transport.close();
      await onStolen.send("stolen by now");
      await onStolen.addMembers([late.inboxId]);
      assert.deepEqual(await ourTexts(group), ["still mine", "stolen by now"]);
      assert.equal(group.members().length, 5);
    });

    await step("the commit that takes its leaf out is followed by all, and everybody reads everybody", async () => {
      await group.updateInstallations();
      assert.deepEqual(await ourTexts(group), ["still mine"], "ours delete what it said");
      const member = group.members().find(({ inboxId }) => inboxId === phone.inboxId);
      assert.deepEqual(member?.installations, [phone.installationId]);
      await assertAgree([group, onPhone], [onAna, onBen, await late.group(group.id)]);
      await onAna.sendText("without the stolen one");
      await onPhone.send("with the phone");
      await onPhone.sync();
      assert.deepEqual(await ourTexts(group), ["still mine", "without the stolen one", "with the phone"]);
      assert.equal((await textsOf(onBen)).at(-1), "with the phone");
      await onStolen.sync();
      assert.equal(onStolen.isActive, false);
    });
  },
};
