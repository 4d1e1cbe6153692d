import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { describe, test } from "node:test";
import { Client, Conversations, Group, GroupInvites } from "@latchkey/client";
import { LatchkeyError } from "@latchkey/mls";
import {
  callOf,
  CLIENT_ROWS,
  CONVERSATIONS_ROWS,
  countedDevice,
  exportedFunctions,
  functionRows,
  GROUP_ROWS,
  INVITES_ROWS,
  oddCalls,
  publicNames,
} from "./public-face.ts";
import type { Rows } from "./public-arguments.ts";
import { textsOf, World } from "./support.ts";

/** What a call is refused with; undefined when it is not. A stream is asked for its first message. */
async function refusalOf(call: () => unknown): Promise<unknown> {
  try {
    const made = call();
    const isStream = typeof made === "object" && made !== null && Symbol.asyncIterator in made;
    await (isStream ? (made as AsyncGenerator).next() : made);
    return undefined;
  } catch (error) {
    return error;
  }
}

/** Asserts that an error is ARGUMENT_INVALID, names the argument, and does not repeat it. */
function assertRefused(error: unknown, title: string): void {
  assert.ok(error instanceof LatchkeyError, `${title}: ${String(error)}`);
  assert.equal(error.code, "ARGUMENT_INVALID", `${title}: ${error.message}`);
  assert.equal(typeof error.data["argument"], "string", title);
  assert.ok(error.message.length < 500, title);
}

const FACES: readonly [string, object, Rows][] = [
  ["Client", Client.prototype, CLIENT_ROWS],
  ["Conversations", Conversations.prototype, CONVERSATIONS_ROWS],
  ["Group", Group.prototype, GROUP_ROWS],
  ["GroupInvites", GroupInvites.prototype, INVITES_ROWS],
];

describe("arguments that make no sense", () => {
  for (const [name, prototype, rows] of FACES) {
    test(`every method of ${name} has its rows here`, () => {
      assert.deepEqual(publicNames(prototype).toSorted(), Object.keys(rows).toSorted());
    });
  }

  test("ARGUMENT_INVALID for every method of a client and a group: nothing is sent or written, and all works on", async (t) => {
    const world = await World.start(t);
    const { device, counts } = await countedDevice(world, "admin");
    const member = await world.device("member");
    const { conversations } = device.client;
    const group = await conversations.createGroup([member.client.inboxId], { name: "Reading circle" });
    await member.client.conversations.sync();
    const { epoch, epochAuthenticator } = group;
    Object.assign(counts, { requests: 0, writes: 0 });
    let refused = 0;
    for (const [target, rows] of [
      [device.client, CLIENT_ROWS],
      [conversations, CONVERSATIONS_ROWS],
      [group, GROUP_ROWS],
      [group.invites, INVITES_ROWS],
    ] as const) {
      for (const [name, row] of Object.entries(rows)) {
        for (const { title, args, isTaken } of oddCalls(name, row)) {
          if (isTaken) continue;
          assertRefused(await refusalOf(() => callOf(target, name)(...args)), title);
          refused++;
        }
      }
    }
    assert.ok(refused > 3_000, `${refused} calls`);
    assert.deepEqual(counts, { requests: 0, writes: 0 });
    assert.deepEqual([group.epoch, group.epochAuthenticator], [epoch, epochAuthenticator]);
    await group.send("still here");
    const [memberGroup] = member.client.conversations.list();
    assert.ok(memberGroup !== undefined);
    await memberGroup.sync();
    assert.deepEqual(textsOf(memberGroup), ["still here"]);
  });

  test("ARGUMENT_INVALID for every exported function, and no database is left behind", async (t) => {
    const world = await World.start(t);
    const device = await world.device("somebody");
    const rows = functionRows(
      () => device.environment,
      (name) => world.path(name),
    );
    const functions = exportedFunctions();
    assert.deepEqual([...functions.keys()].toSorted(), Object.keys(rows).toSorted());
    for (const [name, row] of Object.entries(rows)) {
      for (const { title, args, isTaken } of oddCalls(name, row)) {
        if (isTaken) continue;
        assertRefused(await refusalOf(() => functions.get(name)?.(...args)), title);
      }
    }
    assert.deepEqual(
      ["node-options.db", "other.db"].filter((name) => existsSync(world.path(name))),
      [],
    );
  });
});
