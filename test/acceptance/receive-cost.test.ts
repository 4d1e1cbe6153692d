import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { BinaryReader } from "@bufbuild/protobuf/wire";
import { Reader } from "@latchkey/mls";
import { generatedSigner } from "@latchkey/client/node";
import { groupInfoOf } from "../../packages/testkit/src/bench/client/measure-client.ts";
import { Place } from "../../packages/testkit/src/bench/client/fixture.ts";
import { Scanners } from "../../packages/testkit/src/bench/client/scanners.ts";

const [FEW, MANY] = [12, 60];

/** Counts what is read of TLS and of protobufs: no leaf and no entry of a map is decoded without. */
function countReads(t: TestContext) {
  const u8 = t.mock.method(Reader.prototype, "u8");
  const tag = t.mock.method(BinaryReader.prototype, "tag");
  return async (work: () => Promise<unknown>): Promise<number> => {
    u8.mock.resetCalls();
    tag.mock.resetCalls();
    await work();
    return u8.mock.callCount() + tag.mock.callCount();
  };
}

test("a client that takes in a join, a commit or a message decodes nothing of members that they do not touch", async (t) => {
  const place = new Place();
  t.after(() => place.close());
  const admin = await place.open(generatedSigner(), "admin");
  const group = await admin.conversations.createGroup([], { name: "Poster" });
  const { url } = await group.createInvite();
  const reader = await place.open(generatedSigner(), "reader");
  const joined = await reader.conversations.joinByInvite(url);
  await group.sync();
  const scanners = new Scanners(place.transport);
  const reads = countReads(t);

  const costs: { join: number; commit: number; message: number }[] = [];
  for (const members of [FEW, MANY]) {
    await scanners.join(members - group.members().length, await groupInfoOf(group));
    await group.sync();
    await joined.group.sync();
    await scanners.join(1, await groupInfoOf(group));
    const join = await reads(() => joined.group.sync());
    await group.updateName(`${members} and one`);
    const commit = await reads(() => joined.group.sync());
    await group.send("hello");
    const message = await reads(() => joined.group.sync());
    costs.push({ join, commit, message });
  }
  const [few, many] = costs;
  assert.ok(few !== undefined && many !== undefined);
  assert.equal(joined.group.epochAuthenticator, group.epochAuthenticator);
  // The path of a commit grows by a few nodes. Decoding a member's entry takes six reads, and its leaf forty.
  for (const kind of ["join", "commit", "message"] as const) {
    assert.ok(few[kind] > 0);
    assert.ok(many[kind] - few[kind] < 2 * (MANY - FEW), `${kind}: ${few[kind]} reads, then ${many[kind]}`);
  }
});
