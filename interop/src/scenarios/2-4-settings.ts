import assert from "node:assert/strict";
import type { Group } from "@latchkey/client";
import { assertAgree, ourGroup, ourTexts } from "../mixed.ts";
import { syncToRemoval, textsOf, type Native } from "../native.ts";
import type { NativeGroup } from "../native-library.ts";
import type { Scenario } from "../stage.ts";
import { eventually } from "../wait.ts";

/** Values of the library's enums: PermissionUpdateType, PermissionPolicy and MetadataField. */
const [ADD_MEMBER, REMOVE_MEMBER, ADD_ADMIN, REMOVE_ADMIN, UPDATE_METADATA] = [0, 1, 2, 3, 4];
const [ALLOW, DENY, ADMIN, SUPER_ADMIN] = [0, 1, 2, 3];
const FIELD = { appData: 0, description: 1, name: 2, imageUrl: 3, disappearFromNs: 4, disappearInNs: 5 };

/**
 * Throws unless both sides say the same of the group. Of migrated groups the library shows no permissions, and of the times
 * for messages to disappear only those that it wrote itself, which it cannot (it gives its own check a decimal number).
 */
async function assertSettings(ours: Group, native: NativeGroup): Promise<void> {
  await assertAgree([ours], [native]);
  assert.equal(native.groupImageUrlSquare(), ours.imageUrl ?? "");
  assert.equal(native.appData(), ours.appData ?? "");
}

async function run(acts: readonly (() => Promise<unknown>)[], ours: Group, native: NativeGroup): Promise<void> {
  for (const act of acts) {
    await act();
    await assertSettings(ours, native);
  }
}

export const scenario: Scenario = {
  title: "2.4 settings, permissions, fresh keys and leaving, in a migrated group and in ours",
  async run({ native, ours, step }) {
    const [ana, ben] = [await native("ana"), await native("ben")];
    const [mine, other] = [await ours("mine"), await ours("other")];
    const theirs = await ana.client.conversations().createGroup([ben.inboxId], { groupName: "lake" });
    await theirs.unstable.enableProposals({});
    await theirs.addMembers([mine.inboxId]);
    await theirs.addSuperAdmin(mine.inboxId);
    const own = await mine.conversations.createGroup([ana.inboxId, ben.inboxId], { name: "our lake" });
    await own.promote(ana.inboxId, "super_admin");
    const groups = [
      { kind: "a migrated group", onOurs: await ourGroup(mine, theirs.id()), onNative: theirs },
      { kind: "our group", onOurs: own, onNative: await ana.group(own.id) },
    ];

    for (const { kind, onOurs, onNative } of groups) {
      await step(`${kind}: ours write texts, times and permissions, and take fresh keys; the native one follows`, () =>
        run(
          [
            () => onOurs.updateImageUrl("https://example.org/ours.png"),
            () => onOurs.updateAppData('{"by":"ours"}'),
            () => onOurs.updateMessageDisappearingSettings({ fromNs: 1n << 60n, inNs: 3_600_000_000_000n }),
            () => onOurs.updateMessageDisappearingSettings(undefined),
            () => onOurs.updatePermission("addMember", "admin"),
            () => onOurs.updatePermission("removeMember", "super_admin"),
            () => onOurs.updatePermission("addAdmin", "admin"),
            () => onOurs.updatePermission("removeAdmin", "admin"),
            () => onOurs.updatePermission("updateName", "deny"),
            () => onOurs.updatePermission("updateDescription", "allow"),
            () => onOurs.updatePermission("updateImageUrl", "admin"),
            () => onOurs.updatePermission("updateAppData", "super_admin"),
            () => onOurs.updatePermission("updateDisappearingMessages", "super_admin"),
            () => onOurs.rotateKeys(),
          ],
          onOurs,
          onNative,
        ),
      );

      await step(`${kind}: the native one writes the same; ours follow`, () =>
        run(
          [
            () => onNative.updateGroupImageUrlSquare("https://example.org/theirs.png"),
            () => onNative.updateAppData({ value: '{"by":"theirs"}' }),
            () => onNative.updatePermissionPolicy(ADD_MEMBER, ALLOW),
            () => onNative.updatePermissionPolicy(REMOVE_MEMBER, ADMIN),
            () => onNative.updatePermissionPolicy(ADD_ADMIN, SUPER_ADMIN),
            () => onNative.updatePermissionPolicy(REMOVE_ADMIN, SUPER_ADMIN),
            () => onNative.updatePermissionPolicy(UPDATE_METADATA, ALLOW, FIELD.name),
            () => onNative.updatePermissionPolicy(UPDATE_METADATA, ADMIN, FIELD.description),
            () => onNative.updatePermissionPolicy(UPDATE_METADATA, DENY, FIELD.imageUrl),
            () => onNative.updatePermissionPolicy(UPDATE_METADATA, ADMIN, FIELD.appData),
          ],
          onOurs,
          onNative,
        ),
      );
      assert.deepEqual(onOurs.permissions, {
        addMember: "allow",
        removeMember: "admin",
        addAdmin: "super_admin",
        removeAdmin: "super_admin",
        updateName: "allow",
        updateDescription: "admin",
        updateImageUrl: "deny",
        updateAppData: "admin",
        updateDisappearingMessages: "super_admin",
      });

      await step(`${kind}: what ours forbid, a native member may not, and what ours allow, it may`, async () => {
        const onBen = await ben.group(onOurs.id);
        await onOurs.updatePermission("updateName", "admin");
        await onBen.sync();
        await assert.rejects(onBen.updateGroupName("named by ben"));
        // A native client whose own commit was refused repeats ratchet generations in that epoch; a new one heals it.
        await onOurs.updatePermission("updateName", "allow");
        await onBen.sync();
        await onBen.updateGroupName("named by ben");
        await onOurs.sync();
        assert.equal(onOurs.name, "named by ben");
        await onNative.sync();
        assert.equal(onNative.groupName(), "named by ben");
      });

      await step(`${kind}: after fresh keys on both sides text goes both ways`, async () => {
        await onOurs.rotateKeys();
        await onNative.sendText("from native");
        await onOurs.send("from ours");
        assert.deepEqual((await ourTexts(onOurs)).slice(-2), ["from native", "from ours"]);
        assert.deepEqual((await textsOf(onNative)).slice(-2), ["from native", "from ours"]);
      });
    }

    // What ben tried above, which his client had sent before it refused it.
    const forbidden = ["InsufficientPermissions"];

    await step("a native member leaves our group: our client takes it out", async () => {
      const onBen = await ben.group(own.id);
      await own.demote(ana.inboxId, "super_admin");
      await onBen.leaveGroup();
      await own.sync();
      assert.deepEqual(inboxIds(own), [ana.inboxId, mine.inboxId].sort());
      await syncToRemoval(onBen);
      await assertAgree([own], [await ana.group(own.id)], forbidden);
    });

    await step("ours leave a native group: the native super admin's client takes them out", async () => {
      await theirs.addMembers([other.inboxId]);
      const onOther = await ourGroup(other, theirs.id());
      await onOther.leave();
      await takenOut(ana, theirs, other.inboxId);
      await onOther.sync();
      assert.equal(onOther.isActive, false);
      await assertAgree([await ourGroup(mine, theirs.id())], [theirs], forbidden);
    });

    await step("who left is added again, and is in", async () => {
      await theirs.addMembers([other.inboxId]);
      const again = await ourGroup(other, theirs.id());
      assert.equal(again.isActive, true);
      await again.send("back");
      assert.equal((await textsOf(theirs)).at(-1), "back");
      await assertAgree([again], [theirs]);
    });
  },
};

function inboxIds(group: Group): string[] {
  return group.members().map(({ inboxId }) => inboxId);
}

async function takenOut(by: Native, group: NativeGroup, inboxId: string): Promise<void> {
  await eventually("the native super admin's client takes out who left", async () => {
    await by.client.conversations().syncAll();
    return !(await group.listMembers()).some((member) => member.inboxId === inboxId);
  });
}
