import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { Client, systemClock, type Clock, type Environment } from "@latchkey/client";
import { generatedSigner } from "@latchkey/client/node";
import { decodeInvitePayload } from "@latchkey/xmtp";
import { movableWorld } from "./movable-world.ts";
import { failsWith, groupOf, TestClock, textsOf, traces, World, type Wrap } from "./support.ts";

const MINUTE_NS = 60_000_000_000n;

/** The machine's clock, set wrong by so many minutes. */
function skewed(minutes: bigint): Clock {
  return { ...systemClock, nowNs: () => systemClock.nowNs() + minutes * MINUTE_NS };
}

/** Changes how the node answers about identity logs. */
function answering(change: (ask: Environment["transport"]["getIdentityUpdates"]) => typeof ask): Wrap {
  return (environment) => {
    const { transport } = environment;
    const ask: typeof transport.getIdentityUpdates = (...args) => transport.getIdentityUpdates(...args);
    return { ...environment, transport: { ...transport, getIdentityUpdates: change(ask) } };
  };
}

/** A client whose clock is wrong by less than an hour. */
async function skewedClient(t: TestContext, world: World, minutes: bigint): Promise<Client> {
  const environment = world.environment(world.path(`${minutes}.db`), skewed(minutes));
  const client = await Client.create(generatedSigner(), environment);
  t.after(() => client.close());
  return client;
}

describe("CLOCK_WRONG: a clock that is wrong by more than an hour is told", () => {
  test("CLOCK_WRONG before anything is registered", async (t) => {
    const world = await World.start(t);
    for (const minutes of [90n, -90n, -26_000_000n]) {
      const environment = world.environment(world.path(`${minutes}.db`), skewed(minutes));
      const error = await failsWith(Client.create(generatedSigner(), environment), "CLOCK_WRONG");
      const differenceNs = error.data["differenceNs"];
      assert.ok(typeof differenceNs === "bigint");
      assert.ok(differenceNs - minutes * MINUTE_NS < MINUTE_NS && minutes * MINUTE_NS - differenceNs < MINUTE_NS);
      assert.match(error.message, /clock/);
    }
  });

  test("CLOCK_WRONG when an installation opens that is registered; it opens once the clock is set", async (t) => {
    const world = await World.start(t);
    const { member, memberGroup, adminGroup } = await world.group();
    const before = traces(member);
    const keyPackages = member.environment.store.keyPackages.list().length;
    member.client.close();
    for (const minutes of [90n, -90n, 45_000n]) {
      const environment = world.environment(member.dbPath, skewed(minutes));
      const error = await failsWith(Client.create(member.signer, environment), "CLOCK_WRONG");
      const differenceNs = error.data["differenceNs"];
      assert.ok(typeof differenceNs === "bigint");
      assert.equal(differenceNs > 0n, minutes > 0n);
    }
    await world.restart(member);
    assert.deepEqual(traces(member), before);
    assert.equal(member.environment.store.keyPackages.list().length, keyPackages, "none was made by the wrong clock");
    await adminGroup.send("the clock is right");
    const group = groupOf(member, memberGroup.id);
    await group.sync();
    assert.deepEqual(textsOf(group), ["the clock is right"]);
  });

  test("CLOCK_WRONG is not told without network: an installation opens by any clock", async (t) => {
    const world = await World.start(t);
    const { member, memberGroup } = await world.group();
    await memberGroup.send("kept");
    member.clock.forward(90 * 60_000);
    await world.node.close();
    await world.restart(member);
    assert.deepEqual(textsOf(groupOf(member, memberGroup.id)), ["kept"]);
  });

  test("CLOCK_WRONG waits 3 s for a node that never answers, and for nothing else", async (t) => {
    const world = await World.start(t);
    const { member, memberGroup } = await world.group();
    const clock = new TestClock();
    const asked = Promise.withResolvers<undefined>();
    const hangs = answering(() => (_requests, signal) => {
      asked.resolve(undefined);
      return new Promise((_, reject) => {
        signal?.addEventListener("abort", () => reject(new Error("aborted", { cause: signal.reason })));
      });
    });
    member.client.close();
    const opening = Client.create(member.signer, world.environment(member.dbPath, clock, hangs));
    await asked.promise;
    clock.forward(3_000);
    const client = await opening;
    t.after(() => client.close());
    assert.notEqual(client.conversations.get(memberGroup.id), undefined);
    const stop = new AbortController();
    const stopped = Client.create(
      generatedSigner(),
      world.environment(world.path("other.db"), new TestClock(), (environment) => {
        setImmediate(() => stop.abort(new Error("the person went back")));
        return hangs(environment);
      }),
      { signal: stop.signal },
    );
    await assert.rejects(stopped, /the person went back/);
  });

  test("CLOCK_WRONG wants more than one false time of a node, at registering and at opening", async (t) => {
    const world = await World.start(t);
    for (const lie of [1n, 2n ** 62n]) {
      const signer = generatedSigner();
      const lyingOnce = (): Wrap => {
        let answers = 0;
        return answering((ask) => async (...args) => {
          const answer = await ask(...args);
          return answers++ === 0 ? Object.assign([...answer], { asOfNs: lie }) : answer;
        });
      };
      for (let opening = 0; opening < 2; opening++) {
        const environment = world.environment(world.path(`${lie}.db`), new TestClock(), lyingOnce());
        (await Client.create(signer, environment)).close();
      }
    }
  });
});

describe("below an hour the node's time counts", () => {
  test("a clock that is off by half an hour registers, joins, is added, and talks", async (t) => {
    const world = await World.start(t);
    const { adminGroup } = await world.group();
    const invite = await adminGroup.createInvite();
    for (const minutes of [30n, -30n]) {
      const client = await skewedClient(t, world, minutes);
      const { group } = await client.conversations.joinByInvite(invite.url);
      await group.send(`${minutes}`);
      const own = await client.conversations.createGroup([], { name: "Own" });
      await own.addMembers([adminGroup.members()[0]?.inboxId ?? ""]);
      await adminGroup.sync();
    }
    assert.deepEqual(textsOf(adminGroup), ["30", "-30"]);
  });

  test("messages disappear by the node's time, whatever the clock of the reader", async (t) => {
    const { world, pass } = await movableWorld(t);
    const { admin, adminGroup } = await world.group();
    const inNs = 30n * MINUTE_NS;
    await adminGroup.updateMessageDisappearingSettings({ fromNs: 1n, inNs });
    const invite = await adminGroup.createInvite();
    const readers: Client[] = [];
    for (const minutes of [50n, -20n]) {
      const client = await skewedClient(t, world, minutes);
      readers.push(client);
      await client.conversations.joinByInvite(invite.url);
    }
    await adminGroup.send("for half an hour");
    const shown = async (client: Client) => {
      const group = client.conversations.get(adminGroup.id);
      await group?.sync();
      // What time the node has is read with any identity log; the middle one of three counts.
      for (let look = 0; look < 3; look++) await client.conversations.createGroup([admin.client.inboxId]);
      return group?.messages().map(({ text }) => text);
    };
    for (const client of readers) assert.deepEqual(await shown(client), ["for half an hour"]);
    pass(31 * 60);
    for (const client of readers) assert.deepEqual(await shown(client), []);
  });

  test("an invite ends by the node's time, whatever the clock of the joiner", async (t) => {
    const { world, pass } = await movableWorld(t);
    const { admin, adminGroup } = await world.group();
    const invite = await adminGroup.createInvite({ expiresAtNs: systemClock.nowNs() + 10n * MINUTE_NS });
    const early = await skewedClient(t, world, 50n);
    assert.equal((await early.conversations.previewInvite(invite.url)).name, "Reading circle");
    await early.conversations.joinByInvite(invite.url);
    // Kept from before its end: the service serves it no more.
    const { externalGroupId } = decodeInvitePayload(invite.payload);
    const { blobs = [] } = await admin.environment.slots.fetch({ serviceUrl: world.node.url, externalGroupId });
    pass(15 * 60);
    const late = await skewedClient(t, world, -35n);
    await failsWith(late.joinGroupByExternalInvite(invite.payload, blobs), "INVITE_EXPIRED");
  });
});
