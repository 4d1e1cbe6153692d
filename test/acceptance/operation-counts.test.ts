import assert from "node:assert/strict";
import { test } from "node:test";
import { generatedSigner } from "@latchkey/client/node";
import { noTraffic, Place } from "../../packages/testkit/src/bench/client/fixture.ts";
import { registerPeople } from "../../packages/testkit/src/bench/client/scanners.ts";

const SIZES = [10, 100] as const;

type Counts = Record<string, { readonly transactions: number; readonly requests: number }>;

/** What each operation costs in a group of that many members, in durable transactions and requests to the node. */
async function countOperations(place: Place, people: readonly string[], members: number): Promise<Counts> {
  const counts: Counts = {};
  const traffic = noTraffic();
  const count = async <T>(operation: string, work: () => Promise<T>): Promise<T> => {
    Object.assign(traffic, noTraffic());
    const result = await work();
    counts[operation] = { transactions: traffic.transactions, requests: traffic.requests };
    return result;
  };
  const open = (name: string) => place.open(generatedSigner(), `${name} ${members}`, traffic);
  const [admin, member] = [await open("admin"), await open("member")];
  const group = await count("create a group", () =>
    admin.conversations.createGroup([member.inboxId, ...people.slice(0, members - 2)], { name: "Poster" }),
  );
  assert.equal(group.members().length, members);
  await count("join by Welcome", () => member.conversations.sync());
  const beside = member.conversations.get(group.id);
  assert.ok(beside !== undefined);
  await count("send", () => beside.send("hello"));
  await count("receive a message", () => group.sync());
  await count("rename", () => group.updateName("Notice"));
  await count("follow a commit", () => beside.sync());
  await count("sync all groups", () => member.conversations.sync());
  const { url } = await count("create an invite", () => group.invites.create({ force: true }));
  const stranger = await open("stranger");
  const joined = await count("join by invite", () => stranger.conversations.joinByInvite(url));
  await count("receive a join", () => group.sync());
  await beside.sync();
  const extra = await open("extra");
  await count("add a member", () => group.addMembers([extra.inboxId]));
  await count("remove a member", () => group.removeMembers([extra.inboxId]));
  await joined.group.sync();
  assert.equal(joined.group.epochAuthenticator, group.epochAuthenticator);
  return counts;
}

test("SPD-01 what an operation asks of the node and writes does not grow with the members", async (t) => {
  const place = new Place();
  t.after(() => place.close());
  const people = (await registerPeople(place.transport, Math.max(...SIZES))).map(({ inboxId }) => inboxId);
  const [few, many] = [await countOperations(place, people, SIZES[0]), await countOperations(place, people, SIZES[1])];
  for (const [operation, { transactions, requests }] of Object.entries(few)) {
    t.diagnostic(`${operation}: ${transactions} transactions, ${requests} requests`);
  }
  assert.deepEqual(many, few);
});
