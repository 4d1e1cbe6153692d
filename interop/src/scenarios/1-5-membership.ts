import assert from "node:assert/strict";
import { installationsOf, membersOf, sign, storedTextsOf, syncToRemoval, textsOf } from "../native.ts";
import type { Scenario } from "../stage.ts";
import { eventually } from "../wait.ts";

export const scenario: Scenario = {
  title: "1.5 native clients on our node: add, remove, leave, revoke an installation",
  async run({ native, step, library }) {
    const [ana, ben, eva] = [await native("ana"), await native("ben"), await native("eva")];
    const benPhone = await native("ben-phone", ben.wallet);
    const group = await ana.client.conversations().createGroup([ben.inboxId, eva.inboxId]);
    const [onBen, onPhone, onEva] = [
      await ben.group(group.id()),
      await benPhone.group(group.id()),
      await eva.group(group.id()),
    ];

    await step("an added member reads from then on", async () => {
      await group.sendText("before kim");
      const kim = await native("kim");
      await group.addMembers([kim.inboxId]);
      await group.sendText("hello kim");
      assert.deepEqual(await textsOf(await kim.group(group.id())), ["hello kim"]);
    });

    await step("a removed member is out, and reads nothing sent after that", async () => {
      await group.removeMembers([eva.inboxId]);
      await group.sendText("without eva");
      await syncToRemoval(onEva);
      assert.ok(!(await storedTextsOf(onEva)).includes("without eva"));
      assert.ok(!(await membersOf(onBen)).includes(eva.inboxId));
      await assert.rejects(onEva.sendText("still here?"));
    });

    await step("a removed member can be added again", async () => {
      await group.addMembers([eva.inboxId]);
      await group.sendText("eva is back");
      const again = await eva.group(group.id());
      assert.equal(again.isActive(), true);
      assert.equal((await textsOf(again)).at(-1), "eva is back");
    });

    await step("a member leaves; the admin's client carries it out", async () => {
      const again = await eva.group(group.id());
      await again.leaveGroup();
      await eventually("the admin's client removes who left", async () => {
        return !(await membersOf(group)).includes(eva.inboxId);
      });
      await syncToRemoval(again);
    });

    await step("a revoked installation is no longer of the inbox", async () => {
      const request = await ben.client.revokeInstallationsSignatureRequest([benPhone.client.installationIdBytes()]);
      await sign(request, ben.wallet);
      await ben.client.applySignatureRequest(request);
      const [state] = await library.fetchInboxStatesByInboxIds(ana.backend, [ben.inboxId]);
      assert.deepEqual(
        state?.installations.map(({ id }) => id),
        [ben.client.installationId()],
      );
      const authorized = await library.isInstallationAuthorized(
        ana.backend,
        ben.inboxId,
        benPhone.client.installationIdBytes(),
      );
      assert.equal(authorized, false);
    });

    await step("the next check of the group's installations removes it from the group", async () => {
      await eventually("the revoked installation is out", async () => {
        await group.sendText("who is there?");
        return (await installationsOf(group, ben.inboxId)).length === 1;
      });
      await group.sendText("without ben's phone");
      assert.equal((await textsOf(onBen)).at(-1), "without ben's phone");
      await syncToRemoval(onPhone);
      assert.ok(!(await storedTextsOf(onPhone)).includes("without ben's phone"));
    });
  },
};
