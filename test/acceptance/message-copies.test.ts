import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { describe, test } from "node:test";
import { Client } from "@latchkey/client";
import { generatedSigner, nodeEnvironment } from "@latchkey/client/node";
import { fromHex } from "@latchkey/mls";
import { encodeTextMessage } from "@latchkey/xmtp";
import { rawExternalCommit } from "./forge.ts";
import { Line, pair } from "./sending.ts";
import { failsWith, groupOf, mlsOf, openSlot, publishRaw, readLog, textsOf, World, type Device } from "./support.ts";

/** The same message of a device once more, with a key of its own, as a sender repeats it that lost its outbox. */
async function sayAgain(world: World, device: Device, id: string): Promise<void> {
  const groupId = fromHex(id);
  const { plaintext } = encodeTextMessage(groupId, "one id for all", "one key for all");
  const { message, change } = await mlsOf(device, id).encryptApplication(plaintext);
  device.environment.store.transaction(({ groupRows }) => {
    for (const [rowKey, value] of change.rows) {
      if (value === null) groupRows.delete(groupId, rowKey);
      else groupRows.put({ groupId, rowKey, value });
    }
  });
  await publishRaw(device, message);
  await world.restart(device);
}

describe("TRU-16: readers show a (sender installation, message id) once", () => {
  test("TRU-16: a copy that was held up arrives behind the second one, and again after restarts", async (t) => {
    const { world, line, reader, sender, readerGroup, group, restart } = await pair(t);
    const stop = new AbortController();
    const seen: string[] = [];
    const streaming = (async () => {
      for await (const { text } of readerGroup.stream({ signal: stop.signal })) {
        seen.push(text ?? "");
        if (text === "the end") stop.abort();
      }
    })();
    line.hold();
    await failsWith(group().send("pay 10"), "NODE_UNREACHABLE");
    line.up();
    await readerGroup.rotateKeys();
    await restart();
    await sender.client.conversations.sync();
    await readerGroup.sync();
    await line.release(reader);
    await group().send("the end");
    await streaming;
    assert.deepEqual(seen, ["pay 10", "the end"]);
    await world.restart(reader);
    for (const [device, id] of [
      [reader, readerGroup.id],
      [sender, readerGroup.id],
    ] as const) {
      const view = groupOf(device, id);
      await view.sync();
      assert.deepEqual(textsOf(view), ["pay 10", "the end"]);
      assert.deepEqual(view.rejections(), []);
      assert.equal(view.status, "confirmed");
    }
    assert.deepEqual(group().queue(), []);
  });

  test("TRU-16: an earlier copy settles the message, and the later one is not shown", async (t) => {
    const { line, readerGroup, group } = await pair(t);
    line.hold();
    await failsWith(group().send("once"), "NODE_UNREACHABLE");
    line.up();
    await readerGroup.rotateKeys();
    // Encrypted anew, and held as well; the earlier copy comes through.
    line.hold();
    await failsWith(group().sync(), "NODE_UNREACHABLE");
    const [first, second] = line.held.splice(0);
    assert.ok(first !== undefined && second !== undefined);
    line.up();
    await first();
    await group().sync();
    assert.deepEqual([textsOf(group()), group().queue()], [["once"], []]);
    await second();
    for (const view of [group(), readerGroup]) {
      await view.sync();
      assert.deepEqual(textsOf(view), ["once"]);
    }
  });

  test("TRU-16: a copy is told from the same message id of another sender, in later epochs and after a restart", async (t) => {
    const world = await World.start(t);
    const { admin, member, adminGroup } = await world.group();
    const reader = await world.device("reader");
    await adminGroup.addMembers([reader.client.inboxId]);
    await member.client.conversations.sync();
    await reader.client.conversations.sync();
    const { id } = adminGroup;
    const say = async () => {
      for (const device of [admin, member]) await sayAgain(world, device, id);
      await groupOf(reader, id).sync();
    };
    await say();
    await say();
    await world.restart(reader);
    await groupOf(reader, id).rotateKeys();
    for (const device of [admin, member]) await groupOf(device, id).sync();
    await say();
    const said = (device: Device) =>
      groupOf(device, id)
        .messages()
        .map((message) => message.senderInstallationId);
    const both = [admin.client.installationId, member.client.installationId];
    assert.deepEqual(said(reader), both);
    assert.equal((await readLog(reader, id)).length, 9, "two additions, a rotation and six copies");
    assert.equal(groupOf(member, id).status, "confirmed");
  });

  for (const dbEncryptionKey of [undefined, new Uint8Array(32).fill(5)]) {
    const kind = dbEncryptionKey === undefined ? "a readable" : "an encrypted";
    test(`TRU-16: ${kind} database of an earlier version knows its messages, and loses second copies`, async (t) => {
      const world = await World.start(t);
      const author = await world.device("author");
      const dbPath = world.path("old.db");
      const signer = generatedSigner();
      const environment = () =>
        nodeEnvironment({
          dbPath,
          nodeUrl: world.node.url,
          keepInvitesFresh: false,
          ...(dbEncryptionKey && { dbEncryptionKey }),
        });
      let opened = environment();
      let client = await Client.create(signer, opened);
      t.after(() => client.close());
      const group = await author.client.conversations.createGroup([client.inboxId]);
      await client.conversations.sync();
      await sayAgain(world, author, group.id);
      await client.conversations.sync();
      // As version 0.1.0 left it: no row for any message, and a copy that it did not know for one.
      opened.store.transaction(({ messageIds, messages, identity }) => {
        const [message] = messages.list();
        const self = identity.get("self");
        assert.ok(message !== undefined && self !== undefined);
        messages.put({ ...message, id: message.id + 1n });
        messageIds.delete(message.groupId);
        identity.put({ ...self, messagesMarked: 0n });
      });
      client.close();
      opened = environment();
      client = await Client.create(signer, opened);
      await sayAgain(world, author, group.id);
      await client.conversations.sync();
      const view = client.conversations.get(group.id);
      assert.deepEqual(
        view?.messages().map(({ text }) => text),
        ["one id for all"],
      );
      assert.equal(opened.store.messageIds.count(fromHex(group.id)), 1);
      client.close();
      const database = new DatabaseSync(dbPath, { readOnly: true });
      const [row] = database.prepare("SELECT sent_at_ns = 0 AS sealed FROM message_ids").all();
      database.close();
      assert.equal(row?.["sealed"], dbEncryptionKey === undefined ? 0 : 1, "its time is sealed with a key");
    });
  }
});

describe("TRU-16: nobody keeps others from sending", () => {
  test("TRU-16: a link holder posts a poisoned join each 60 s, and every message is sent and read", async (t) => {
    let aheadNs = 0n;
    const nowNs = () => BigInt(Date.now()) * 1_000_000n + aheadNs;
    const world = await World.start(t, { clock: { wallNs: nowNs, monotonicNs: nowNs } });
    const line = new Line();
    const admin = await world.device("admin");
    const member = await world.device("member", { wrap: line.wrap });
    const adminGroup = await admin.client.conversations.createGroup([member.client.inboxId]);
    const { payload } = await adminGroup.createInvite();
    await member.client.conversations.sync();
    const stranger = await world.device("stranger");
    const info = await openSlot(stranger, payload, world.node.url);
    const poison = async (id: bigint) =>
      publishRaw(stranger, await rawExternalCommit(stranger, info, { sequenceId: 1_000_000n + id }));
    const said: string[] = [];
    for (let minute = 0n; minute < 6n; minute++) {
      await poison(minute);
      for (const [who, group] of [
        ["member", groupOf(member, adminGroup.id)],
        ["admin", adminGroup],
      ] as const) {
        const text = `${who} in minute ${minute}`;
        const message = await group.send(text);
        said.push(text);
        assert.equal(message.text, text);
        assert.ok(group.waitsUntilNs !== undefined, "the group waits all the while");
      }
      if (minute === 3n) await world.restart(member, line.wrap);
      aheadNs += 60_000_000_000n;
    }
    // Each message left once, but for those that a restart made doubtful, and none failed.
    assert.ok(line.published <= 8, `${line.published} copies of six messages`);
    aheadNs += 61_000_000_000n;
    for (const view of [groupOf(member, adminGroup.id), adminGroup]) {
      await view.sync();
      assert.equal(view.waitsUntilNs, undefined);
      assert.deepEqual(textsOf(view), said);
      assert.deepEqual(view.queue(), []);
    }
    assert.deepEqual(line.failed, []);
  });

  test("TRU-16: a commit behind the envelope that waits ends the epoch, and the message is read all the same", async (t) => {
    let aheadNs = 0n;
    const nowNs = () => BigInt(Date.now()) * 1_000_000n + aheadNs;
    const world = await World.start(t, { clock: { wallNs: nowNs, monotonicNs: nowNs } });
    const { member, adminGroup, memberGroup } = await world.group();
    const { payload } = await adminGroup.createInvite();
    await memberGroup.sync();
    const stranger = await world.device("stranger");
    const info = await openSlot(stranger, payload, world.node.url);
    await publishRaw(stranger, await rawExternalCommit(stranger, info, { sequenceId: 1_000_000n }));
    await memberGroup.sync();
    aheadNs += 61_000_000_000n;
    // The admin passes the poison and changes the epoch; the member's clock of the node stands still.
    await adminGroup.rotateKeys();
    await adminGroup.rotateKeys();
    aheadNs -= 61_000_000_000n;
    const sent = await memberGroup.send("across epochs");
    aheadNs += 61_000_000_000n;
    await memberGroup.sync();
    await adminGroup.sync();
    for (const view of [memberGroup, adminGroup]) assert.deepEqual(textsOf(view), ["across epochs"]);
    assert.equal(memberGroup.messages()[0]?.id, sent.id);
    assert.deepEqual(groupOf(member, adminGroup.id).queue(), []);
  });
});
