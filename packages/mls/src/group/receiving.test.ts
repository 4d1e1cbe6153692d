import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { utf8 } from "../bytes.ts";
import { decodeMlsMessage, encodeMlsMessage } from "../messages/mls-message.ts";
import { computeMembershipTag } from "../messages/public-message.ts";
import { PROPOSAL_TYPE } from "../messages/proposal.ts";
import { nodeCrypto } from "../node/index.ts";
import { createKeyPackage } from "./key-packages.ts";
import { MlsGroup } from "./mls-group.ts";
import { protect, signContent, verifySignatures } from "./protect.ts";
import { byValue, encodePublic, forgeMemberCommit, publicMessageIn, stateOf } from "../testing/forge.ts";
import {
  addProposal,
  commit,
  deliver,
  deliverCommit,
  groupOf,
  LEAF,
  LIFETIME,
  newConfig,
  newGroup,
  SUITE,
  welcomed,
  write,
  type TestMember,
} from "../testing/groups.ts";
import { assertRefused, assertUnchanged } from "../testing/refusal.ts";

type Trio = [TestMember, TestMember, TestMember];
const trio = async (): Promise<Trio> => (await groupOf(["ann", "bob", "cat"])) as Trio;

describe("a received commit", () => {
  for (const kind of ["commit", "proposal"] as const) {
    test(`signature: a ${kind} that another member tags in the sender's name is refused`, async () => {
      const [ann, bob] = await trio();
      const wireFormat = "public_message";
      const removal = { kind: "remove", removed: bob.group.ownLeafIndex } as const;
      const { message } = await (kind === "commit"
        ? ann.group.createCommit({ wireFormat })
        : ann.group.createProposal(removal, { wireFormat }));
      const { content, auth } = publicMessageIn(message);
      const forged = { ...auth, signature: new Uint8Array(64).fill(1) };
      const { secrets, contextBytes } = stateOf(bob).head;
      const suite = nodeCrypto.suite(SUITE);
      const membershipTag = computeMembershipTag(suite, secrets.membership, content, forged, contextBytes);
      await assertRefused(bob, encodePublic({ content, auth: forged, membershipTag }), "signature");
    });
  }

  test("tells the application whom it adds, removes and updates, and from what to what", async () => {
    const [ann, bob, cat] = await trio();
    const sent = await bob.group.createUpdate();
    write(bob, sent.change);
    for (const member of [ann, cat]) await deliver(member, sent.message, "proposal");
    const config = await newConfig("dan");
    const bundle = await createKeyPackage(config, { cipherSuite: SUITE, leaf: LEAF, lifetime: LIFETIME });
    const former = { bob: ann.group.leaf(bob.group.ownLeafIndex), cat: ann.group.leaf(cat.group.ownLeafIndex) };
    const remove = { kind: "remove", removed: cat.group.ownLeafIndex } as const;
    const pending = await ann.group.createCommit({ proposals: [remove, addProposal(bundle)] });
    const received = await bob.group.verify(pending.message);
    assert.ok(received.kind === "commit");
    const { added, removed, updated, committerLeafIndex, sender, proposals } = received.commit;
    assert.deepEqual(committerLeafIndex, ann.group.ownLeafIndex);
    assert.deepEqual(sender, { kind: "member", leafIndex: ann.group.ownLeafIndex });
    assert.deepEqual(added, [{ leafIndex: cat.group.ownLeafIndex, keyPackage: bundle.keyPackage }]);
    assert.deepEqual(removed, [{ leafIndex: cat.group.ownLeafIndex, leafNode: former.cat }]);
    const [update] = proposals.flatMap(({ proposal }) => (proposal.kind === "update" ? [proposal.leafNode] : []));
    assert.deepEqual(updated, [{ leafIndex: bob.group.ownLeafIndex, before: former.bob, after: update }]);
    assert.deepEqual(
      proposals.map(({ byReference }) => byReference),
      [true, false, false],
    );
  });

  test("MLS_STATE: is staged once", async () => {
    const [ann, bob] = await trio();
    const { message } = await ann.group.createCommit();
    const received = await bob.group.verify(message);
    assert.ok(received.kind === "commit");
    await bob.group.stage(received.commit);
    const again = (group: MlsGroup) => group.stage(received.commit);
    await assertUnchanged(bob, again, { code: "MLS_STATE" });
  });

  test("that leaves an own Update out leaves its owner with the key it had", async () => {
    const [ann, bob, cat] = await trio();
    const sent = await bob.group.createUpdate();
    write(bob, sent.change);
    for (const member of [ann, cat]) await deliver(member, sent.message, "proposal");
    await commit(ann, [bob, cat], { references: [] });
    await commit(cat, [ann, bob], {});
    assert.deepEqual(bob.group.epochAuthenticator, cat.group.epochAuthenticator);
  });

  test("MLS_STATE: an own one cannot refer to what is not pending", async () => {
    const [ann, bob] = await trio();
    const { reference } = await bob.group.createProposal({ kind: "remove", removed: ann.group.ownLeafIndex });
    const attempt = (group: MlsGroup) => group.createCommit({ references: [reference] });
    await assertUnchanged(ann, attempt, { code: "MLS_STATE" });
  });

  test("that covers one of two own Updates gives its owner the key of that one", async () => {
    const [ann, bob, cat] = await trio();
    const first = await bob.group.createUpdate();
    for (const member of [ann, cat]) await deliver(member, first.message, "proposal");
    write(bob, first.change);
    const later = await bob.group.createUpdate();
    write(bob, later.change);
    await commit(ann, [bob, cat], { references: [first.reference] });
    await commit(cat, [ann, bob], {});
    assert.deepEqual(bob.group.epochAuthenticator, cat.group.epochAuthenticator);
  });

  test("required-capabilities: with an AppDataUpdate, where a member does not know that proposal", async () => {
    const ann = await newGroup("ann");
    const config = await newConfig("old");
    const leaf = { ...LEAF, capabilities: { ...LEAF.capabilities, proposals: [PROPOSAL_TYPE.self_remove] } };
    const bundle = await createKeyPackage(config, { cipherSuite: SUITE, leaf, lifetime: LIFETIME });
    const { welcome } = await commit(ann, [], { proposals: [addProposal(bundle)] });
    const old = await welcomed(config, welcome, bundle);
    const operation = { kind: "update", update: utf8("x") } as const;
    const proposals = [byValue({ kind: "app_data_update", componentId: 0x8003, operation })];
    const message = await forgeMemberCommit(ann, () => ({ proposals, path: undefined }));
    await assertRefused(old, message, "required-capabilities");
  });
});

test("CRYPTO: a provider that answers fewer signature checks than it was asked is not believed", async () => {
  const check = { publicKey: new Uint8Array(32), message: new Uint8Array(0), signature: new Uint8Array(64) };
  const suite = { ...nodeCrypto.suite(SUITE), verifyBatch: async () => [] };
  await assert.rejects(verifySignatures({ suite }, [check]), { code: "CRYPTO" });
});

describe("a received message", () => {
  test("DECODE: whose ciphertext is shorter than its tag is refused before any key is derived", async () => {
    const [ann, bob] = await trio();
    const { message } = await ann.group.encryptApplication(utf8("x"));
    const decoded = decodeMlsMessage(message);
    assert.ok(decoded.wireFormat === "private_message");
    const short = { ...decoded.message, ciphertext: decoded.message.ciphertext.slice(0, 15) };
    await assertRefused(bob, encodeMlsMessage({ wireFormat: "private_message", message: short }), { code: "DECODE" });
  });

  test("of an epoch that has ended is stale, be it public or private", async () => {
    const [ann, bob, cat] = await trio();
    const sent = [await ann.group.createCommit({ wireFormat: "public_message" }), await ann.group.createCommit()];
    await commit(cat, [ann, bob], {});
    for (const { message } of sent) {
      assert.deepEqual(await bob.group.verify(message), { kind: "stale", epoch: 1n });
    }
  });

  test("MLS_STATE: of the last epoch of a removed member, unless it is application data", async () => {
    const [ann, bob, cat] = await trio();
    const late = await bob.group.encryptApplication(utf8("late"));
    write(bob, late.change);
    const other = await bob.group.createCommit({ wireFormat: "public_message" });
    const pending = await ann.group.createCommit({
      proposals: [{ kind: "remove", removed: cat.group.ownLeafIndex }],
    });
    assert.equal((await deliverCommit(cat, pending.message)).selfRemoved, true);
    await assertRefused(cat, other.message, { code: "MLS_STATE" });
    assert.deepEqual((await deliver(cat, late.message, "application")).data, utf8("late"));
  });
});

describe("a message of the own leaf", () => {
  /** The member as a copy of its rows from before would be. */
  const restored = (member: TestMember, rows: ReadonlyMap<string, Uint8Array>): TestMember => ({
    ...member,
    group: MlsGroup.load(member.config, rows),
    rows: new Map(rows),
  });

  for (const kind of ["application", "commit"] as const) {
    test(`is known for sent, and in an older copy of the state for foreign: ${kind}`, async () => {
      const [ann] = await trio();
      const before = new Map(ann.rows);
      const { message, sent } =
        kind === "commit"
          ? await ann.group.createCommit()
          : await ann.group.encryptApplication(utf8("x")).then(({ message, change }) => ({ message, sent: change }));
      write(ann, sent);
      assert.deepEqual(await ann.group.verify(message), { kind: "own", isForeign: false });
      assert.deepEqual(await restored(ann, before).group.verify(message), { kind: "own", isForeign: true });
    });
  }

  test("signature, CRYPTO: another member cannot write one", async () => {
    const [ann, bob] = await trio();
    // With the state of bob the leaf of ann is claimed: sender data and keys are all members', the signature is not.
    const state = stateOf(bob);
    const forger = { ...state, head: { ...state.head, ownLeafIndex: ann.group.ownLeafIndex } };
    const content = { kind: "application", data: utf8("x") } as const;
    const signed = await signContent(forger, "private_message", content, utf8(""));
    await assertRefused(ann, protect(forger, signed).message, "signature");
  });
});
