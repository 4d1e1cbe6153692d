import assert from "node:assert/strict";
import { assertAgree, ourGroup, ourTexts } from "../mixed.ts";
import { storedTextsOf, syncToRemoval, textsOf } from "../native.ts";
import type { Scenario } from "../stage.ts";

export const scenario: Scenario = {
  title: "3.1 native clients in our group, which is on app data from birth",
  async run({ native, ours, newWallet, step }) {
    const wallet = newWallet();
    const [mine, phone] = [await ours("mine", wallet), await ours("mine-phone", wallet)];
    const [ana, ben] = [await native("ana"), await native("ben")];

    const group = await step("our client creates a group with our phone and a native inbox; all are in", async () => {
      const created = await mine.conversations.createGroup([ana.inboxId], { name: "lake", description: "swim" });
      const onPhone = await ourGroup(phone, created.id);
      const onAna = await ana.group(created.id);
      assert.equal(onAna.proposalsEnabled(), true);
      assert.equal(onAna.pausedForVersion(), null);
      assert.equal(onAna.addedByInboxId(), mine.inboxId);
      await assertAgree([created, onPhone], [onAna]);
      return created;
    });
    const onPhone = await ourGroup(phone, group.id);
    const onAna = await ana.group(group.id);

    await step("text is text on both sides", async () => {
      const expected: string[] = [];
      for (const [index, send] of [
        (text: string) => group.send(text),
        (text: string) => onAna.sendText(text),
        (text: string) => onPhone.send(text),
        (text: string) => onAna.sendText(text),
      ].entries()) {
        const text = `message ${index}: äöü 🦆`;
        await send(text);
        expected.push(text);
      }
      assert.deepEqual(await textsOf(onAna), expected);
      for (const seen of [group, onPhone]) assert.deepEqual(await ourTexts(seen), expected);
      await assertAgree([group, onPhone], [onAna]);
    });

    await step("message ids are the same on both sides", async () => {
      const nativeIds = (await onAna.listMessages()).filter(({ kind }) => kind === 0).map(({ id }) => id);
      assert.deepEqual(
        group
          .messages()
          .map(({ id }) => id)
          .filter((id) => !nativeIds.includes(id)),
        [],
      );
    });

    await step("the native client renames, ours follow", async () => {
      await onAna.updateGroupName("river");
      await assertAgree([group, onPhone], [onAna]);
      assert.equal(group.name, "river");
    });

    await step("ours rename and describe, the native client follows", async () => {
      await group.updateName("sea");
      await onPhone.updateDescription("dive");
      await assertAgree([group, onPhone], [onAna]);
      assert.equal(onAna.groupName(), "sea");
      assert.equal(onAna.groupDescription(), "dive");
    });

    await step("ours add a second native inbox: it reads from there on, and writes", async () => {
      await group.addMembers([ben.inboxId]);
      await group.send("hello ben");
      const onBen = await ben.group(group.id);
      assert.deepEqual(await textsOf(onBen), ["hello ben"]);
      await onBen.sendText("hello all");
      assert.equal((await ourTexts(group)).at(-1), "hello all");
      assert.equal((await textsOf(onAna)).at(-1), "hello all");
      await assertAgree([group, onPhone], [onAna, onBen]);
    });

    await step("the native client adds one of ours, who joins by its Welcome", async () => {
      const other = await ours("other");
      await onAna.addMembers([other.inboxId]);
      await onAna.sendText("hello other");
      const onOther = await ourGroup(other, group.id);
      assert.deepEqual(await ourTexts(onOther), ["hello other"]);
      await onOther.send("other is here");
      assert.equal((await textsOf(onAna)).at(-1), "other is here");
      await assertAgree([group, onPhone, onOther], [onAna, await ben.group(group.id)]);
    });

    await step("roles: ours make the native member an admin, who removes a member", async () => {
      await group.promote(ana.inboxId, "admin");
      await onAna.sync();
      assert.equal(onAna.isAdmin(ana.inboxId), true);
      const onBen = await ben.group(group.id);
      await onAna.removeMembers([ben.inboxId]);
      await syncToRemoval(onBen);
      await assertAgree([group, onPhone], [onAna]);
      await group.demote(ana.inboxId, "admin");
      await assertAgree([group, onPhone], [onAna]);
      assert.equal(onAna.isAdmin(ana.inboxId), false);
    });

    await step("ours remove the native member, who reads nothing sent after that; and add it again", async () => {
      await group.removeMembers([ana.inboxId]);
      await group.send("without ana");
      await syncToRemoval(onAna);
      assert.ok(!(await storedTextsOf(onAna)).includes("without ana"));
      await group.addMembers([ana.inboxId]);
      await group.send("ana is back");
      const again = await ana.group(group.id);
      assert.equal((await textsOf(again)).at(-1), "ana is back");
      await assertAgree([group, onPhone], [again]);
    });

    await step("ours and native commit at once, 5 times: all agree", async () => {
      for (let round = 0; round < 5; round++) {
        const onAnaNow = await ana.group(group.id);
        await Promise.all([
          group.updateName(`ours ${round}`),
          onAnaNow.updateGroupName(`native ${round}`),
          onPhone.updateDescription(`phone ${round}`),
        ]);
        await group.sync();
        await assertAgree([group, onPhone], [onAnaNow]);
      }
    });

    await step(
      "130 texts of ours are read by the native client, and 130 of its by ours, complete and in order",
      async () => {
        const onAnaNow = await ana.group(group.id);
        const before = (await ourTexts(group)).length;
        const expected: string[] = [];
        for (let index = 0; index < 130; index++) {
          await group.send(`ours ${index}`);
          expected.push(`ours ${index}`);
        }
        await onAnaNow.sync();
        for (let index = 0; index < 130; index++) {
          await onAnaNow.sendText(`native ${index}`);
          expected.push(`native ${index}`);
        }
        assert.deepEqual((await ourTexts(onPhone)).slice(before), expected);
        assert.deepEqual((await textsOf(onAnaNow)).slice(-expected.length), expected);
      },
    );
  },
};
