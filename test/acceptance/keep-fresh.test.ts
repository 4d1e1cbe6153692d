import assert from "node:assert/strict";
import { test } from "node:test";
import type { Clock } from "@latchkey/client";
import { LatchkeyError } from "@latchkey/mls";
import { groupOf, TestClock, World, type Wrap } from "./support.ts";

/** Waits in the background, each until the test lets it end. */
class HeldClock extends TestClock {
  readonly #waiting: { ms: number; go: () => void }[] = [];
  #arrived = Promise.withResolvers<undefined>();

  override async sleep(ms: number, signal?: AbortSignal, options?: Parameters<Clock["sleep"]>[2]): Promise<void> {
    if (options?.background !== true) return super.sleep(ms, signal);
    signal?.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<undefined>();
    signal?.addEventListener("abort", () => reject(new Error("aborted")), { once: true });
    this.#waiting.push({ ms, go: () => resolve(undefined) });
    this.#arrived.resolve(undefined);
    await promise;
  }

  /** Lets the wait end that is under way or comes next, once `then` is done; returns how long it would have been. */
  async next(): Promise<number> {
    const waiting = await this.whenIdle();
    this.#waiting.shift();
    this.#arrived = Promise.withResolvers();
    waiting.go();
    return waiting.ms;
  }

  /** Resolves when somebody waits. */
  async whenIdle(): Promise<{ ms: number; go: () => void }> {
    while (this.#waiting[0] === undefined) await this.#arrived.promise;
    return this.#waiting[0];
  }
}

/** A member that looks after its invites by itself, with what it asks of the service. */
function unattended(clock: HeldClock, calls: string[], broken: () => boolean = () => false): Wrap {
  return (environment) => {
    const { slots } = environment;
    const note = (name: string) => {
      calls.push(name);
      if (broken()) throw new LatchkeyError("NODE_UNREACHABLE", "no answer (made up by a test)", { retryable: true });
    };
    const watched: typeof slots = {
      upload: async (...args) => (note("upload"), slots.upload(...args)),
      fetch: async (...args) => (note("fetch"), slots.fetch(...args)),
      exists: async (...args) => (note("exists"), slots.exists(...args)),
    };
    return { ...environment, slots: watched, clock, keepInvitesFresh: true };
  };
}

test("X82-25 a client that stays open looks after its invites by itself: soon after the start, then slowly, until it is closed", async (t) => {
  const world = await World.start(t);
  const { member, adminGroup } = await world.group();
  await adminGroup.createInvite();
  const clock = new HeldClock();
  const calls: string[] = [];
  let broken = false;
  await world.restart(
    member,
    unattended(clock, calls, () => broken),
  );

  await clock.whenIdle();
  assert.deepEqual(calls, [], "the program goes first");
  const first = await clock.next();
  assert.ok(first >= 5_000 && first <= 15_000, `${first}`);
  await clock.whenIdle();
  assert.deepEqual(calls, ["exists"], "one question, no download");

  // A service that fails disturbs nobody: neither the rounds to come, nor the group.
  broken = true;
  const second = await clock.next();
  assert.ok(second >= 1_800_000 && second <= 5_400_000, `${second}`);
  await clock.whenIdle();
  assert.equal(groupOf(member, adminGroup.id).isActive, true);
  broken = false;
  await clock.next();
  await clock.whenIdle();
  assert.deepEqual(calls, ["exists", "exists", "exists"]);

  member.client.close();
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(calls, ["exists", "exists", "exists"]);
  await world.restart(member);
});

test("X82-25 a committer that died before its upload: a member that merely stays open fills the slot", async (t) => {
  const world = await World.start(t);
  const { admin, member, adminGroup } = await world.group();
  const invite = await adminGroup.createInvite();
  const clock = new HeldClock();
  const calls: string[] = [];
  await world.restart(member, unattended(clock, calls));
  await world.restart(admin, (environment) => {
    const upload = async () => {
      throw new LatchkeyError("NODE_UNREACHABLE", "no answer (made up by a test)", { retryable: true });
    };
    return { ...environment, slots: { ...environment.slots, upload } };
  });
  await groupOf(admin, adminGroup.id).updateName("Renamed");

  await clock.next();
  await clock.whenIdle();

  assert.deepEqual(calls, ["exists", "upload"]);
  const joiner = await world.device("joiner");
  const { group } = await joiner.client.conversations.joinByInvite(invite.url);
  assert.equal(group.name, "Renamed");
});

test("a group's turn is not held while a service keeps a member waiting", async (t) => {
  const world = await World.start(t);
  const { member, adminGroup } = await world.group();
  await adminGroup.createInvite();
  const asked = Promise.withResolvers<undefined>();
  const answer = Promise.withResolvers<undefined>();
  await world.restart(member, (environment) => {
    const { slots } = environment;
    const exists: typeof slots.exists = async (...args) => {
      asked.resolve(undefined);
      await answer.promise;
      return slots.exists(...args);
    };
    return { ...environment, slots: { ...slots, exists } };
  });
  const group = groupOf(member, adminGroup.id);
  const refreshing = group.refreshInvite();
  await asked.promise;
  await group.send("said meanwhile");
  answer.resolve(undefined);
  await refreshing;
  await adminGroup.sync();
  assert.equal(adminGroup.messages().at(-1)?.text, "said meanwhile");
});
