import assert from "node:assert/strict";
import { fromBinary } from "@bufbuild/protobuf";
import { peekMlsMessage } from "@latchkey/mls";
import { SendGroupMessagesRequestSchema } from "@latchkey/xmtp/proto";
import { epochAuthenticatorStart, epochOf, membersOf, textsOf } from "../native.ts";
import type { NativeGroup } from "../native-library.ts";
import type { Scenario } from "../stage.ts";

/** Rounds in which everybody commits at once. */
const ROUNDS = 5;

export const scenario: Scenario = {
  title: "1.4 native clients on our node: racing commits",
  async run({ native, step, wire }) {
    const clients = [await native("ana"), await native("ben"), await native("eva")] as const;
    const [ana, ben, eva] = clients;
    const created = await ana.client.conversations().createGroup([ben.inboxId, eva.inboxId]);
    const groups: NativeGroup[] = [];
    for (const client of clients) groups.push(await client.group(created.id()));

    /** Everybody reads until nothing changes, then all must agree. */
    async function agree(): Promise<void> {
      for (const group of [...groups, ...groups]) await group.sync();
      const names = groups.map((group) => group.groupName());
      const epochs = await Promise.all(groups.map(epochOf));
      const authenticators = await Promise.all(groups.map(epochAuthenticatorStart));
      const forks = await Promise.all(groups.map(async (group) => (await group.debugInfo()).maybeForked));
      for (const seen of [names, epochs, authenticators]) assert.equal(new Set<unknown>(seen).size, 1, seen.join(", "));
      assert.deepEqual(new Set(forks), new Set([false]));
    }

    await step(`three rename at once, ${ROUNDS} times: every commit lands in some epoch, all agree`, async () => {
      const before = await epochOf(created);
      for (let round = 0; round < ROUNDS; round++) {
        await Promise.all(groups.map((group, index) => group.updateGroupName(`round ${round} by ${index}`)));
        await agree();
      }
      assert.ok((await epochOf(created)) >= before + BigInt(3 * ROUNDS), "no commit was lost");
    });

    await step("two add different people at once: both are in", async () => {
      const newcomers = [await native("kim"), await native("lee")] as const;
      const [kim, lee] = newcomers;
      await Promise.all([groups[0]?.addMembers([kim.inboxId]), groups[1]?.addMembers([lee.inboxId])]);
      await agree();
      const everybody = [...clients, ...newcomers].map(({ inboxId }) => inboxId).sort();
      for (const client of [...clients, ...newcomers]) {
        assert.deepEqual(await membersOf(await client.group(created.id())), everybody);
      }
    });

    await step("two add the same person at once: she is in once", async () => {
      const newcomer = await native("mia");
      await Promise.all(groups.slice(0, 2).map((group) => group.addMembers([newcomer.inboxId])));
      await agree();
      assert.equal((await membersOf(created)).filter((id) => id === newcomer.inboxId).length, 1);
      assert.ok((await newcomer.group(created.id())).isActive());
    });

    await step("texts sent amid commits are all delivered", async () => {
      await Promise.all(
        groups.flatMap((group, index) => [
          group.sendText(`amid ${index}`),
          group.updateGroupDescription(`by ${index}`),
        ]),
      );
      await agree();
      const amid = ["amid 0", "amid 1", "amid 2"];
      for (const group of groups)
        assert.deepEqual((await textsOf(group)).filter((text) => amid.includes(text)).sort(), amid);
    });

    await step("there were races: more commits were sent than epochs began", async () => {
      const commits = wire
        .requests("SendGroupMessages")
        .flatMap((request) => fromBinary(SendGroupMessagesRequestSchema, request).messages)
        .flatMap(({ version }) => (version.case === "v1" ? [peekMlsMessage(version.value.data)] : []))
        .filter(({ contentKind }) => contentKind === "commit");
      assert.ok(BigInt(commits.length) > (await epochOf(created)) + 5n, `${commits.length} commits`);
    });
  },
};
