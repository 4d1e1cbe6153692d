import assert from "node:assert/strict";
import { test } from "node:test";
import { LatchkeyError } from "@latchkey/mls";
import { nodeCrypto } from "@latchkey/mls/node";
import { decodeInvitePayload, groupStateHash, peekBlob, wrapGroupInfo, XMTP_CIPHER_SUITE } from "@latchkey/xmtp";
import {
  countingWrites,
  epochOf,
  failingWrites,
  failsWith,
  groupOf,
  mlsOf,
  NO_TRACES,
  readCommits,
  readLog,
  textsOf,
  traces,
  World,
  type Device,
  type Wrap,
} from "./support.ts";

/** The newest blob of an invite's slot. */
async function newestBlob(device: Device, payload: Uint8Array, serviceUrl: string): Promise<Uint8Array> {
  const { externalGroupId } = decodeInvitePayload(payload);
  const { blobs } = await device.environment.slots.fetch({ serviceUrl, externalGroupId });
  const blob = blobs?.at(-1);
  if (blob === undefined) throw new Error("the slot is empty");
  return blob;
}

/** A blob of the group as it is now, under a key that need not be the policy's. */
async function blobUnder(device: Device, groupId: string, key: Uint8Array): Promise<Uint8Array> {
  const mls = mlsOf(device, groupId);
  const suite = nodeCrypto.suite(XMTP_CIPHER_SUITE);
  const digest = groupStateHash(suite, mls.contextBytes);
  const groupInfo = await mls.exportGroupInfo();
  return wrapGroupInfo({ suite, key, groupInfo, epoch: mls.epoch, groupStateHash: digest, expiresAtNs: 0n });
}

const cut = () => new LatchkeyError("NODE_UNREACHABLE", "no answer (made up by a test)", { retryable: true });

test("REV-01 the write that makes the group visible fails: a typed error, no trace of a group, and a later resume", async (t) => {
  const world = await World.start(t);
  const { adminGroup } = await world.group();
  const invite = await adminGroup.createInvite();
  let broken = true;
  const wrap: Wrap = (environment) => failingWrites(environment, "groups", () => broken);
  const joiner = await world.device("joiner", { wrap });

  await failsWith(joiner.client.conversations.joinByInvite(invite.url), "STORE_FULL");

  assert.deepEqual(joiner.client.conversations.list(), []);
  assert.deepEqual(traces(joiner), { ...NO_TRACES, joins: 1 });
  broken = false;
  await world.restart(joiner);
  const group = groupOf(joiner, adminGroup.id);
  await adminGroup.sync();
  assert.deepEqual(epochOf(group), epochOf(adminGroup));
  assert.equal((await readCommits(joiner, adminGroup.id)).length, 3);
});

test("REV-01 whichever transaction of a join fails, the next start shows the state before or after", async (t) => {
  const world = await World.start(t);
  const { adminGroup } = await world.group();
  const invite = await adminGroup.createInvite();
  let joined = 0;
  for (let failAt = 1; failAt <= 8; failAt++) {
    let count = 0;
    let broken = false;
    const wrap: Wrap = (environment) => {
      const { store } = environment;
      const transaction: typeof store.transaction = (write) =>
        store.transaction((tables) => {
          const result = write(tables);
          if (broken && ++count === failAt)
            throw new LatchkeyError("STORE_FULL", "the disk is full (made up by a test)");
          return result;
        });
      return { ...environment, store: { ...store, transaction } };
    };
    const joiner = await world.device(`joiner-${failAt}`, { wrap });
    broken = true;
    await joiner.client.conversations.joinByInvite(invite.url).then(
      () => undefined,
      (error: unknown) => assert.equal((error as LatchkeyError).code, "STORE_FULL"),
    );
    await world.restart(joiner);
    if (joiner.client.conversations.list().length === 0) {
      assert.deepEqual(traces(joiner), NO_TRACES);
      await joiner.client.conversations.joinByInvite(invite.url);
    }
    joined++;
    const group = groupOf(joiner, adminGroup.id);
    await group.sync();
    await adminGroup.sync();
    assert.deepEqual(epochOf(group), epochOf(adminGroup));
    assert.equal(adminGroup.members().length, 2 + joined);
  }
});

test("REV-02 the Welcome carries the commit's id: a sibling starts there, replays nothing and misses nothing", async (t) => {
  const world = await World.start(t);
  const { adminGroup } = await world.group();
  await adminGroup.send("before anybody joined");
  const invite = await adminGroup.createInvite();
  const phone = await world.device("phone");
  const laptop = await world.device("laptop", { signer: phone.signer });

  const { group } = await phone.client.conversations.joinByInvite(invite.url);
  const commitId = (await readLog(phone, group.id)).at(-1)?.id ?? 0n;
  await group.send("right after the join");
  const queried: bigint[] = [];
  await world.restart(laptop, (environment) => {
    const { transport } = environment;
    const queryGroupMessages: typeof transport.queryGroupMessages = (position, signal) => {
      queried.push(position.afterId);
      return transport.queryGroupMessages(position, signal);
    };
    return { ...environment, transport: { ...transport, queryGroupMessages } };
  });
  await laptop.client.conversations.sync();

  // The commit itself, for its envelope time, and then what follows it; the log is seen to hold the commit.
  assert.deepEqual(queried, [commitId - 1n, commitId - 1n]);
  const laptopGroup = groupOf(laptop, group.id);
  assert.deepEqual(laptopGroup.rejections(), []);
  assert.deepEqual(textsOf(laptopGroup), ["right after the join"]);
});

test("REV-03 a slow join does not shorten the refreshed blob: its end counts from the commit's envelope time", async (t) => {
  const world = await World.start(t);
  const { adminGroup } = await world.group();
  const staleAfterNs = 3_600_000_000_000n;
  const invite = await adminGroup.createInvite({ staleAfterNs });
  const joiner = await world.device("joiner");
  // Half an hour passes on the joiner's clock between the checks and the commit.
  const onProgress = ({ step }: { step: string }) => {
    if (step === "publishing") joiner.clock.forward(1_800_000);
  };

  await joiner.client.conversations.joinByInvite(invite.url, { onProgress, timeoutMs: 86_400_000 });

  const commit = (await readLog(joiner, adminGroup.id)).at(-1);
  const { epoch, expiresAtNs } = peekBlob(await newestBlob(joiner, invite.payload, world.node.url));
  await adminGroup.sync();
  assert.equal(epoch, adminGroup.epoch);
  assert.equal(expiresAtNs, (commit?.createdNs ?? 0n) + staleAfterNs);
});

test("REV-04 the node refuses the commit: nothing is left, and the join can be tried again", async (t) => {
  const world = await World.start(t);
  const { adminGroup } = await world.group();
  const invite = await adminGroup.createInvite();
  let refusing = true;
  const joiner = await world.device("joiner", {
    wrap: (environment) => {
      const { transport } = environment;
      const sendGroupMessages: typeof transport.sendGroupMessages = async (messages, signal) => {
        if (refusing) throw new LatchkeyError("NODE_REJECTED", "refused (made up by a test)");
        await transport.sendGroupMessages(messages, signal);
      };
      return { ...environment, transport: { ...transport, sendGroupMessages } };
    },
  });

  await failsWith(joiner.client.conversations.joinByInvite(invite.url), "NODE_REJECTED");
  assert.deepEqual(traces(joiner), NO_TRACES);

  refusing = false;
  const { group } = await joiner.client.conversations.joinByInvite(invite.url);
  await adminGroup.sync();
  assert.deepEqual(epochOf(group), epochOf(adminGroup));
});

test("REV-04 the node cannot be reached for publishing: no phantom group, the same commit is sent by the next sync", async (t) => {
  const world = await World.start(t);
  const { adminGroup } = await world.group();
  const invite = await adminGroup.createInvite();
  let offline = true;
  const wrap: Wrap = (environment) => {
    const { transport } = environment;
    const sendGroupMessages: typeof transport.sendGroupMessages = async (messages, signal) => {
      if (offline) throw cut();
      await transport.sendGroupMessages(messages, signal);
    };
    return { ...environment, transport: { ...transport, sendGroupMessages } };
  };
  const joiner = await world.device("joiner", { wrap });

  await failsWith(joiner.client.conversations.joinByInvite(invite.url), "NODE_UNREACHABLE");
  assert.deepEqual(joiner.client.conversations.list(), []);
  assert.deepEqual(traces(joiner), { ...NO_TRACES, joins: 1 });
  const [pending] = joiner.client.conversations.listPendingJoins();
  const expected = { groupId: adminGroup.id, state: "PREPARED", startedAtNs: 0n, unconfirmed: false };
  assert.deepEqual({ ...pending, startedAtNs: 0n }, expected);

  offline = false;
  await joiner.client.conversations.sync();
  const group = groupOf(joiner, adminGroup.id);
  await adminGroup.sync();
  assert.deepEqual(epochOf(group), epochOf(adminGroup));
  assert.equal((await readCommits(joiner, adminGroup.id)).length, 3);
});

test("REV-04 the answer of the publish is lost: the same call finds its commit in the log and sends no second one", async (t) => {
  const world = await World.start(t);
  const { adminGroup } = await world.group();
  const invite = await adminGroup.createInvite();
  let first = true;
  const joiner = await world.device("joiner", {
    wrap: (environment) => {
      const { transport } = environment;
      const sendGroupMessages: typeof transport.sendGroupMessages = async (messages, signal) => {
        await transport.sendGroupMessages(messages, signal);
        if (first) {
          first = false;
          throw cut();
        }
      };
      return { ...environment, transport: { ...transport, sendGroupMessages } };
    },
  });

  const { group } = await joiner.client.conversations.joinByInvite(invite.url);

  await adminGroup.sync();
  assert.deepEqual(epochOf(group), epochOf(adminGroup));
  assert.equal((await readCommits(joiner, adminGroup.id)).length, 3);
});

test("SEC-09 stopped after the commit left: JOIN_ABORTED says so, and the next start finds the join done", async (t) => {
  const world = await World.start(t);
  const { adminGroup } = await world.group();
  const invite = await adminGroup.createInvite();
  const stopping = new AbortController();
  const joiner = await world.device("joiner", {
    wrap: (environment) => {
      const { transport } = environment;
      const sendGroupMessages: typeof transport.sendGroupMessages = async (messages, signal) => {
        await transport.sendGroupMessages(messages, signal);
        stopping.abort();
        signal?.throwIfAborted();
      };
      return { ...environment, transport: { ...transport, sendGroupMessages } };
    },
  });

  const { signal } = stopping;
  const error = await failsWith(joiner.client.conversations.joinByInvite(invite.url, { signal }), "JOIN_ABORTED");
  assert.equal(error.data["pending"], true);
  assert.deepEqual(joiner.client.conversations.list(), []);

  await world.restart(joiner);
  await adminGroup.sync();
  assert.deepEqual(epochOf(groupOf(joiner, adminGroup.id)), epochOf(adminGroup));
  assert.equal((await readCommits(joiner, adminGroup.id)).length, 3);
});

test("REV-05 and REV-06: a replaced slot id or key is noticed before any network write", async (t) => {
  const world = await World.start(t);
  const { admin, adminGroup } = await world.group();
  const counts = { writes: 0 };
  const joiner = await world.device("joiner", { wrap: (environment) => countingWrites(environment, counts) });
  const cases = [
    { slot: true, rule: "ExternalGroupIdMismatch" },
    { slot: false, rule: "SymmetricKeyMismatch" },
  ];
  for (const { slot, rule } of cases) {
    const old = await adminGroup.createInvite();
    await adminGroup.rotateInvite({ slot });
    const { symmetricKey } = decodeInvitePayload(old.payload);
    const blob = await blobUnder(admin, adminGroup.id, symmetricKey);

    await failsWith(joiner.client.joinGroupByExternalInvite(old.payload, blob), "INVITE_ROTATED", rule);

    assert.equal(counts.writes, 0);
    assert.deepEqual(traces(joiner), NO_TRACES);
  }
});

test("REV-06 an invite replaced between join and upload: the joiner stays a member and uploads nothing", async (t) => {
  const world = await World.start(t);
  const { adminGroup } = await world.group();
  const invite = await adminGroup.createInvite();
  let offline = true;
  let uploads = 0;
  const joiner = await world.device("joiner", {
    wrap: (environment) => {
      const { slots } = environment;
      const upload: typeof slots.upload = async (slot, blob, signal) => {
        if (offline) throw cut();
        uploads++;
        await slots.upload(slot, blob, signal);
      };
      return { ...environment, slots: { ...slots, upload } };
    },
  });

  const { group } = await joiner.client.conversations.joinByInvite(invite.url);
  await adminGroup.sync();
  await adminGroup.rotateInvite();
  offline = false;
  await group.sync();

  assert.equal(group.isActive, true);
  assert.deepEqual(epochOf(group), epochOf(adminGroup));
  assert.equal(uploads, 0);
  assert.equal(joiner.environment.store.followUps.list().length, 0);
});

test("REV-08 a sibling without key package is listed as failed; all-or-nothing stops before publishing", async (t) => {
  const world = await World.start(t);
  const { adminGroup } = await world.group();
  const invite = await adminGroup.createInvite();
  const phone = await world.device("phone");
  await failsWith(
    world.device("laptop", {
      signer: phone.signer,
      wrap: (environment) => {
        const uploadKeyPackage = () => Promise.reject(cut());
        return { ...environment, transport: { ...environment.transport, uploadKeyPackage } };
      },
    }),
    "NODE_UNREACHABLE",
  );

  await failsWith(phone.client.conversations.joinByInvite(invite.url, { allOrNothing: true }), "KEY_PACKAGE_MISSING");
  assert.deepEqual(traces(phone), NO_TRACES);
  const { group } = await phone.client.conversations.joinByInvite(invite.url);
  await adminGroup.sync();

  assert.deepEqual(epochOf(group), epochOf(adminGroup));
  const entry = adminGroup.members().find(({ inboxId }) => inboxId === phone.client.inboxId);
  assert.equal(entry?.failedInstallations.length, 1);
  assert.deepEqual(entry.installations, [phone.client.installationId]);
});

test("REV-08 a device that was left out is added once it can be, by its owner's next sync or by whoever looks after the group", async (t) => {
  for (const adder of ["owner", "other"] as const) {
    const world = await World.start(t);
    const { member, adminGroup, memberGroup } = await world.group();
    const invite = await adminGroup.createInvite();
    const phone = await world.device("phone");
    let online = false;
    const wrap: Wrap = (environment) => {
      const { transport } = environment;
      const uploadKeyPackage: typeof transport.uploadKeyPackage = async (...args) => {
        if (!online) throw cut();
        await transport.uploadKeyPackage(...args);
      };
      return { ...environment, transport: { ...transport, uploadKeyPackage } };
    };
    await failsWith(world.device("laptop", { signer: phone.signer, wrap }), "NODE_UNREACHABLE");
    const { group } = await phone.client.conversations.joinByInvite(invite.url);
    await adminGroup.sync();
    // Nothing can be added yet, and nothing is tried to be.
    await phone.client.conversations.sync();
    const before = group.epoch;

    online = true;
    const laptop = await world.device("laptop", { signer: phone.signer, wrap });
    if (adder === "owner") await phone.client.conversations.sync();
    else await lookAfterOnce(member);
    await laptop.client.conversations.sync();
    for (const view of [adminGroup, memberGroup, group]) await view.sync();
    for (const view of [adminGroup, memberGroup, groupOf(laptop, group.id)]) {
      assert.deepEqual(epochOf(view), epochOf(group));
    }
    const entry = adminGroup.members().find(({ inboxId }) => inboxId === phone.client.inboxId);
    assert.deepEqual(entry?.failedInstallations, []);
    assert.equal(entry.installations.length, 2);
    assert.equal(entry.admittedVia, invite.externalGroupId);
    assert.equal(group.epoch, before + 1n);
    await phone.client.conversations.sync();
    assert.equal(group.epoch, before + 1n);
  }
});

/** One round of looking after a device's groups. */
async function lookAfterOnce({ client, clock }: Device): Promise<void> {
  const stop = new AbortController();
  const sleep = clock.sleep.bind(clock);
  // Pauses of no time only let others run.
  clock.sleep = async (ms) => (ms > 0 ? stop.abort() : undefined);
  await client.keepInvitesFresh({ signal: stop.signal });
  clock.sleep = sleep;
}

test("SEC-03 two joiners publish for the same epoch: one is first, the other notices, drops its draft and joins next", async (t) => {
  const world = await World.start(t);
  const { adminGroup } = await world.group();
  const invite = await adminGroup.createInvite();
  const fast = await world.device("fast");
  let meanwhile: Promise<unknown> | undefined;
  const slow = await world.device("slow", {
    wrap: (environment) => {
      const { transport } = environment;
      const sendGroupMessages: typeof transport.sendGroupMessages = async (messages, signal) => {
        // The other one is first, after this one has read the log and built its commit.
        meanwhile ??= fast.client.conversations.joinByInvite(invite.url);
        await meanwhile;
        await transport.sendGroupMessages(messages, signal);
      };
      return { ...environment, transport: { ...transport, sendGroupMessages } };
    },
  });
  const attempts: number[] = [];

  const { group } = await slow.client.conversations.joinByInvite(invite.url, {
    onProgress: ({ step, attempt }) => {
      if (step === "publishing") attempts.push(attempt);
      // The draft is kept until the next state of the group shows that it has lost.
      if (step === "waiting") assert.deepEqual(traces(slow), { ...NO_TRACES, joins: 1 });
    },
  });

  assert.deepEqual(attempts, [1, 2]);
  assert.equal(slow.client.conversations.listPendingJoins()[0]?.state, "JOINED");
  const fastGroup = groupOf(fast, group.id);
  await fastGroup.sync();
  await adminGroup.sync();
  for (const view of [group, fastGroup]) assert.deepEqual(epochOf(view), epochOf(adminGroup));
  assert.equal(adminGroup.members().length, 4);
  // Both commits of the contested epoch are in the log; members took the first and passed the second by.
  assert.equal((await readCommits(slow, group.id)).length, 5);
  await group.send("here as well");
  await fastGroup.sync();
  await adminGroup.sync();
  assert.deepEqual(textsOf(adminGroup), ["here as well"]);
  assert.deepEqual(textsOf(fastGroup), ["here as well"]);
});

test("SEC-09 a code scanned twice at once leads to one commit and one group", async (t) => {
  const world = await World.start(t);
  const { adminGroup } = await world.group();
  const invite = await adminGroup.createInvite();
  const joiner = await world.device("joiner");
  const { conversations } = joiner.client;

  const [one, two] = await Promise.all([
    conversations.joinByInvite(invite.url),
    conversations.joinByInvite(invite.url),
  ]);

  assert.equal(one.group.id, two.group.id);
  await adminGroup.sync();
  assert.deepEqual(epochOf(one.group), epochOf(adminGroup));
  assert.equal((await readCommits(joiner, adminGroup.id)).length, 3);
});

test("SEC-09 a join under way is settled before another invite of the same group is used", async (t) => {
  const world = await World.start(t);
  const { adminGroup } = await world.group();
  const old = await adminGroup.createInvite();
  let offline = true;
  const joiner: Device = await world.device("joiner", {
    wrap: (environment) => {
      const { transport } = environment;
      const sendGroupMessages: typeof transport.sendGroupMessages = async (messages, signal) => {
        await transport.sendGroupMessages(messages, signal);
        if (!offline) return;
        // The join's time is over with the answer that never came.
        joiner.clock.forward(60_000);
        throw new LatchkeyError("NODE_UNREACHABLE", "no answer (made up by a test)");
      };
      return { ...environment, transport: { ...transport, sendGroupMessages } };
    },
  });
  const error = await failsWith(joiner.client.conversations.joinByInvite(old.url), "JOIN_TIMEOUT");
  assert.equal(error.data["pending"], true);
  assert.equal(joiner.client.conversations.listPendingJoins().length, 1);
  offline = false;
  await adminGroup.sync();
  const fresh = await adminGroup.rotateInvite();

  await failsWith(joiner.client.conversations.joinByInvite(fresh.url), "ALREADY_MEMBER");
  const group = groupOf(joiner, adminGroup.id);
  await group.sync();
  assert.deepEqual(epochOf(group), epochOf(adminGroup));
});
