import assert from "node:assert/strict";
import { test } from "node:test";
import type { Defect } from "@latchkey/client";
import { LatchkeyError, MlsGroup } from "@latchkey/mls";
import {
  appDataUpdate,
  applyAppDataUpdates,
  COMPONENT,
  decodeInvitePayload,
  encodeMlsCredential,
  groupStateHash,
  installationLeaf,
  newGroupExtensions,
  policyUpdate,
  readGroupState,
  XMTP_CIPHER_SUITE,
} from "@latchkey/xmtp";
import { nodeCrypto } from "@latchkey/mls/node";
import { presentBlob } from "./blobs.ts";
import { publishGarbage } from "./garbage.ts";
import {
  configOf,
  epochOf,
  failsWith,
  groupOf,
  mlsOf,
  NO_TRACES,
  readCommits,
  traces,
  World,
  type Wrap,
} from "./support.ts";

const cut = () => new LatchkeyError("NODE_UNREACHABLE", "no answer (made up by a test)", { retryable: true });

test("REV-10 a join of the group by an earlier invite that nobody could ask about is settled before another draft is sent", async (t) => {
  const world = await World.start(t);
  const { adminGroup } = await world.group();
  const old = await adminGroup.createInvite();
  const state = { offline: true, blind: 0 };
  const joiner = await world.device("joiner", {
    wrap: (environment) => {
      const { transport } = environment;
      const sendGroupMessages: typeof transport.sendGroupMessages = async (messages, signal) => {
        if (state.offline) throw cut();
        await transport.sendGroupMessages(messages, signal);
      };
      const queryGroupMessages: typeof transport.queryGroupMessages = async (position, signal) => {
        if (state.blind-- > 0) throw cut();
        return transport.queryGroupMessages(position, signal);
      };
      return { ...environment, transport: { ...transport, sendGroupMessages, queryGroupMessages } };
    },
  });
  const { conversations } = joiner.client;
  await failsWith(conversations.joinByInvite(old.url), "NODE_UNREACHABLE");
  const fresh = await adminGroup.rotateInvite();
  const before = (await readCommits(joiner, adminGroup.id)).length;
  // The log cannot be read when the earlier join is looked for, and can be afterwards.
  Object.assign(state, { offline: false, blind: 1 });
  const { group } = await conversations.joinByInvite(fresh.url);
  await adminGroup.sync();
  assert.deepEqual(epochOf(group), epochOf(adminGroup));
  assert.equal((await readCommits(joiner, adminGroup.id)).length, before + 1);
  assert.deepEqual(
    conversations.listPendingJoins().map((pending) => pending.state),
    ["JOINED"],
  );
});

test("REV-10 a join that has happened does not fail because the node is gone, or the caller stops, right after it", async (t) => {
  const world = await World.start(t);
  const { adminGroup } = await world.group();
  const invite = await adminGroup.createInvite();
  const state: { failure: Error | undefined } = { failure: undefined };
  const told: unknown[] = [];
  const wrap: Wrap = (environment) => {
    const { transport } = environment;
    const queryGroupMessages: typeof transport.queryGroupMessages = async (position, signal) => {
      if (state.failure !== undefined) throw state.failure;
      signal?.throwIfAborted();
      return transport.queryGroupMessages(position, signal);
    };
    const onDefect = ({ error }: Defect) => told.push(error.cause);
    return { ...environment, transport: { ...transport, queryGroupMessages }, onDefect };
  };
  const join = async (name: string, act: (stop: AbortController) => void) => {
    const joiner = await world.device(name, { wrap });
    const stop = new AbortController();
    const steps: string[] = [];
    const onProgress = ({ step }: { step: string }) => {
      steps.push(step);
      if (step === "following-up") act(stop);
    };
    const { conversations } = joiner.client;
    try {
      await conversations.joinByInvite(invite.url, { onProgress, signal: stop.signal });
    } finally {
      state.failure = undefined;
      await conversations.sync();
      await adminGroup.sync();
      assert.deepEqual(epochOf(groupOf(joiner, adminGroup.id)), epochOf(adminGroup));
    }
    assert.deepEqual(steps.slice(-2), ["following-up", "done"]);
  };
  await join("node is gone", () => (state.failure = cut()));
  await join("caller stops", (stop) => stop.abort());
  assert.deepEqual(told, []);
  // A defect is not passed over in silence; the group is there all the same.
  const defect = new TypeError("a defect (made up by a test)");
  await join("defect", () => (state.failure = defect));
  assert.deepEqual(told, [defect]);
});

test("REV-10 out of time while it waits for a fresh blob, a join says what it waited for: INVITE_STALE", async (t) => {
  const world = await World.start(t);
  const { adminGroup } = await world.group();
  const invite = await adminGroup.createInvite();
  const troll = await world.device("troll");
  await publishGarbage(troll, invite.payload, world.node.url, "public");
  const joiner = await world.device("joiner");
  const attempts = new Set<number>();
  const onProgress = ({ attempt }: { attempt: number }) => attempts.add(attempt);
  await failsWith(joiner.client.conversations.joinByInvite(invite.url, { timeoutMs: 1, onProgress }), "INVITE_STALE");
  assert.deepEqual([...attempts], [1]);
  assert.deepEqual(traces(joiner), NO_TRACES);
});

test("REV-10 a service that says to wait again and again ends the join: RATE_LIMITED", async (t) => {
  const world = await World.start(t);
  const { adminGroup } = await world.group();
  const invite = await adminGroup.createInvite();
  const joiner = await world.device("joiner", {
    wrap: (environment) => {
      const options = { retryable: true, retryAfterMs: 1_000 };
      const fetch = () => Promise.reject(new LatchkeyError("RATE_LIMITED", "wait (made up by a test)", options));
      return { ...environment, slots: { ...environment.slots, fetch } };
    },
  });
  const attempts = new Set<number>();
  const onProgress = ({ attempt }: { attempt: number }) => attempts.add(attempt);
  await failsWith(joiner.client.conversations.joinByInvite(invite.url, { onProgress }), "RATE_LIMITED");
  assert.deepEqual([...attempts], [1, 2, 3]);
  assert.deepEqual(traces(joiner), NO_TRACES);
});

test("REV-10 a node that hides who a member is makes nobody join: IDENTITY_PENDING", async (t) => {
  const world = await World.start(t);
  const { admin, adminGroup } = await world.group();
  const invite = await adminGroup.createInvite();
  const joiner = await world.device("joiner", {
    wrap: (environment) => {
      const { transport } = environment;
      const getIdentityUpdates: typeof transport.getIdentityUpdates = async (requests, signal) => {
        const logs = await transport.getIdentityUpdates(requests, signal);
        return logs.map((log, index) => (requests[index]?.inboxId === admin.client.inboxId ? [] : log));
      };
      return { ...environment, transport: { ...transport, getIdentityUpdates } };
    },
  });
  await failsWith(joiner.client.conversations.joinByInvite(invite.url), "IDENTITY_PENDING");
  assert.deepEqual(traces(joiner), NO_TRACES);
});

test("REV-10 a link holder's made-up group, whose leaf is no installation of its inbox: COMMIT_REJECTED", async (t) => {
  const world = await World.start(t);
  const { admin, adminGroup } = await world.group();
  await adminGroup.createInvite();
  const { payload } = await adminGroup.createExternalInvite();
  const stranger = await world.device("stranger");
  const genuine = readGroupState(mlsOf(admin, adminGroup.id).appData);
  const { inboxId } = admin.client;
  const config = configOf(stranger);
  const identity = { ...config.identity, credential: encodeMlsCredential(inboxId) };
  const nowSeconds = BigInt(Math.floor(Date.now() / 1_000));
  const madeUp = await MlsGroup.create(
    { ...config, identity },
    {
      cipherSuite: XMTP_CIPHER_SUITE,
      groupId: new Uint8Array(16).fill(1),
      extensions: newGroupExtensions({
        creatorInboxId: inboxId,
        creatorSequenceId: genuine.members.get(inboxId)?.sequenceId ?? 0n,
      }),
      leaf: installationLeaf(inboxId),
      lifetime: { notBefore: nowSeconds - 3_600n, notAfter: nowSeconds + 86_400n },
    },
  );
  assert.ok(genuine.policy);
  const update = appDataUpdate(COMPONENT.externalCommitPolicy, policyUpdate(genuine.policy));
  const appData = applyAppDataUpdates(madeUp.appData, [update]);
  madeUp.merge(await madeUp.createCommit({ proposals: [update], references: [], appData }));
  const blob = await presentBlob(admin, adminGroup.id, {
    key: decodeInvitePayload(payload).symmetricKey,
    groupInfo: await madeUp.exportGroupInfo(),
    epoch: madeUp.epoch,
    groupStateHash: groupStateHash(nodeCrypto.suite(XMTP_CIPHER_SUITE), madeUp.contextBytes),
  });
  const joiner = await world.device("joiner");
  await failsWith(joiner.client.joinGroupByExternalInvite(payload, blob), "COMMIT_REJECTED");
  assert.deepEqual(traces(joiner), NO_TRACES);
});

test("REV-10 an invite to a group of the form before app data: GROUP_UNSUPPORTED", async (t) => {
  const world = await World.start(t);
  const { admin, adminGroup } = await world.group();
  await adminGroup.createInvite();
  const { payload } = await adminGroup.createExternalInvite();
  const legacy = await MlsGroup.create(configOf(admin), {
    cipherSuite: XMTP_CIPHER_SUITE,
    groupId: new Uint8Array(16).fill(1),
    extensions: [],
    leaf: installationLeaf(admin.client.inboxId),
    lifetime: { notBefore: 0n, notAfter: 2n ** 40n },
  });
  const blob = await presentBlob(admin, adminGroup.id, {
    key: decodeInvitePayload(payload).symmetricKey,
    groupInfo: await legacy.exportGroupInfo(),
    epoch: legacy.epoch,
    groupStateHash: groupStateHash(nodeCrypto.suite(XMTP_CIPHER_SUITE), legacy.contextBytes),
  });
  const joiner = await world.device("joiner");
  await failsWith(joiner.client.joinGroupByExternalInvite(payload, blob), "GROUP_UNSUPPORTED");
  assert.deepEqual(traces(joiner), NO_TRACES);
});
