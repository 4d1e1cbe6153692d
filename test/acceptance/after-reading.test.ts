import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { DUTIES } from "../../packages/client/src/upkeep/after-reading.ts";
import type { Duty } from "../../packages/client/src/upkeep/duty.ts";
import { withoutKeyPackage } from "./key-packages.ts";
import { groupOf, World, type Device } from "./support.ts";

/** Ways by which an installation reads a group's log: each gets the world, a reader and a member that writes. */
const WAYS_IN: Readonly<Record<string, (scene: Scene) => Promise<void>>> = {
  "conversations.sync": async ({ reader }) => {
    await reader.client.conversations.sync();
  },
  "group.sync": async ({ reader, groupId }) => groupOf(reader, groupId).sync(),
  "a stream": async ({ reader, groupId, write }) => {
    const stop = new AbortController();
    const stream = groupOf(reader, groupId).stream({ signal: stop.signal });
    const next = stream.next();
    await write();
    await next;
    const ended = stream.next();
    // What listens does by itself takes turns of the event loop; the clock of the test passes no time.
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    stop.abort();
    await ended;
  },
  "a join": async ({ world, url }) => {
    const joiner = await world.device("joiner");
    await joiner.client.conversations.joinByInvite(url);
  },
};

interface Scene {
  readonly world: World;
  readonly reader: Device;
  readonly groupId: string;
  readonly url: string;
  readonly write: () => Promise<unknown>;
}

async function sceneOf(t: TestContext): Promise<Scene> {
  const world = await World.start(t);
  const { member: reader, adminGroup } = await world.group();
  const { url } = await adminGroup.createInvite();
  return { world, reader, groupId: adminGroup.id, url, write: () => adminGroup.send("news") };
}

/** Lets a scheduled duty be due at once until it has run. */
function delayOnce(t: TestContext, duty: Duty, hasRun: () => boolean): void {
  if (duty.delayMs === undefined) return;
  const scheduled = duty as Required<Pick<Duty, "delayMs">>;
  t.mock.method(scheduled, "delayMs", () => (hasRun() ? undefined : 0));
}

for (const [way, enter] of Object.entries(WAYS_IN)) {
  test(`after ${way} every duty of the list is run, in the order of the list`, async (t) => {
    const scene = await sceneOf(t);
    const run: string[] = [];
    for (const duty of DUTIES) {
      t.mock.method(duty, "run", async () => void run.push(duty.name));
      delayOnce(t, duty, () => run.includes(duty.name));
    }
    await enter(scene);
    const names = DUTIES.map(({ name }) => name);
    assert.ok(names.length > 8);
    assert.deepEqual([...new Set(run)].sort(), [...names].sort());
    if (way !== "a stream") assert.deepEqual(run.slice(0, names.length), names);
  });

  test(`after ${way} a duty that fails keeps no other from being run and fails nothing`, async (t) => {
    const scene = await sceneOf(t);
    const run = new Set<string>();
    for (const duty of DUTIES) {
      t.mock.method(duty, "run", async () => {
        run.add(duty.name);
        throw new Error(`made up: ${duty.name} fails`);
      });
      delayOnce(t, duty, () => run.has(duty.name));
    }
    await enter(scene);
    assert.equal(run.size, DUTIES.length);
  });
}

for (const way of ["conversations.sync", "group.sync", "a stream"]) {
  test(`REV-08 a device that was left out comes along after ${way}`, async (t) => {
    const world = await World.start(t);
    const reader = await world.device("phone");
    const { device: laptop, release } = await withoutKeyPackage(world, "laptop", reader.signer);
    const member = await world.device("member");
    const group = await reader.client.conversations.createGroup([member.client.inboxId]);
    await member.client.conversations.sync();
    const onMember = groupOf(member, group.id);
    assert.equal(group.installationCount, 2);
    await release();
    const enter = WAYS_IN[way];
    assert.ok(enter !== undefined);
    await enter({ world, reader, groupId: group.id, url: "", write: () => onMember.send("news") });
    await laptop.client.conversations.sync();
    assert.deepEqual([group.installationCount, groupOf(laptop, group.id).epoch], [3, group.epoch]);
  });
}
