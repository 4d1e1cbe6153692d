import assert from "node:assert/strict";
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createNodeClient, walletSigner } from "@latchkey/client/node";
import { assertAgree, ourGroup, ourTexts } from "../mixed.ts";
import { textsOf } from "../native.ts";
import type { Scenario } from "../stage.ts";

export const scenario: Scenario = {
  title: "3.8 a parted installation is added again, beside native members",
  async run({ native, ours, newWallet, step, wire }) {
    const directory = mkdtempSync(join(tmpdir(), "latchkey-interop-"));
    const dbPath = join(directory, "carol.db");
    const wallet = newWallet();
    const open = () => createNodeClient(walletSigner(wallet), { dbPath, nodeUrl: wire.url, keepInvitesFresh: false });
    let carol = await open();
    try {
      const alice = await ours("alice");
      const [ana, ben] = [await native("ana"), await native("ben")];
      const members = [carol.inboxId, ana.inboxId, ben.inboxId];
      const group = await alice.conversations.createGroup(members, { name: "lake" });
      const [onAna, onBen] = [await ana.group(group.id), await ben.group(group.id)];
      let onCarol = await ourGroup(carol, group.id);
      await assertAgree([group, onCarol], [onAna, onBen]);

      await step(
        "a restored database is parted; natives follow the commit that adds its installation again",
        async () => {
          carol.close();
          copyFileSync(dbPath, `${dbPath}.backup`);
          carol = await open();
          onCarol = await ourGroup(carol, group.id);
          await onCarol.send("after the backup");
          carol.close();
          copyFileSync(`${dbPath}.backup`, dbPath);
          carol = await open();
          onCarol = await ourGroup(carol, group.id);
          assert.equal(onCarol.status, "parted");
          const { epoch } = group;
          await alice.conversations.sync();
          assert.equal(group.epoch, epoch + 1n);
          assert.equal((await ourGroup(carol, group.id)).status, "pending");
          await assertAgree([group], [onAna, onBen]);
        },
      );

      await step("a native member's message confirms the return, and everybody reads everybody", async () => {
        await onAna.sendText("welcome back");
        assert.equal((await ourTexts(onCarol)).at(-1), "welcome back");
        assert.deepEqual([onCarol.status, onCarol.gaps().length], ["confirmed", 1]);
        await onCarol.send("here I am");
        assert.equal((await textsOf(onBen)).at(-1), "here I am");
        assert.equal((await ourTexts(group)).at(-1), "here I am");
        await assertAgree([group, onCarol], [onAna, onBen]);
      });
    } finally {
      carol.close();
      rmSync(directory, { recursive: true, force: true });
    }
  },
};
