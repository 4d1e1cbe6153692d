import assert from "node:assert/strict";
import { epochOf } from "../native.ts";
import type { Scenario } from "../stage.ts";
import { eventually } from "../wait.ts";

export const scenario: Scenario = {
  title: "1.9 native clients on our node: the commit log, by which the library finds forks",
  async run({ native, step, wire }) {
    const often = { commitLogEveryMs: 500 };
    const ana = await native("ana", undefined, often);
    const ben = await native("ben", undefined, often);
    const group = await ana.client.conversations().createGroup([ben.inboxId]);
    for (const name of ["one", "two", "three"]) await group.updateGroupName(name);
    const onBen = await ben.group(group.id());
    // The library follows the log of conversations its user has agreed to; who writes agrees.
    await onBen.sendText("here I am");
    await group.sync();

    await step("the creator publishes what it applied", async () => {
      await eventually("a commit log was published", async () => wire.requests("BatchPublishCommitLog").length > 0);
    });

    await step("both read it back and find that they are not forked", async () => {
      for (const seen of [group, onBen]) {
        await eventually("the log was compared", async () => (await seen.debugInfo()).isCommitLogForked === false);
        assert.notEqual((await seen.debugInfo()).remoteCommitLog, "[]");
      }
      assert.equal(await epochOf(group), await epochOf(onBen));
    });
  },
};
