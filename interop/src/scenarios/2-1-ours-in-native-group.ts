import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { assertAgree, ourGroup, ourTexts } from "../mixed.ts";
import { INSTALLATION_CHECK_MS, storedTextsOf, syncToRemoval, textsOf } from "../native.ts";
import type { Scenario } from "../stage.ts";

/** Values of the library's enums: AddMember of PermissionUpdateType, Admin of PermissionPolicy. */
const ADD_MEMBER = 0;
const ADMIN = 2;

export const scenario: Scenario = {
  title: "2.1 ours in a native group that was migrated to app data",
  async run({ native, ours, newWallet, step }) {
    const [ana, ben, eva] = [await native("ana"), await native("ben"), await native("eva")];
    const wallet = newWallet();
    const [mine, phone] = [await ours("mine", wallet), await ours("mine-phone", wallet)];

    const onAna = await step("a native client creates a group and migrates it", async () => {
      const group = await ana.client.conversations().createGroup([ben.inboxId], { groupName: "lake" });
      await group.sendText("before the migration");
      assert.equal(group.proposalsEnabled(), false);
      await group.unstable.enableProposals({});
      assert.equal(group.proposalsEnabled(), true);
      const onBen = await ben.group(group.id());
      assert.equal(onBen.proposalsEnabled(), true);
      return group;
    });
    const onBen = await ben.group(onAna.id());

    const [group, onPhone] = await step("it adds our inbox: both installations join by their Welcomes", async () => {
      await onAna.addMembers([mine.inboxId]);
      const joined = [await ourGroup(mine, onAna.id()), await ourGroup(phone, onAna.id())] as const;
      assert.equal(joined[0].name, "lake");
      await assertAgree(joined, [onAna, onBen]);
      return joined;
    });

    await step("text both ways", async () => {
      await onAna.sendText("hello ours");
      await group.send("hello native");
      await onPhone.send("hello from the phone");
      await onBen.sendText("hello from ben");
      const expected = ["hello ours", "hello native", "hello from the phone", "hello from ben"];
      for (const seen of [group, onPhone]) assert.deepEqual(await ourTexts(seen), expected);
      for (const seen of [onAna, onBen]) assert.deepEqual((await textsOf(seen)).slice(-expected.length), expected);
      await assertAgree([group, onPhone], [onAna, onBen]);
    });

    await step("the native client renames, describes, adds, removes: ours follow each commit", async () => {
      const acts = [
        () => onAna.updateGroupName("river"),
        () => onAna.updateGroupDescription("deep"),
        () => onAna.addMembers([eva.inboxId]),
        () => onAna.removeMembers([eva.inboxId]),
        () => onBen.updateGroupName("named by ben"),
      ];
      for (const act of acts) {
        await act();
        await assertAgree([group, onPhone], [onAna, onBen]);
      }
    });

    await step("the native client gives and takes roles and permissions: ours follow", async () => {
      const acts = [
        () => onAna.addAdmin(ben.inboxId),
        () => onAna.removeAdmin(ben.inboxId),
        () => onAna.updatePermissionPolicy(ADD_MEMBER, ADMIN),
        () => onAna.addSuperAdmin(mine.inboxId),
      ];
      for (const act of acts) {
        await act();
        await assertAgree([group, onPhone], [onAna, onBen]);
      }
    });

    await step("ours rename, describe, add, remove, give and take roles: the native clients accept each", async () => {
      const acts = [
        () => group.updateName("named by ours"),
        () => onPhone.updateDescription("described by our phone"),
        () => group.addMembers([eva.inboxId]),
        () => group.promote(eva.inboxId, "admin"),
        () => group.demote(eva.inboxId, "admin"),
        () => group.promote(ben.inboxId, "super_admin"),
        () => group.demote(ben.inboxId, "super_admin"),
      ];
      for (const act of acts) {
        await act();
        await assertAgree([group, onPhone], [onAna, onBen]);
      }
      const onEva = await eva.group(onAna.id());
      await group.send("hello eva");
      assert.deepEqual(await textsOf(onEva), ["hello eva"]);
      await group.removeMembers([eva.inboxId]);
      await group.send("without eva");
      await syncToRemoval(onEva);
      assert.ok(!(await storedTextsOf(onEva)).includes("without eva"));
      await assertAgree([group, onPhone], [onAna, onBen]);
    });

    const forbidden = ["InsufficientPermissions", "InsufficientPermissions"];

    await step("what the permissions forbid, neither side accepts, for the same reason", async () => {
      // Adding members was reserved to admins above, and ben is none; super admins cannot be removed.
      const acts = [() => onBen.addMembers([eva.inboxId]), () => onAna.removeMembers([mine.inboxId])];
      for (const act of acts) {
        await assert.rejects(act());
        // A native client whose own commit was refused repeats ratchet generations in that epoch; a new one heals it.
        await group.sync();
        await group.updateName("a new epoch");
        await group.updateName("ours");
      }
      await assertAgree([group, onPhone], [onAna, onBen], forbidden);
    });

    await step("a third installation of ours is brought in by the native client's next send", async () => {
      const tablet = await ours("mine-tablet", wallet);
      await delay(INSTALLATION_CHECK_MS + 100);
      await onAna.sendText("hello tablet");
      const onTablet = await ourGroup(tablet, onAna.id());
      assert.deepEqual(await ourTexts(onTablet), ["hello tablet"]);
      await assertAgree([group, onPhone], [onAna, onBen], forbidden);
      await assertAgree([onTablet], [onAna, onBen]);
    });

    await step("the native client takes the role from ours and removes it: ours see that they are out", async () => {
      await group.demote(mine.inboxId, "super_admin");
      await onAna.sync();
      await onAna.removeMembers([mine.inboxId]);
      await onAna.sendText("without ours");
      for (const seen of [group, onPhone]) {
        assert.ok(!(await ourTexts(seen)).includes("without ours"));
        assert.equal(seen.isActive, false);
      }
    });
  },
};
