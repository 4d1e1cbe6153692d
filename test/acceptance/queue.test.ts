import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { CLIENT_LIMITS, type Message } from "@latchkey/client";
import { fromHex, LatchkeyError } from "@latchkey/mls";
import { cut, limited, pair, rejected, states } from "./sending.ts";
import { failingWrites, failsWith, textsOf } from "./support.ts";

describe("TRU-16: a message that may have left is never reported as refused", () => {
  const troubles: readonly (readonly [string, () => unknown])[] = [
    ["a limit", limited],
    ["a refusal of the look", rejected],
    ["a wait", () => new LatchkeyError("IDENTITY_PENDING", "made up by a test", { retryable: true })],
    ["a cut line", cut],
    ["a defect", () => new TypeError("made up by a test")],
  ];
  for (const [name, trouble] of troubles) {
    test(`TRU-16: ${name} behind the node's acceptance leaves the message queued, once`, async (t) => {
      const { line, readerGroup, group, restart, sender } = await pair(t);
      line.send = async (forward) => {
        await forward();
        line.queryError = trouble;
      };
      const error = await failsWith(group().send("pay 10"), "NODE_UNREACHABLE");
      const [queued] = group().queue();
      assert.deepEqual(error.data, { messageId: queued?.id, queued: true });
      assert.equal(error.retryable, false, "saying it again would be another message");
      assert.ok(error.cause instanceof Error);
      assert.deepEqual([queued?.state, queued?.mayHaveLeft], ["waiting", true]);
      line.up();
      await restart();
      await sender.client.conversations.sync();
      await readerGroup.sync();
      for (const view of [readerGroup, group()]) assert.deepEqual(textsOf(view), ["pay 10"]);
      assert.deepEqual([group().queue(), group().messages()[0]?.id], [[], queued?.id]);
      assert.deepEqual(line.failed, []);
    });
  }

  test("TRU-16: a full disk behind the node's acceptance does the same", async (t) => {
    const { world, line, sender, readerGroup, group } = await pair(t);
    let full = false;
    await world.restart(sender, (environment) => failingWrites(line.wrap(environment), "messages", () => full));
    line.send = async (forward) => {
      await forward();
      full = true;
    };
    const error = await failsWith(group().send("kept"), "NODE_UNREACHABLE");
    assert.equal((error.cause as LatchkeyError).code, "STORE_FULL");
    full = false;
    line.up();
    await group().sync();
    await readerGroup.sync();
    for (const view of [readerGroup, group()]) assert.deepEqual(textsOf(view), ["kept"]);
  });

  test("TRU-16: an abort leaves what was queued in the queue", async (t) => {
    const { line, readerGroup, group } = await pair(t);
    const stop = new AbortController();
    line.send = async (forward) => {
      await forward();
      stop.abort(new Error("the person went back"));
      throw cut();
    };
    await assert.rejects(group().send("on its way", { signal: stop.signal }), /the person went back/);
    assert.deepEqual(states(group()), [["on its way", "waiting", undefined]]);
    line.up();
    await group().sync();
    await readerGroup.sync();
    assert.deepEqual([textsOf(readerGroup), group().queue()], [["on its way"], []]);
  });

  for (const [code, refusal] of [
    ["NODE_REJECTED", rejected],
    ["RATE_LIMITED", limited],
  ] as const) {
    test(`TRU-16: ${code} of the first copy is a refusal: nothing is queued`, async (t) => {
      const { line, group, readerGroup } = await pair(t);
      line.send = () => Promise.reject(refusal());
      await failsWith(group().send("refused"), code);
      line.up();
      assert.deepEqual(group().queue(), []);
      await group().sync();
      await readerGroup.sync();
      assert.deepEqual([textsOf(readerGroup), line.failed], [[], []]);
    });
  }

  test("TRU-16: a refusal of a later copy fails the message, is told, and an echo of the first settles it", async (t) => {
    const { line, reader, readerGroup, group, restart, sender } = await pair(t);
    line.hold();
    await failsWith(group().send("in doubt"), "NODE_UNREACHABLE");
    line.send = () => Promise.reject(rejected());
    await group().sync();
    assert.deepEqual(states(group()), [["in doubt", "failed", "NODE_REJECTED"]]);
    const [told] = line.failed;
    assert.deepEqual([line.failed.length, told?.groupId, told?.message], [1, group().id, group().queue()[0]]);
    line.up();
    // It stands in nobody's way, is not sent again, and is told once, also after a restart.
    await group().send("behind it");
    await restart();
    await sender.client.conversations.sync();
    assert.deepEqual(states(group()), [["in doubt", "failed", "NODE_REJECTED"]]);
    assert.equal(line.failed.length, 1);
    await line.release(reader);
    await group().sync();
    await readerGroup.sync();
    for (const view of [group(), readerGroup]) assert.deepEqual(textsOf(view), ["behind it", "in doubt"]);
    assert.deepEqual(group().queue(), []);
  });
});

describe("TRU-16: one that will never leave is shown as failed", () => {
  test("TRU-16: removed while offline, across a restart: failed until it is cancelled, and told once", async (t) => {
    const { line, readerGroup, group, restart, sender } = await pair(t);
    line.down();
    const error = await failsWith(group().send("written on the train"), "NODE_UNREACHABLE");
    assert.deepEqual([group().queue()[0]?.id, group().queue()[0]?.mayHaveLeft], [error.data["messageId"], false]);
    await restart();
    await readerGroup.removeMembers([sender.client.inboxId]);
    line.up();
    await sender.client.conversations.sync();
    assert.equal(group().isActive, false);
    assert.deepEqual(states(group()), [["written on the train", "failed", "NOT_A_MEMBER"]]);
    await restart();
    await sender.client.conversations.sync();
    assert.deepEqual(states(group()), [["written on the train", "failed", "NOT_A_MEMBER"]]);
    assert.equal(line.failed.length, 1);
    const id = group().queue()[0]?.id ?? "";
    assert.deepEqual(await group().cancel(id), { cancelled: true, mayHaveLeft: false });
    assert.deepEqual(group().queue(), []);
    await failsWith(group().cancel(id), "ARGUMENT_INVALID");
  });

  test("TRU-16: removed while a message is under way", async (t) => {
    const { line, readerGroup, group, sender } = await pair(t);
    line.send = async (forward) => {
      line.send = undefined;
      await readerGroup.removeMembers([sender.client.inboxId]);
      await forward();
    };
    await failsWith(group().send("too late"), "NOT_A_MEMBER");
    assert.deepEqual(states(group()), [["too late", "failed", "NOT_A_MEMBER"]]);
    assert.equal(line.failed.length, 1);
    await readerGroup.sync();
    assert.deepEqual(textsOf(readerGroup), []);
    // Added again: what failed is not sent, and may be said once more under its own name.
    await readerGroup.addMembers([sender.client.inboxId]);
    await sender.client.conversations.sync();
    assert.deepEqual(states(group()), [["too late", "failed", "NOT_A_MEMBER"]]);
    await group().send("back");
    await readerGroup.sync();
    assert.deepEqual(textsOf(readerGroup), ["back"]);
    await group().forget();
    assert.equal(sender.environment.store.outbox.list().length, 0);
  });

  test("TRU-16: a removal that a stream reads is told as well", async (t) => {
    const { line, readerGroup, group, sender } = await pair(t);
    line.send = () => Promise.reject(cut());
    await failsWith(group().send("never"), "NODE_UNREACHABLE");
    const ended = group().stream().next();
    await readerGroup.removeMembers([sender.client.inboxId]);
    assert.equal((await ended).done, true);
    assert.deepEqual(
      line.failed.map(({ message }) => [message.text, message.error]),
      [["never", "NOT_A_MEMBER"]],
    );
  });

  test("TRU-16: a request to leave is no message: it is in no queue, and is sent once", async (t) => {
    const { line, readerGroup, group, sender } = await pair(t);
    line.hold();
    await failsWith(group().leave(), "NODE_UNREACHABLE");
    await failsWith(group().leave(), "NODE_UNREACHABLE");
    assert.deepEqual([group().queue(), sender.environment.store.outbox.list().length], [[], 1]);
    line.send = () => Promise.reject(rejected());
    await group().sync();
    assert.deepEqual([sender.environment.store.outbox.list(), line.failed], [[], []]);
    line.up();
    await group().leave();
    await readerGroup.sync();
    assert.equal(readerGroup.members().length, 1);
  });
});

describe("TRU-16: the same idempotency key is the same message", () => {
  const key = { idempotencyKey: "order 4711" };

  test("TRU-16: two at once, again later, after a restart, without network, and when it has disappeared", async (t) => {
    const { line, readerGroup, group, restart, sender } = await pair(t);
    const [a, b] = await Promise.all([group().send("pay 10", key), group().send("pay 10", key)]);
    assert.deepEqual(a, b);
    line.down();
    assert.deepEqual(await group().send("pay 10", key), a);
    await restart();
    assert.deepEqual(await group().send("pay 10", key), a);
    await failsWith(group().send("pay 20", key), "ARGUMENT_INVALID");
    line.up();
    // As a message that has disappeared is gone.
    sender.environment.store.transaction(({ messages }) => messages.delete(fromHex(group().id)));
    assert.deepEqual(await group().send("pay 10", key), a);
    await readerGroup.sync();
    assert.deepEqual(textsOf(readerGroup), ["pay 10"]);
  });

  test("TRU-16: while it is queued, in a later epoch, and after it failed", async (t) => {
    const { line, reader, readerGroup, group, restart } = await pair(t);
    line.down();
    const error = await failsWith(group().send("pay 10", key), "NODE_UNREACHABLE");
    assert.equal(error.retryable, true, "the same call is the same message");
    await failsWith(group().send("pay 20", key), "ARGUMENT_INVALID");
    await restart();
    await failsWith(group().send("pay 10", key), "NODE_UNREACHABLE");
    assert.equal(group().queue().length, 1);
    line.up();
    await readerGroup.rotateKeys();
    const sent = await group().send("pay 10", key);
    assert.equal(sent.id, error.data["messageId"]);

    line.hold();
    await failsWith(group().send("second", { idempotencyKey: "2" }), "NODE_UNREACHABLE");
    line.send = () => Promise.reject(limited());
    await failsWith(group().send("second", { idempotencyKey: "2" }), "NODE_UNREACHABLE");
    line.send = () => Promise.reject(rejected());
    await failsWith(group().send("second", { idempotencyKey: "2" }), "NODE_UNREACHABLE");
    assert.deepEqual(states(group()), [["second", "failed", "NODE_REJECTED"]]);
    line.up();
    assert.equal((await group().send("second", { idempotencyKey: "2" })).text, "second");
    await line.release(reader);
    await readerGroup.sync();
    assert.deepEqual([textsOf(readerGroup), group().queue()], [["pay 10", "second"], []]);
  });

  test("TRU-16: the key is of one group and one installation, and no other text is one", async (t) => {
    const { readerGroup, group, reader, sender } = await pair(t);
    const other = await sender.client.conversations.createGroup([reader.client.inboxId]);
    const sent: Message[] = [];
    for (const view of [group(), readerGroup, other]) sent.push(await view.send("the same", key));
    assert.equal(new Set(sent.map(({ id }) => id)).size, 3);
    await group().sync();
    await readerGroup.sync();
    for (const view of [group(), readerGroup]) assert.deepEqual(textsOf(view), ["the same", "the same"]);
    for (const idempotencyKey of ["", "ü".repeat(129)]) {
      await failsWith(group().send("x", { idempotencyKey }), "ARGUMENT_INVALID");
    }
    await group().send("x", { idempotencyKey: "ü".repeat(128) });
  });
});

describe("TRU-16: queued messages can be cancelled", () => {
  test("TRU-16: what never left is read by nobody; what may have left is told, and shown if it comes back", async (t) => {
    const { line, reader, readerGroup, group, restart } = await pair(t);
    line.down();
    await failsWith(group().send("never"), "NODE_UNREACHABLE");
    line.up();
    line.hold();
    // The first copy is held while another one waits behind it.
    await failsWith(group().sync(), "NODE_UNREACHABLE");
    line.down();
    await failsWith(group().send("not at all"), "NODE_UNREACHABLE");
    await restart();
    const [first, second] = group().queue();
    assert.ok(first !== undefined && second !== undefined);
    assert.deepEqual([first.mayHaveLeft, second.mayHaveLeft], [true, false]);
    assert.deepEqual(await group().cancel(first.id.toUpperCase()), { cancelled: true, mayHaveLeft: true });
    assert.deepEqual(await group().cancel(second.id), { cancelled: true, mayHaveLeft: false });
    line.up();
    line.published = 0;
    await group().sync();
    assert.deepEqual([group().queue(), line.published], [[], 0]);
    await line.release(reader);
    await group().sync();
    await readerGroup.sync();
    for (const view of [group(), readerGroup]) assert.deepEqual(textsOf(view), ["never"]);
    assert.deepEqual(await group().cancel(first.id), { cancelled: false, mayHaveLeft: true });
    for (const id of [second.id, "", "no id"]) await failsWith(group().cancel(id), "ARGUMENT_INVALID");
  });

  test("TRU-16: a queue is bounded, and what was cancelled takes no place in it for long", async (t) => {
    const { line, group, sender } = await pair(t);
    line.hold();
    await failsWith(group().send("the first"), "NODE_UNREACHABLE");
    line.down();
    const { store } = sender.environment;
    const [row] = store.outbox.list();
    assert.ok(row !== undefined);
    store.transaction(({ outbox }) => {
      for (let queueId = 2n; queueId <= CLIENT_LIMITS.maxQueuedMessages; queueId++) outbox.put({ ...row, queueId });
    });
    await failsWith(group().send("one too many"), "QUEUE_FULL");
    assert.equal(group().queue().length, CLIENT_LIMITS.maxQueuedMessages);
    await group().cancel(group().queue()[0]?.id ?? "");
    await failsWith(group().send("in its place"), "NODE_UNREACHABLE");
    await failsWith(group().send("one too many"), "QUEUE_FULL");
    assert.equal(group().queue().at(-1)?.text, "in its place");
  });
});
