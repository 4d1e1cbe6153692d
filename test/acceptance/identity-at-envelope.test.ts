import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { publishUnknownId, rawExternalCommit } from "./forge.ts";
import { movableWorld, revoke } from "./movable-world.ts";
import {
  epochOf,
  failsWith,
  groupOf,
  openSlot,
  publishRaw,
  readCommits,
  textsOf,
  traces,
  NO_TRACES,
  World,
  type Device,
  type Wrap,
} from "./support.ts";

const SECOND_NS = 1_000_000_000n;

type Answer = Awaited<ReturnType<Device["environment"]["transport"]["getIdentityUpdates"]>>;

/** Counts the questions of a device about identity logs, and changes their answers. */
function identityAnswers(
  counts: { questions: number },
  change: (answer: Answer, inboxIds: readonly string[]) => Answer,
): Wrap {
  return (environment) => {
    const { transport } = environment;
    const getIdentityUpdates: typeof transport.getIdentityUpdates = async (requests, signal) => {
      counts.questions++;
      const answer = await transport.getIdentityUpdates(requests, signal);
      const inboxIds = requests.map(({ inboxId }) => inboxId);
      return Object.assign([...change(answer, inboxIds)], { asOfNs: answer.asOfNs });
    };
    return { ...environment, transport: { ...transport, getIdentityUpdates } };
  };
}

/** Shifts what the node says about when it took updates of some inboxes, as an identity service with its own clock does. */
function otherClock(shifts: ReadonlyMap<string, bigint>): Wrap {
  return identityAnswers({ questions: 0 }, (answer, inboxIds) =>
    answer.map((log, index) =>
      log.map((entry) => ({
        ...entry,
        serverTimestampNs: entry.serverTimestampNs + (shifts.get(inboxIds[index] ?? "") ?? 0n),
      })),
    ),
  );
}

/** A node of XMTP, which does not say of what time its answers are. */
const silentAboutTime: Wrap = (environment) => {
  const { transport } = environment;
  const getIdentityUpdates: typeof transport.getIdentityUpdates = async (requests, signal) =>
    Object.assign([...(await transport.getIdentityUpdates(requests, signal))], { asOfNs: undefined });
  return { ...environment, transport: { ...transport, getIdentityUpdates } };
};

describe("TRU-08 identity updates that are missing", () => {
  test("TRU-08 IDN-02 one answer with nothing, or with a part of the log, parts nobody", async (t) => {
    const world = await World.start(t);
    const { admin, adminGroup } = await world.group();
    let change: (answer: Answer) => Answer = (answer) => answer;
    const counts = { questions: 0 };
    const member = await world.device("reader", { wrap: identityAnswers(counts, (answer) => change(answer)) });
    await adminGroup.addMembers([member.client.inboxId]);
    await member.client.conversations.sync();
    const memberGroup = groupOf(member, adminGroup.id);
    const invite = await adminGroup.createInvite();
    await memberGroup.sync();
    const joiner = await world.device("joiner");
    await world.device("joiner's laptop", { signer: joiner.signer });
    await joiner.client.conversations.joinByInvite(invite.url);
    await adminGroup.sync();
    await adminGroup.send("welcome");

    for (const wrong of [
      (answer: Answer) => answer.map(() => []),
      (answer: Answer) => answer.map((log) => log.slice(0, 1)),
    ]) {
      change = wrong;
      await memberGroup.sync();
      assert.equal(memberGroup.epoch, adminGroup.epoch - 1n);
      assert.ok(memberGroup.waitsUntilNs !== undefined, "the wait is told");
      assert.deepEqual(memberGroup.rejections(), []);
    }
    // It leaves, and loses against the join that lies before it.
    await failsWith(memberGroup.updateName("now"), "IDENTITY_PENDING");
    change = (answer) => answer;
    counts.questions = 0;
    await memberGroup.sync();
    assert.equal(counts.questions, 2, "one question about the own inbox, one about the joiner");
    assert.equal(memberGroup.waitsUntilNs, undefined);
    assert.deepEqual(epochOf(memberGroup), epochOf(adminGroup));
    assert.deepEqual(textsOf(memberGroup), ["welcome"]);
    assert.equal(groupOf(admin, adminGroup.id).members().length, 4);
  });

  test("TRU-08 IDN-02 a quiet group of a node that tells no time waits two minutes as well, for two ids at once", async (t) => {
    const { world, pass } = await movableWorld(t);
    const { member, adminGroup } = await world.group();
    const invite = await adminGroup.createInvite();
    await member.client.conversations.sync();
    // Every other stamp that the member knows is fifty minutes old.
    pass(3_000);
    const stranger = await world.device("stranger");
    const info = await openSlot(stranger, invite.payload, world.node.url);
    await world.restart(member, silentAboutTime);
    await publishUnknownId(stranger, info, 1_000_000n);
    await publishUnknownId(stranger, info, 1_000_001n);
    await member.client.conversations.sync();
    const group = groupOf(member, adminGroup.id);
    assert.ok(group.waitsUntilNs !== undefined);

    pass(121);
    member.clock.forward(121_000);
    await member.client.conversations.sync();
    assert.equal(group.waitsUntilNs, undefined);
    assert.deepEqual(
      group.rejections().map(({ rule }) => rule),
      ["MissingIdentityUpdate", "MissingIdentityUpdate"],
    );
  });

  test("TRU-08 IDN-02 a hundred ids that never come: other groups go on, and the wait is one for all", async (t) => {
    const { world, pass } = await movableWorld(t);
    const { admin, member, adminGroup, memberGroup } = await world.group();
    const other = await admin.client.conversations.createGroup([member.client.inboxId], { name: "Other" });
    const invite = await adminGroup.createInvite();
    await member.client.conversations.sync();
    const stranger = await world.device("stranger");
    const info = await openSlot(stranger, invite.payload, world.node.url);
    for (let id = 0n; id < 100n; id++) await publishUnknownId(stranger, info, 1_000_000n + id);
    await other.send("elsewhere");

    await member.client.conversations.sync();
    assert.deepEqual(textsOf(groupOf(member, other.id)), ["elsewhere"]);
    assert.ok(memberGroup.waitsUntilNs !== undefined);
    assert.equal(memberGroup.rejections().length, 0);

    pass(61);
    const counts = { questions: 0 };
    await world.restart(
      member,
      identityAnswers(counts, (answer) => answer),
    );
    await member.client.conversations.sync();
    const after = groupOf(member, adminGroup.id);
    assert.equal(after.waitsUntilNs, undefined);
    assert.deepEqual(new Set(after.rejections().map(({ rule }) => rule)), new Set(["MissingIdentityUpdate"]));
    assert.ok(counts.questions <= 6, `${counts.questions} questions about a hundred commits`);
    await adminGroup.sync();
    await adminGroup.updateName("Still here");
    await after.sync();
    assert.deepEqual(epochOf(after), epochOf(adminGroup));
  });

  test("TRU-08 IDN-02 an update that is published after the fact changes no verdict, whoever reads when", async (t) => {
    const { world, pass } = await movableWorld(t);
    const { admin, adminGroup, memberGroup } = await world.group();
    const invite = await adminGroup.createInvite();
    await memberGroup.sync();
    const stranger = await world.device("stranger");
    const [log] = await admin.environment.transport.getIdentityUpdates([
      { inboxId: stranger.client.inboxId, afterSequenceId: 0n },
    ]);
    const info = await openSlot(stranger, invite.payload, world.node.url);
    const guessed = (log?.at(-1)?.sequenceId ?? 0n) + 1n;
    await publishUnknownId(stranger, info, guessed);
    await adminGroup.sync();
    assert.ok(adminGroup.waitsUntilNs !== undefined);
    pass(61);
    admin.clock.forward(61_000);
    await adminGroup.sync();
    assert.deepEqual(
      adminGroup.rejections().map(({ rule }) => rule),
      ["MissingIdentityUpdate"],
    );
    // The id is a global counter: the next update of anybody has it.
    await world.device("stranger's laptop", { signer: stranger.signer });
    await memberGroup.sync();
    assert.equal(memberGroup.waitsUntilNs, undefined, "a stamp that is too late is final at once");
    assert.deepEqual(memberGroup.rejections(), adminGroup.rejections());
    assert.deepEqual(epochOf(memberGroup), epochOf(adminGroup));
  });

  test("TRU-08 IDN-01 an identity clock that is 50 s ahead refuses nobody who registers and joins at once", async (t) => {
    const world = await World.start(t);
    const shifts = new Map<string, bigint>();
    const wrap = otherClock(shifts);
    const admin = await world.device("admin", { wrap });
    const member = await world.device("member", { wrap });
    const adminGroup = await admin.client.conversations.createGroup([member.client.inboxId], { name: "Clocks" });
    const invite = await adminGroup.createInvite();
    await member.client.conversations.sync();
    const memberGroup = groupOf(member, adminGroup.id);
    const joiner = await world.device("joiner", { wrap });
    shifts.set(joiner.client.inboxId, 50n * SECOND_NS);
    await joiner.client.conversations.joinByInvite(invite.url);
    await adminGroup.sync();
    await memberGroup.sync();
    assert.equal(memberGroup.members().length, 3);
    assert.deepEqual(epochOf(memberGroup), epochOf(adminGroup));
  });
});

describe("TRU-09 what happens on the way to the node", () => {
  test("TRU-09 an own commit that members must refuse is not taken, and nothing follows it", async (t) => {
    const world = await World.start(t);
    const shifts = new Map<string, bigint>();
    const wrap = otherClock(shifts);
    const admin = await world.device("admin", { wrap });
    const member = await world.device("member", { wrap });
    const adminGroup = await admin.client.conversations.createGroup([member.client.inboxId], { name: "Clocks" });
    await member.client.conversations.sync();
    const memberGroup = groupOf(member, adminGroup.id);
    const added = await world.device("added", { wrap });
    // The node's clock was a minute and a half ahead when this one registered, and is right again.
    shifts.set(added.client.inboxId, 90n * SECOND_NS);
    const before = epochOf(adminGroup);
    await failsWith(adminGroup.addMembers([added.client.inboxId]), "COMMIT_REJECTED", "MissingIdentityUpdate");
    await memberGroup.sync();
    assert.deepEqual(epochOf(adminGroup), before);
    assert.deepEqual(epochOf(memberGroup), before);
    assert.deepEqual(memberGroup.rejections(), adminGroup.rejections());
    assert.equal(traces(admin)["pendingCommits"], 0);
    await added.client.conversations.sync();
    assert.deepEqual(traces(added), NO_TRACES);

    shifts.clear();
    await adminGroup.send("we go on");
    await memberGroup.sync();
    assert.deepEqual(textsOf(memberGroup), ["we go on"]);
  });

  test("TRU-09 the same after a crash before the echo was read", async (t) => {
    const world = await World.start(t);
    const shifts = new Map<string, bigint>();
    const wrap = otherClock(shifts);
    const admin = await world.device("admin", { wrap });
    const adminGroup = await admin.client.conversations.createGroup([], { name: "Clocks" });
    const added = await world.device("added");
    shifts.set(added.client.inboxId, 90n * SECOND_NS);
    const before = epochOf(adminGroup);
    const { transport } = admin.environment;
    const stop = new AbortController();
    const send = t.mock.method(
      transport,
      "sendGroupMessages",
      async (...args: Parameters<typeof transport.sendGroupMessages>) => {
        send.mock.restore();
        await transport.sendGroupMessages(...args);
        stop.abort(new Error("crash"));
      },
    );
    await assert.rejects(adminGroup.addMembers([added.client.inboxId], { signal: stop.signal }), /crash/);
    assert.equal(traces(admin)["pendingCommits"], 1);
    await world.restart(admin, wrap);
    const again = groupOf(admin, adminGroup.id);
    await again.sync();
    assert.deepEqual(epochOf(again), before);
    assert.equal(again.rejections()[0]?.rule, "MissingIdentityUpdate");
    await added.client.conversations.sync();
    assert.deepEqual(traces(added), NO_TRACES);
  });

  test("TRU-09 an invite that ends while the commit is on its way: INVITE_EXPIRED, and nothing is shown as joined", async (t) => {
    const { world, pass } = await movableWorld(t);
    const { admin, adminGroup, memberGroup } = await world.group();
    const endNs = admin.clock.nowNs() + 600n * SECOND_NS;
    const invite = await adminGroup.createInvite({ expiresAtNs: endNs });
    const joiner = await world.device("joiner", {
      wrap: (environment) => {
        const { transport } = environment;
        const sendGroupMessages: typeof transport.sendGroupMessages = async (messages, signal) => {
          pass(601);
          await transport.sendGroupMessages(messages, signal);
        };
        return { ...environment, transport: { ...transport, sendGroupMessages } };
      },
    });
    await failsWith(joiner.client.conversations.joinByInvite(invite.url), "INVITE_EXPIRED");
    assert.deepEqual(traces(joiner), NO_TRACES);
    assert.deepEqual(joiner.client.conversations.listPendingJoins(), []);
    for (const group of [adminGroup, memberGroup]) {
      await group.sync();
      assert.equal(group.rejections().at(-1)?.rule, "ExternalCommitInviteExpired");
    }
  });

  test("TRU-09 an epoch that grows too old for the invite on the way leaves the join open, and not shown", async (t) => {
    const { world, pass } = await movableWorld(t);
    const { adminGroup } = await world.group();
    const invite = await adminGroup.createInvite({ staleAfterNs: 600n * SECOND_NS });
    const joiner = await world.device("joiner", {
      wrap: (environment) => {
        const { transport } = environment;
        const sendGroupMessages: typeof transport.sendGroupMessages = async (messages, signal) => {
          pass(601);
          await transport.sendGroupMessages(messages, signal);
        };
        return { ...environment, transport: { ...transport, sendGroupMessages } };
      },
    });
    await assert.rejects(joiner.client.conversations.joinByInvite(invite.url));
    assert.deepEqual(joiner.client.conversations.list(), []);
    await adminGroup.sync();
    assert.equal(adminGroup.rejections().at(-1)?.rule, "ExternalCommitInviteStale");
  });
});

describe("TRU-07 a revoked device", () => {
  test("TRU-07 IDN-03 it joins nowhere by link, once two minutes have passed, whatever point of its log it names", async (t) => {
    const { world, pass } = await movableWorld(t);
    const { adminGroup, memberGroup } = await world.group();
    const invite = await adminGroup.createInvite();
    await memberGroup.sync();
    const stolen = await world.device("stolen");
    const owner = await world.device("owner", { signer: stolen.signer });
    await revoke(owner, stolen);
    pass(121);
    await failsWith(stolen.client.conversations.joinByInvite(invite.url), "IDENTITY_REVOKED");
    const info = await openSlot(stolen, invite.payload, world.node.url);
    const [log] = await owner.environment.transport.getIdentityUpdates([
      { inboxId: owner.client.inboxId, afterSequenceId: 0n },
    ]);
    const ids = log?.map(({ sequenceId }) => sequenceId) ?? [];
    await publishRaw(stolen, await rawExternalCommit(stolen, info, { sequenceId: ids[0] ?? 0n }));
    const failedInstallations = [owner.client.installationId];
    await publishRaw(stolen, await rawExternalCommit(stolen, info, { sequenceId: ids[1] ?? 0n, failedInstallations }));
    for (const group of [adminGroup, memberGroup]) {
      await group.sync();
      assert.deepEqual(
        group.rejections().map(({ rule }) => rule),
        ["ExternalCommitInstallationRevoked", "ExternalCommitInstallationRevoked"],
      );
    }
    const { group } = await owner.client.conversations.joinByInvite(invite.url);
    await adminGroup.sync();
    assert.deepEqual(epochOf(group), epochOf(adminGroup));
  });

  test("TRU-07 IDN-03 what a revoked device says is not shown, and what it said before is", async (t) => {
    const world = await World.start(t);
    const { admin, adminGroup, memberGroup } = await world.group();
    const stolen = await world.device("stolen");
    const owner = await world.device("owner", { signer: stolen.signer });
    await adminGroup.addMembers([owner.client.inboxId]);
    for (const device of [stolen, owner]) await device.client.conversations.sync();
    const onStolen = groupOf(stolen, adminGroup.id);
    await onStolen.send("still mine");
    await revoke(owner, stolen);
    await onStolen.send("stolen by now");
    // The admin reads the owner's identity log for another group, before this one.
    await admin.client.conversations.createGroup([owner.client.inboxId], { name: "Other" });
    await adminGroup.sync();
    assert.deepEqual(textsOf(adminGroup), ["still mine"]);
    assert.deepEqual(
      adminGroup.rejections().map(({ rule }) => rule),
      ["MessageOfRevokedInstallation"],
    );
    await world.restart(admin);
    assert.deepEqual(textsOf(groupOf(admin, adminGroup.id)), ["still mine"]);
    await memberGroup.sync();
    assert.deepEqual(epochOf(memberGroup), epochOf(groupOf(admin, adminGroup.id)));
  });

  test("IDN-03 a commit that names a device which was revoked before it left is built anew", async (t) => {
    const world = await World.start(t);
    const { admin, adminGroup } = await world.group();
    const invite = await adminGroup.createInvite();
    let revokeNow: (() => Promise<void>) | undefined;
    let armed = false;
    const phone = await world.device("phone", {
      wrap: (environment) => {
        const { store } = environment;
        // Written as PREPARED, and not sent yet: what comes next is the last look at the own log.
        const transaction: typeof store.transaction = (write) => {
          const result = store.transaction(write);
          if (store.joins.list()[0]?.state === "PREPARED") armed = true;
          return result;
        };
        return wrapped({ ...environment, store: { ...store, transaction } });
      },
    });
    function wrapped(environment: Device["environment"]): Device["environment"] {
      const { transport } = environment;
      const getIdentityUpdates: typeof transport.getIdentityUpdates = async (...args) => {
        if (armed) await revokeNow?.();
        if (armed) revokeNow = undefined;
        return transport.getIdentityUpdates(...args);
      };
      return { ...environment, transport: { ...transport, getIdentityUpdates } };
    }
    const laptop = await world.device("laptop", { signer: phone.signer });
    revokeNow = () => revoke(phone, laptop);
    const before = (await readCommits(admin, adminGroup.id)).length;
    const { group } = await phone.client.conversations.joinByInvite(invite.url);
    assert.equal((await readCommits(admin, adminGroup.id)).length, before + 1, "the first bytes never left");
    await adminGroup.sync();
    const joined = adminGroup.members().find(({ inboxId }) => inboxId === phone.client.inboxId);
    assert.deepEqual(joined?.installations, [phone.client.installationId]);
    assert.deepEqual(epochOf(group), epochOf(adminGroup));
  });

  test("IDN-03 the same with bytes from disk, after a crash before they left", async (t) => {
    const world = await World.start(t);
    const { admin, adminGroup } = await world.group();
    const invite = await adminGroup.createInvite();
    const phone = await world.device("phone");
    const laptop = await world.device("laptop", { signer: phone.signer });
    const { transport } = phone.environment;
    const stop = new AbortController();
    t.mock.method(transport, "sendGroupMessages", async () => {
      stop.abort(new Error("crash"));
      throw new Error("crash");
    });
    const before = (await readCommits(admin, adminGroup.id)).length;
    await assert.rejects(phone.client.conversations.joinByInvite(invite.url, { signal: stop.signal }));
    assert.deepEqual(
      phone.client.conversations.listPendingJoins().map(({ state }) => state),
      ["PREPARED"],
    );
    await revoke(phone, laptop);
    await world.restart(phone);
    assert.equal((await readCommits(admin, adminGroup.id)).length, before, "what names the laptop stays here");
    assert.deepEqual(traces(phone), NO_TRACES);
    await phone.client.conversations.joinByInvite(invite.url);
    await adminGroup.sync();
    const joined = adminGroup.members().find(({ inboxId }) => inboxId === phone.client.inboxId);
    assert.deepEqual(joined?.installations, [phone.client.installationId]);
  });
});
