import assert from "node:assert/strict";
import { test } from "node:test";
import { Client, type JoinStep } from "@latchkey/client";
import { generatedSigner } from "@latchkey/client/node";
import { decodeExact, decodeKeyPackage, equalBytes, fromHex } from "@latchkey/mls";
import { failsWith, groupOf, textsOf, World, type Wrap } from "./support.ts";

const never = <T>() => new Promise<T>(() => undefined);

/** An invite whose service only the application finds, in a group of one. */
async function opaqueInvite(world: World) {
  const admin = await world.device("founder", {
    wrap: (environment) => ({ ...environment, resolvePointer: () => world.node.url }),
  });
  const group = await admin.client.conversations.createGroup([], { name: "Reading circle" });
  const service = { kind: "opaque", bytes: Uint8Array.of(1, 2, 3) } as const;
  return { admin, group, invite: await group.createInvite({ service }) };
}

test("TRU-17 a progress listener that throws at every step, or rejects, fails no join", async (t) => {
  const world = await World.start(t);
  const { adminGroup } = await world.group();
  const { url } = await adminGroup.createInvite();
  const listeners: Record<string, () => unknown> = {
    throws: () => {
      throw new Error("made up by a test");
    },
    rejects: () => Promise.reject(new Error("made up by a test")),
  };
  for (const [name, listener] of Object.entries(listeners)) {
    const steps: JoinStep[] = [];
    const joiner = await world.device(name);
    const onProgress = ({ step }: { step: JoinStep }) => {
      steps.push(step);
      return listener();
    };
    const { group } = await joiner.client.conversations.joinByInvite(url, {
      onProgress,
    });
    assert.deepEqual(steps, [
      "fetching",
      "checking",
      "preparing",
      "publishing",
      "reading-back",
      "following-up",
      "done",
    ]);
    await group.send(`hello from whoever ${name}`);
  }
  await adminGroup.sync();
  assert.deepEqual(textsOf(adminGroup), ["hello from whoever throws", "hello from whoever rejects"]);
});

test("TRU-17 a wallet that never answers, refuses or gives no bytes leaves a database that can be opened", async (t) => {
  const world = await World.start(t);
  const signer = generatedSigner();
  const dbPath = world.path("wallet.db");
  const create = (signMessage: typeof signer.signMessage, signal?: AbortSignal) => {
    const environment = world.environment(dbPath, {
      nowNs: () => BigInt(Date.now()) * 1_000_000n,
      sleep: never,
      timeout: (ms) => AbortSignal.timeout(ms),
    });
    return Client.create({ ...signer, signMessage }, environment, signal === undefined ? {} : { signal });
  };
  const stop = new AbortController();
  const asked = create(() => {
    stop.abort(new Error("the person gave up"));
    return never();
  }, stop.signal);
  await assert.rejects(asked, /the person gave up/);
  await assert.rejects(
    create(() => Promise.reject(new Error("refused by the person"))),
    /refused by the person/,
  );
  const error = await failsWith(
    create(() => Promise.resolve(undefined as never)),
    "ARGUMENT_INVALID",
  );
  assert.equal(error.data["argument"], "signer");
  (await create((text) => signer.signMessage(text))).close();
});

test("TRU-17 a pointer resolver that never answers keeps no call beyond its signal or deadline, and no lock", async (t) => {
  const world = await World.start(t);
  const { group, invite } = await opaqueInvite(world);
  let resolve: () => string | Promise<string> = never;
  const resolvePointer = () => resolve();
  const joiner = await world.device("joiner", { wrap: (environment) => ({ ...environment, resolvePointer }) });
  const { conversations } = joiner.client;
  const stop = new AbortController();
  resolve = () => {
    stop.abort();
    return never();
  };
  const aborted = await failsWith(conversations.joinByInvite(invite.url, { signal: stop.signal }), "JOIN_ABORTED");
  assert.equal(aborted.data["pending"], false);
  resolve = () => {
    setImmediate(() => joiner.clock.forward(2_000));
    return never();
  };
  await failsWith(conversations.joinByInvite(invite.url, { timeoutMs: 1_000 }), "JOIN_TIMEOUT");
  const preview = new AbortController();
  resolve = () => {
    preview.abort(new Error("not interested any more"));
    return never();
  };
  await assert.rejects(conversations.previewInvite(invite.url, { signal: preview.signal }), /not interested/);
  resolve = () => {
    throw new TypeError("made up by a test");
  };
  await failsWith(conversations.joinByInvite(invite.url), "INVITE_POINTER_OPAQUE");
  resolve = () => 5 as never;
  await failsWith(conversations.joinByInvite(invite.url), "INVITE_POINTER_OPAQUE");
  resolve = () => world.node.url;
  const joined = await conversations.joinByInvite(invite.url);
  await joined.group.send("in at last");
  await group.sync();
  assert.deepEqual(textsOf(group), ["in at last"]);
});

test("TRU-17 an invite service of the application that never answers keeps no call and no other join waiting", async (t) => {
  const world = await World.start(t);
  const { adminGroup } = await world.group();
  const plain = await adminGroup.createInvite();
  const { invite: opaque } = await opaqueInvite(world);
  const state = { asked: () => {} };
  const hang = () => {
    state.asked();
    return never<never>();
  };
  const wrap: Wrap = (environment) => ({
    ...environment,
    resolvePointer: ({ length }) => (length === 3 ? { fetch: hang, upload: hang, exists: hang } : undefined),
  });
  const joiner = await world.device("joiner", { wrap });
  const { conversations } = joiner.client;
  const asked = new Promise<void>((done) => (state.asked = done));
  const first = new AbortController();
  const waiting = conversations.joinByInvite(opaque.url, { signal: first.signal });
  await asked;
  const second = new AbortController();
  const behind = conversations.joinByInvite(plain.url, { signal: second.signal });
  second.abort();
  await failsWith(behind, "JOIN_ABORTED");
  first.abort();
  await failsWith(waiting, "JOIN_ABORTED");
  assert.equal((await conversations.joinByInvite(plain.url)).group.id, adminGroup.id);
});

test("TRU-17 a reader of a stream that throws, stops or is aborted leaves no subscription", async (t) => {
  const world = await World.start(t);
  const open = new Set<AbortSignal>();
  const admin = await world.device("admin");
  const reader = await world.device("reader", {
    wrap: (environment) => {
      const { transport } = environment;
      async function* subscribe(...[position, signal]: Parameters<typeof transport.subscribeGroupMessages>) {
        open.add(signal);
        signal.addEventListener("abort", () => open.delete(signal));
        yield* transport.subscribeGroupMessages(position, signal);
      }
      return { ...environment, transport: { ...transport, subscribeGroupMessages: subscribe } };
    },
  });
  const adminGroup = await admin.client.conversations.createGroup([reader.client.inboxId], { name: "Reading circle" });
  await reader.client.conversations.sync();
  const group = groupOf(reader, adminGroup.id);
  const throws = async () => {
    for await (const { text } of group.stream()) throw new Error(`cannot show ${text}`);
  };
  const failing = assert.rejects(throws(), /cannot show one/);
  await adminGroup.send("one");
  await failing;
  assert.equal(open.size, 0);
  const stops = async () => {
    for await (const { text } of group.stream()) return text;
    return undefined;
  };
  const stopping = stops();
  await adminGroup.send("two");
  assert.equal(await stopping, "two");
  assert.equal(open.size, 0);
  // This one takes a message and never asks for the next.
  const stop = new AbortController();
  const held = group.stream({ signal: stop.signal });
  const next = held.next();
  await adminGroup.send("three");
  assert.equal((await next).value?.text, "three");
  stop.abort();
  assert.equal(open.size, 0);
  await group.send("nothing is locked");
});

test("TRU-17 two synchronizations at once return each group once and leave the node with the key package in use", async (t) => {
  const world = await World.start(t);
  const admin = await world.device("admin");
  const state = { late: false, uploads: 0 };
  const member = await world.device("member", {
    wrap: (environment) => {
      const { transport } = environment;
      const uploadKeyPackage: typeof transport.uploadKeyPackage = async (bytes, signal) => {
        const isFirst = ++state.uploads === 1;
        await transport.uploadKeyPackage(bytes, signal);
        // The answer to the first upload comes after whatever another call does meanwhile.
        if (state.late && isFirst) for (let turns = 0; turns < 500; turns++) await new Promise(setImmediate);
      };
      return { ...environment, transport: { ...transport, uploadKeyPackage } };
    },
  });
  for (const name of ["one", "two"]) {
    const group = await admin.client.conversations.createGroup([member.client.inboxId], { name });
    await group.send(name);
  }
  Object.assign(state, { late: true, uploads: 0 });
  const { conversations, installationId } = member.client;
  const [first, second] = await Promise.all([conversations.sync(), conversations.sync()]);
  assert.deepEqual([...first, ...second].map(({ name }) => name).toSorted(), ["one", "two"]);
  assert.deepEqual(conversations.list().flatMap(textsOf).toSorted(), ["one", "two"]);
  const [bytes] = await member.environment.transport.fetchKeyPackages([fromHex(installationId)]);
  const { initKey } = decodeExact(bytes ?? new Uint8Array(), decodeKeyPackage);
  const rows = member.environment.store.keyPackages.list();
  const served = rows.find((row) => equalBytes(row.initKey, initKey));
  assert.ok(served !== undefined && served.retiredAtNs === undefined);
});
