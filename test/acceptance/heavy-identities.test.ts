import assert from "node:assert/strict";
import { connect, createServer, type Http2Server } from "node:http2";
import type { AddressInfo } from "node:net";
import { test, type TestContext } from "node:test";
import { CLIENT_LIMITS } from "@latchkey/client";
import { grpcTransport } from "@latchkey/client/node";
import { nodeCrypto } from "@latchkey/mls/node";
import { InstallationKey, XMTP_LIMITS } from "@latchkey/xmtp";
import { rawExternalCommit } from "./forge.ts";
import { MadeLogs, manyInstallations } from "./made-logs.ts";
import { movableWorld } from "./movable-world.ts";
import { sendTrap } from "./trap.ts";
import { groupOf, openSlot, publishRaw, textsOf, type Device, type Wrap, type World } from "./support.ts";

const FAT_BYTES = 27 * 1024 * 1024;
const CHUNK = new Uint8Array(64 * 1024);

/** Passes calls on to a node, but for questions about one inbox: its log has 27 MB, which no node of ours would serve. */
async function fatLogProxy(t: TestContext, nodeUrl: string, inboxId: () => string) {
  const state = { questions: 0, written: 0 };
  const node = connect(nodeUrl);
  const server: Http2Server = createServer((request, response) => {
    const body: Buffer[] = [];
    request.on("data", (chunk: Buffer) => body.push(chunk));
    request.on("end", () => {
      const bytes = Buffer.concat(body);
      if (request.url.endsWith("/GetIdentityUpdates") && bytes.includes(inboxId())) {
        state.questions++;
        response.writeHead(200, { "content-type": "application/grpc+proto" });
        const head = new Uint8Array(5);
        new DataView(head.buffer).setUint32(1, FAT_BYTES);
        response.write(head);
        const more = () => {
          while (!response.writableEnded && !response.destroyed && state.written < state.questions * FAT_BYTES) {
            state.written += CHUNK.length;
            if (!response.write(CHUNK)) return;
          }
        };
        response.on("drain", more);
        response.on("error", () => undefined);
        more();
        return;
      }
      const passed = node.request({ ...request.headers, ":authority": new URL(nodeUrl).host });
      passed.on("error", () => response.stream.close());
      passed.on("response", ({ ":status": status, ...headers }) => {
        response.writeHead(status ?? 502, headers);
        passed.on("trailers", (trailers) => response.addTrailers({ ...trailers }));
        passed.pipe(response);
      });
      passed.end(bytes);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    node.destroy();
    server.close();
  });
  return { state, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

test("TRU-01 a Welcome of an inbox whose log has 27 MB is passed by, and hardly anything of the log is read", async (t) => {
  const { world, pass } = await movableWorld(t);
  const [eve, bob] = [await world.device("eve"), await world.device("bob")];
  const { state, url } = await fatLogProxy(t, world.node.url, () => eve.client.inboxId);
  const wrap: Wrap = (environment) => ({ ...environment, transport: grpcTransport(url) });
  const victim = await world.device("victim", { wrap });
  const before = await bob.client.conversations.createGroup([victim.client.inboxId], { name: "before" });
  await victim.client.conversations.sync();
  await sendTrap(eve, victim, {});
  await before.send("hello");
  const after = await bob.client.conversations.createGroup([victim.client.inboxId], { name: "after" });
  await victim.client.conversations.sync();
  assert.deepEqual(textsOf(groupOf(victim, before.id)), ["hello"]);
  assert.equal(groupOf(victim, after.id).name, "after");

  pass(180);
  for (const device of [victim, bob]) device.clock.forward(180_000);
  await victim.client.conversations.sync();
  const asked = state.questions;
  await after.send("and on");
  await world.restart(victim, wrap);
  await victim.client.conversations.sync();
  assert.deepEqual(textsOf(groupOf(victim, after.id)), ["and on"]);
  assert.equal(victim.client.conversations.list().length, 2);
  assert.ok(asked > 0);
  assert.equal(state.questions, asked, "what was passed by is not asked for again");
  // The receive window of one stream at most.
  assert.ok(state.written <= state.questions * 1024 * 1024, `${state.written} bytes for ${state.questions} answers`);
});

/** Turns of the event loop that a device let others have while it replayed identity logs. */
function countingTurns(counts: { turns: number }, wrap: Wrap): Wrap {
  return (environment) => {
    const wrapped = wrap(environment);
    const { clock } = wrapped;
    const sleep: typeof clock.sleep = (ms, signal) => {
      if (ms === 0) counts.turns++;
      return clock.sleep(ms, signal);
    };
    return {
      ...wrapped,
      clock: { nowNs: () => clock.nowNs(), timeout: (ms) => clock.timeout(ms), sleep },
    };
  };
}

/** A joiner whose log got updates that add that many installations each; members meet it by `made`. */
async function heavyJoiner(world: World, made: MadeLogs, updates: readonly number[]): Promise<Device> {
  const joiner = await world.device("joiner");
  const { inboxId } = joiner.client;
  const [log = []] = await joiner.environment.transport.getIdentityUpdates([{ inboxId, afterSequenceId: 0n }]);
  made.add(
    inboxId,
    log.map(({ update }) => update),
  );
  for (const [index, count] of updates.entries()) {
    const keys = Array.from({ length: count }, () => new InstallationKey(nodeCrypto.randomBytes(32)));
    made.add(inboxId, [await manyInstallations(joiner.signer, inboxId, keys, BigInt(index + 2))]);
  }
  return joiner;
}

async function heavyWorld(t: TestContext) {
  const { world, pass } = await movableWorld(t);
  const made = new MadeLogs();
  const counts = { turns: 0 };
  const wrap = countingTurns(counts, made.wrap);
  const { admin, member, adminGroup } = await world.group();
  const invite = await adminGroup.createInvite();
  await world.restart(admin, made.wrap);
  await world.restart(member, wrap);
  await groupOf(member, adminGroup.id).sync();
  const groups = () => [groupOf(admin, adminGroup.id), groupOf(member, adminGroup.id)];
  return { world, pass, made, counts, wrap, admin, member, invite, groups };
}

test("TRU-03 a joiner with more installations than the rule allows is refused by its name, a few signatures a turn", async (t) => {
  const { world, pass, made, counts, wrap, admin, member, invite, groups } = await heavyWorld(t);
  // The second of these updates takes the log over the signatures that one has, and does not exist to anybody.
  const perUpdate = XMTP_LIMITS.maxIdentityActions;
  assert.ok(2 * perUpdate >= XMTP_LIMITS.maxIdentitySignatures);
  const joiner = await heavyJoiner(world, made, [perUpdate, perUpdate]);
  const info = await openSlot(joiner, invite.payload, world.node.url);
  counts.turns = 0;
  for (const sequenceId of [2n, 3n]) await publishRaw(joiner, await rawExternalCommit(joiner, info, { sequenceId }));
  // What may still come is waited for, and the wait is over for everybody.
  for (const group of groups()) await group.sync();
  pass(180);
  for (const device of [admin, member]) device.clock.forward(180_000);
  for (const group of groups()) {
    await group.sync();
    assert.deepEqual(
      group.rejections().map(({ rule }) => rule),
      ["ExternalCommitTooManyInstallations", "MissingIdentityUpdate"],
    );
  }
  const { identityWorkPerTurn, identityWorkPerSignature } = CLIENT_LIMITS;
  const perTurn = identityWorkPerTurn / identityWorkPerSignature;
  assert.ok(counts.turns >= perUpdate / perTurn, `${counts.turns} turns`);

  counts.turns = 0;
  await world.restart(member, wrap);
  await member.client.conversations.sync();
  assert.ok(counts.turns <= (2 * perUpdate) / identityWorkPerTurn, `${counts.turns} turns at a start`);
  const [adminGroup, memberGroup] = groups();
  await adminGroup?.send("hello");
  await memberGroup?.sync();
  assert.deepEqual(memberGroup === undefined ? [] : textsOf(memberGroup), ["hello"]);
});
