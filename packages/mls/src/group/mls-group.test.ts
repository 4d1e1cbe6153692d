import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { toHex, utf8 } from "../bytes.ts";
import { encodeAppDataDictionary } from "../messages/app-data.ts";
import { EXTENSION_TYPE } from "../messages/extension.ts";
import type { LeafNode } from "../messages/leaf-node.ts";
import { decodeRows, encodeRows } from "./change.ts";
import type { CommitOptions } from "./create-commit.ts";
import { createExternalCommit, MlsGroup } from "./mls-group.ts";
import { publicMessageIn } from "../testing/forge.ts";
import {
  addProposal,
  commit,
  deliver,
  deliverCommit,
  groupOf,
  keyPackageFor,
  LEAF,
  memberOf,
  newConfig,
  newGroup,
  welcomed,
  write,
  type TestMember,
} from "../testing/groups.ts";
import { assertRefused, assertUnchanged } from "../testing/refusal.ts";
import { verifyGroupInfo } from "./verify-group-info.ts";

const DICTIONARY = {
  type: EXTENSION_TYPE.appDataDictionary,
  data: encodeAppDataDictionary(new Map([[0x8003, utf8("old")]])),
};

function assertAgree(members: readonly TestMember[]): void {
  const [first, ...rest] = members;
  assert.ok(first !== undefined && rest.length > 0);
  for (const other of rest) {
    assert.equal(other.group.epoch, first.group.epoch);
    assert.deepEqual(other.group.treeHash, first.group.treeHash);
    assert.deepEqual(other.group.epochAuthenticator, first.group.epochAuthenticator);
    assert.deepEqual(other.group.exportSecret("x", utf8("y"), 32), first.group.exportSecret("x", utf8("y"), 32));
  }
}

async function assertTalk(members: readonly TestMember[]): Promise<void> {
  for (const from of members) {
    const text = utf8(`from leaf ${from.group.ownLeafIndex}`);
    const { message, change } = await from.group.encryptApplication(text);
    write(from, change);
    for (const to of members) {
      if (to === from) assert.equal((await to.group.verify(message)).kind, "own");
      else assert.deepEqual((await deliver(to, message, "application")).data, text);
    }
  }
}

/** The member as it comes back from its rows. */
function reopened(member: TestMember): TestMember {
  const group = MlsGroup.load(member.config, member.rows);
  assert.deepEqual(
    [...group.snapshot()].map(([key, value]) => `${key}=${toHex(value)}`).sort(),
    [...member.rows].map(([key, value]) => `${key}=${toHex(value)}`).sort(),
  );
  return { ...member, group };
}

describe("a group", () => {
  test("begins at epoch 0 with an empty confirmed transcript hash (RFC 9420 §11)", async () => {
    const { epoch, confirmedTranscriptHash } = (await newGroup("ann")).group.context;
    assert.deepEqual([epoch, confirmedTranscriptHash.length], [0n, 0]);
  });

  test("members added by Welcome agree with the creator and talk to each other", async () => {
    const members = await groupOf(["ann", "bob", "cat", "dan", "eve"]);
    assertAgree(members);
    await assertTalk(members);
  });

  test("Add, Remove, Update and empty commits, by value and by reference, keep members in agreement", async () => {
    const members = await groupOf(["ann", "bob", "cat", "dan", "eve"]);
    const [ann, bob, cat, dan, eve] = members as [TestMember, TestMember, TestMember, TestMember, TestMember];
    await commit(bob, [ann, cat, dan, eve], {});
    assertAgree(members);
    const update = await cat.group.createUpdate();
    write(cat, update.change);
    for (const other of [ann, bob, dan, eve]) await deliver(other, update.message, "proposal");
    const removal = await ann.group.createProposal({ kind: "remove", removed: eve.group.ownLeafIndex });
    write(ann, removal.change);
    for (const other of [bob, cat, dan, eve]) await deliver(other, removal.message, "proposal");
    const pending = await dan.group.createCommit();
    write(dan, pending.sent);
    for (const other of [ann, bob, cat]) await deliverCommit(other, pending.message);
    assert.equal((await deliverCommit(eve, pending.message)).selfRemoved, true);
    assert.equal(eve.group.active, false);
    await assertUnchanged(eve, (group) => group.encryptApplication(utf8("x")), { code: "MLS_STATE" });
    write(dan, pending);
    assertAgree([ann, bob, cat, dan]);
    await assertTalk([ann, bob, cat, dan]);
    const config = await newConfig("fay");
    const bundle = await keyPackageFor(config);
    const { welcome } = await commit(cat, [ann, bob, dan], { proposals: [addProposal(bundle)], path: false });
    const fay = await welcomed(config, welcome, bundle);
    assert.equal(fay.group.ownLeafIndex, 4);
    assertAgree([ann, bob, cat, dan, fay]);
    for (const leaf of [1, 2, 3]) {
      const gone = [ann, bob, cat, dan, fay].find(({ group }) => group.ownLeafIndex === leaf);
      assert.ok(gone !== undefined);
      const rest = [bob, cat, dan, fay].filter((member) => member !== gone && member.group.ownLeafIndex > leaf);
      await commit(ann, rest, { proposals: [{ kind: "remove", removed: gone.group.ownLeafIndex }] });
    }
    assertAgree([ann, fay]);
    await assertTalk([ann, fay]);
  });

  test("every member comes back from its rows, at every epoch, and goes on", async () => {
    let members = await groupOf(["ann", "bob", "cat"]);
    for (let round = 0; round < 6; round++) {
      const [from, ...others] = members;
      assert.ok(from !== undefined);
      await commit(from, others, {});
      await assertTalk(members);
      members = [...others, from].map(reopened);
      assertAgree(members);
    }
  });

  test("MLS_STATE: a removed member sends, proposes, commits and exports nothing more", async () => {
    const [ann, bob] = (await groupOf(["ann", "bob"])) as [TestMember, TestMember];
    await commit(ann, [bob], { proposals: [{ kind: "remove", removed: bob.group.ownLeafIndex }] });
    const attempts: ((group: MlsGroup) => Promise<unknown>)[] = [
      (group) => group.encryptApplication(utf8("x")),
      (group) => group.createProposal({ kind: "remove", removed: ann.group.ownLeafIndex }),
      (group) => group.createUpdate(),
      (group) => group.createCommit(),
      (group) => group.exportGroupInfo(),
    ];
    for (const attempt of attempts) await assertUnchanged(bob, attempt, { code: "MLS_STATE" });
  });

  test("a pending proposal comes back from the rows, and is committed", async () => {
    const [ann, bob, cat] = (await groupOf(["ann", "bob", "cat"])) as [TestMember, TestMember, TestMember];
    const removal = await ann.group.createProposal({ kind: "remove", removed: cat.group.ownLeafIndex });
    write(ann, removal.change);
    await deliver(bob, removal.message, "proposal");
    const [first, second] = [reopened(ann), reopened(bob)];
    await commit(first, [second], {});
    assertAgree([first, second]);
    assert.equal(first.group.memberCount, 2);
  });

  test("an own commit that lost leaves no trace; a winning one may be read back after a restart", async () => {
    const [ann, bob] = (await groupOf(["ann", "bob"])) as [TestMember, TestMember];
    const lost = await ann.group.createCommit();
    write(ann, lost.sent);
    await commit(bob, [ann], {});
    assert.throws(
      () => {
        ann.group.merge(lost);
      },
      { code: "MLS_STATE" },
    );
    assertAgree([ann, bob]);
    const won = await ann.group.createCommit();
    write(ann, won.sent);
    const stored = encodeRows(won.rows);
    const { message, change } = await bob.group.encryptApplication(utf8("meanwhile"));
    write(bob, change);
    await deliver(ann, message, "application");
    await deliverCommit(bob, won.message);
    for (const [key, value] of decodeRows(stored)) {
      if (value === null) ann.rows.delete(key);
      else ann.rows.set(key, value);
    }
    const back = memberOf(ann.config, MlsGroup.load(ann.config, ann.rows));
    assertAgree([back, bob]);
    await assertTalk([back, bob]);
  });

  test("a member that a node above does not count yet opens the path that is encrypted to both", async () => {
    const members = await groupOf(["ann", "bob", "cat", "dan", "eve", "fay", "gus"]);
    const by = (index: number, options: CommitOptions = {}) => {
      const committer = members[index];
      assert.ok(committer !== undefined);
      return commit(committer, members.toSpliced(index, 1), options);
    };
    await by(4);
    const config = await newConfig("hal");
    const bundle = await keyPackageFor(config);
    const { welcome } = await by(0, { proposals: [addProposal(bundle)] });
    members.push(await welcomed(config, welcome, bundle));
    await by(1);
    assertAgree(members);
  });

  test("messages arrive out of order, once each, and up to three epochs late", async () => {
    const [ann, bob] = (await groupOf(["ann", "bob"])) as [TestMember, TestMember];
    const sent: Uint8Array[] = [];
    for (let i = 0; i < 5; i++) {
      const { message, change } = await ann.group.encryptApplication(utf8(`m${i}`));
      write(ann, change);
      sent.push(message);
    }
    for (const index of [3, 0, 4]) {
      assert.deepEqual((await deliver(bob, sent[index] ?? utf8(""), "application")).data, utf8(`m${index}`));
    }
    assert.equal((await bob.group.verify(sent[3] ?? utf8(""))).kind, "duplicate");
    for (let epoch = 0; epoch < 3; epoch++) await commit(bob, [ann], {});
    const late = await deliver(bob, sent[1] ?? utf8(""), "application");
    assert.deepEqual(late.data, utf8("m1"));
    await commit(bob, [ann], {});
    assert.equal((await bob.group.verify(sent[2] ?? utf8(""))).kind, "stale");
    assert.ok(![...bob.rows.keys()].some((key) => key.startsWith("e/1")), "keys of epochs out of reach are deleted");
  });

  test("an application message of a former member opens with the leaf it had in that epoch", async () => {
    const [ann, bob, cat] = (await groupOf(["ann", "bob", "cat"])) as [TestMember, TestMember, TestMember];
    const { message, change } = await cat.group.encryptApplication(utf8("bye"));
    write(cat, change);
    await commit(ann, [bob], { proposals: [{ kind: "remove", removed: cat.group.ownLeafIndex }] });
    const config = await newConfig("dan");
    const bundle = await keyPackageFor(config);
    await commit(ann, [bob], { proposals: [addProposal(bundle)] });
    const received = await deliver(reopened(bob), message, "application");
    assert.deepEqual(received.senderLeaf.credential, cat.config.identity.credential);
  });

  test("external and resumption PSKs go into the epoch of members and of those they welcome", async () => {
    const [ann, bob] = (await groupOf(["ann", "bob"])) as [TestMember, TestMember];
    await commit(ann, [bob], {});
    const externalPsk = (id: Uint8Array) => (toHex(id) === toHex(utf8("door")) ? utf8("secret") : undefined);
    const withPsk = (member: TestMember): TestMember => {
      const config = { ...member.config, externalPsk };
      return { ...member, config, group: MlsGroup.load(config, member.rows) };
    };
    const [amy, ben] = [withPsk(ann), withPsk(bob)];
    const config = { ...(await newConfig("cat")), externalPsk };
    const bundle = await keyPackageFor(config);
    const nonce = new Uint8Array(32);
    const door = { kind: "psk", psk: { kind: "external", pskId: utf8("door"), nonce } } as const;
    const resumption = { kind: "resumption", usage: 1, groupId: amy.group.groupId, epoch: 1n, nonce } as const;
    const { message, welcome } = await amy.group.createCommit({ proposals: [addProposal(bundle), door] });
    await assertRefused(bob, message, "psk-unknown");
    await commit(amy, [ben], { proposals: [door, { kind: "psk", psk: resumption }] });
    assertAgree([amy, ben]);
    await assert.rejects(
      MlsGroup.fromWelcome({ ...config, externalPsk: () => undefined }, welcome ?? utf8(""), [bundle]),
      {
        rule: "psk-unknown",
      },
    );
    const added = await commit(amy, [ben], { proposals: [addProposal(bundle), door] });
    const cat = await welcomed(config, added.welcome, bundle);
    assertAgree([amy, ben, cat]);
    await assertTalk([amy, ben, cat]);
  });

  test("a message of the next epoch is future, a proposal or commit of the last one stale", async () => {
    const [ann, bob] = (await groupOf(["ann", "bob"])) as [TestMember, TestMember];
    const proposal = await ann.group.createProposal({ kind: "remove", removed: bob.group.ownLeafIndex });
    const old = await ann.group.createCommit({ references: [] });
    await commit(ann, [], {});
    const { message } = await ann.group.encryptApplication(utf8("x"));
    assert.equal((await bob.group.verify(message)).kind, "future");
    await commit(bob, [], {});
    assert.equal((await bob.group.verify(proposal.message)).kind, "stale");
    assert.equal((await bob.group.verify(old.message)).kind, "stale");
  });
});

describe("an external commit", () => {
  test("with ExternalInit alone brings the joiner in, with everybody agreeing", async () => {
    const members = await groupOf(["ann", "bob", "cat"]);
    const [ann] = members;
    assert.ok(ann !== undefined);
    const info = await verifyGroupInfo(ann.config, await ann.group.exportGroupInfo());
    const config = await newConfig("zoe");
    const { message, welcome, group } = await createExternalCommit(config, info, { leaf: LEAF });
    assert.equal(welcome, undefined);
    assert.equal(publicMessageIn(message).content.authenticatedData.length, 0);
    for (const member of members) await deliverCommit(member, message);
    const all = [...members, reopened(memberOf(config, group))];
    assertAgree(all);
    await assertTalk(all);
    await commit(ann, all.slice(1), {});
    assertAgree(all);
  });

  test("with by-value Adds and one AppDataUpdate adds the joiner after the Adds and welcomes them", async () => {
    for (const size of [1, 2, 3, 4, 5]) {
      const members = await groupOf(["a", "b", "c", "d", "e"].slice(0, size), [DICTIONARY]);
      const info = await verifyGroupInfo(
        members[0]?.config ?? (await newConfig("")),
        (await members[0]?.group.exportGroupInfo()) ?? utf8(""),
      );
      const config = await newConfig("phone");
      const others = await Promise.all(["laptop", "tablet"].map((name) => newConfig(name)));
      const bundles = await Promise.all(others.map((other) => keyPackageFor(other)));
      const appData = new Map([[0x8003, utf8("new")]]);
      const { message, welcome, group } = await createExternalCommit(config, info, {
        leaf: LEAF,
        adds: bundles.map(({ keyPackage }) => keyPackage),
        appDataUpdates: [{ componentId: 0x8003, update: utf8("delta") }],
        appData,
      });
      assert.equal(group.ownLeafIndex, size + 2);
      for (const member of members) {
        const received = await member.group.verify(message);
        assert.ok(received.kind === "commit");
        assert.deepEqual(
          received.commit.proposals.map(({ proposal }) => proposal.kind),
          ["add", "add", "external_init", "app_data_update"],
        );
        assert.equal(received.commit.committerLeafIndex, size + 2);
        write(member, await member.group.stage(received.commit, { appData }));
      }
      const siblings = await Promise.all(
        others.map(async (other, index) => {
          const bundle = bundles[index];
          assert.ok(bundle !== undefined);
          return welcomed(other, welcome, bundle);
        }),
      );
      const all = [...members, memberOf(config, group), ...siblings];
      assertAgree(all);
      for (const { group: each } of all) assert.deepEqual(each.appData.get(0x8003), utf8("new"));
      await assertTalk(all);
      for (const from of all)
        await commit(
          from,
          all.filter((member) => member !== from),
          {},
        );
      assertAgree(all);
    }
  });

  test("signature: is not made for somebody whose key package is not signed", async () => {
    const [ann] = await groupOf(["ann"]);
    assert.ok(ann !== undefined);
    const info = await verifyGroupInfo(ann.config, await ann.group.exportGroupInfo());
    const { keyPackage } = await keyPackageFor(await newConfig("eve"));
    const adds = [{ ...keyPackage, signature: new Uint8Array(64) }];
    const join = createExternalCommit(await newConfig("zoe"), info, { leaf: LEAF, adds });
    await assert.rejects(join, { code: "MLS_INVALID", rule: "signature" });
  });

  test("by-value Adds are refused under RFC 9420's own rule, by the joiner and by a member", async () => {
    const [ann] = (await groupOf(["ann", "bob"])) as [TestMember];
    const info = await verifyGroupInfo(ann.config, await ann.group.exportGroupInfo());
    const config = await newConfig("zoe");
    const bundle = await keyPackageFor(await newConfig("tablet"));
    const options = { leaf: LEAF, adds: [bundle.keyPackage] };
    const strict = { crypto: config.crypto, identity: config.identity };
    await assert.rejects(createExternalCommit(strict, info, options), {
      code: "MLS_INVALID",
      rule: "external-proposal",
    });
    const { message } = await createExternalCommit(config, info, options);
    const { crypto, identity } = ann.config;
    const strictMember = { ...ann, group: MlsGroup.load({ crypto, identity }, ann.rows) };
    await assertRefused(strictMember, message, "external-proposal");
  });
});

test("members are found by whose they are, as the application tells it, and not without being told", async () => {
  const [ann, bob] = await groupOf(["ann", "bob"]);
  assert.ok(ann !== undefined && bob !== undefined);
  const identityOf = ({ credential }: LeafNode) =>
    credential.kind === "basic" ? toHex(credential.identity) : undefined;
  const told = MlsGroup.load({ ...ann.config, identityOf }, ann.group.snapshot());
  const found = told.leavesOf(toHex(utf8("bob")));
  assert.deepEqual(
    found.map(({ leafIndex, leafNode }) => [leafIndex, toHex(leafNode.signatureKey)]),
    [[bob.group.ownLeafIndex, toHex(bob.config.identity.signatureKeyPair.publicKey)]],
  );
  assert.deepEqual(told.leavesOf(toHex(utf8("zoe"))), []);
  assert.throws(() => ann.group.leavesOf(toHex(utf8("bob"))), { name: "StateError" });
});
