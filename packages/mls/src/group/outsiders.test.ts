import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { utf8 } from "../bytes.ts";
import { EXTENSION_TYPE } from "../messages/extension.ts";
import { encodeExternalSenders } from "../messages/external-sender.ts";
import { signFramedContent, type FramedContent } from "../messages/framing.ts";
import { signLeafNode } from "../messages/leaf-node.ts";
import type { Proposal } from "../messages/proposal.ts";
import { nodeCrypto } from "../node/index.ts";
import { asLeafIndex } from "../tree/math.ts";
import { RFC_9420_EXTERNAL_COMMITS, type GroupConfig } from "./config.ts";
import { createExternalProposal, createNewMemberProposal } from "./external-proposal.ts";
import { createKeyPackage } from "./key-packages.ts";
import { createExternalCommit, MlsGroup } from "./mls-group.ts";
import { protect, signContent } from "./protect.ts";
import { byValue, encodePublic, forgeMemberCommit, publicMessageIn, stateOf } from "../testing/forge.ts";
import { assertRefused, assertUnchanged } from "../testing/refusal.ts";
import {
  addProposal,
  commit,
  deliver,
  deliverCommit,
  GROUP_ID,
  groupOf,
  keyPackageFor,
  LEAF,
  LIFETIME,
  memberOf,
  newConfig,
  SUITE,
  welcomed,
  write,
  type TestMember,
} from "../testing/groups.ts";
import { verifyGroupInfo } from "./verify-group-info.ts";

/** Members of a group that takes external commits as RFC 9420 does. */
function strict(member: TestMember): TestMember {
  const config: GroupConfig = { ...member.config, externalCommitPolicy: RFC_9420_EXTERNAL_COMMITS };
  return { ...member, config, group: MlsGroup.load(config, member.rows) };
}

function assertAgree(members: readonly TestMember[]): void {
  const authenticators = new Set(members.map(({ group }) => group.epochAuthenticator.join()));
  assert.equal(authenticators.size, 1);
  assert.ok(members.length > 1);
}

describe("resync (RFC 9420 §12.4.3.2)", () => {
  test("a member that lost its state removes its former leaf and joins in one external commit", async () => {
    const [ann, bob, cat] = (await groupOf(["ann", "bob", "cat"])).map(strict) as [TestMember, TestMember, TestMember];
    const info = await verifyGroupInfo(ann.config, await ann.group.exportGroupInfo());
    const { message, group } = await createExternalCommit(bob.config, info, { leaf: LEAF, resync: asLeafIndex(1) });
    for (const member of [ann, cat]) await deliverCommit(member, message);
    assert.equal((await deliverCommit(bob, message)).selfRemoved, true);
    const back = memberOf(bob.config, group);
    assert.equal(group.ownLeafIndex, 1);
    assert.equal(group.memberCount, 3);
    await commit(ann, [cat, back], {});
    assertAgree([ann, cat, back]);
  });

  test("external-remove: SEC-04 somebody else's leaf, or two leaves", async () => {
    const [ann, bob, cat] = (await groupOf(["ann", "bob", "cat"])).map(strict) as [TestMember, TestMember, TestMember];
    const info = await verifyGroupInfo(ann.config, await ann.group.exportGroupInfo());
    const stranger: GroupConfig = { ...(await newConfig("zoe")), externalCommitPolicy: RFC_9420_EXTERNAL_COMMITS };
    const { message } = await createExternalCommit(stranger, info, { leaf: LEAF, resync: cat.group.ownLeafIndex });
    for (const member of [ann, bob, cat]) {
      await assertRefused(member, message, "external-remove");
    }
  });

  test("leaf-key-change: with the encryption key of the former leaf (RFC 9420 §12.2)", async () => {
    const [ann, bob] = (await groupOf(["ann", "bob"])).map(strict) as [TestMember, TestMember];
    const info = await verifyGroupInfo(ann.config, await ann.group.exportGroupInfo());
    const { message } = await createExternalCommit(bob.config, info, { leaf: LEAF, resync: asLeafIndex(1) });
    const good = publicMessageIn(message);
    const { content } = good.content;
    const former = bob.group.leaf(asLeafIndex(1));
    assert.ok(content.kind === "commit" && content.commit.path !== undefined && former !== undefined);
    const { privateKey } = bob.config.identity.signatureKeyPair;
    const suite = nodeCrypto.suite(SUITE);
    const leafNode = await signLeafNode(
      suite,
      privateKey,
      { ...content.commit.path.leafNode, encryptionKey: former.encryptionKey },
      { groupId: GROUP_ID, leafIndex: asLeafIndex(1) },
    );
    const path = { ...content.commit.path, leafNode };
    const framed: FramedContent = { ...good.content, content: { kind: "commit", commit: { ...content.commit, path } } };
    const signature = await signFramedContent(suite, privateKey, "public_message", framed, info.contextBytes);
    await assertRefused(
      ann,
      encodePublic({ ...good, content: framed, auth: { ...good.auth, signature } }),
      "leaf-key-change",
    );
    await deliverCommit(ann, message);
  });

  test("an external commit brings a PSK into the epoch", async () => {
    const externalPsk = () => utf8("secret");
    const [first] = await groupOf(["ann", "bob"]);
    assert.ok(first !== undefined);
    const config: GroupConfig = { ...first.config, externalCommitPolicy: RFC_9420_EXTERNAL_COMMITS, externalPsk };
    const ann: TestMember = { ...first, config, group: MlsGroup.load(config, first.rows) };
    const info = await verifyGroupInfo(ann.config, await ann.group.exportGroupInfo());
    const psk = { kind: "external", pskId: utf8("door"), nonce: new Uint8Array(32) } as const;
    const joiner: GroupConfig = {
      ...(await newConfig("zoe")),
      externalCommitPolicy: RFC_9420_EXTERNAL_COMMITS,
      externalPsk,
    };
    const { message, group } = await createExternalCommit(joiner, info, { leaf: LEAF, psks: [psk] });
    const without = strict(first);
    await assertRefused(without, message, "psk-unknown");
    await deliverCommit(ann, message);
    assertAgree([ann, memberOf(joiner, group)]);
  });
});

describe("proposals from outside of the group (RFC 9420 §12.1.8)", () => {
  async function withSender() {
    const server = await newConfig("server");
    const { credential, signatureKeyPair } = server.identity;
    const data = encodeExternalSenders([{ credential, signatureKey: signatureKeyPair.publicKey }]);
    const members = await groupOf(["ann", "bob", "cat"], [{ type: EXTENSION_TYPE.externalSenders, data }]);
    const [ann, bob, cat] = members as [TestMember, TestMember, TestMember];
    return { server, ann, bob, cat, target: { cipherSuite: SUITE, groupId: GROUP_ID, epoch: ann.group.epoch } };
  }
  const removeCat = { kind: "remove", removed: asLeafIndex(2) } as const;

  test("an external sender proposes a Remove and a member commits it", async () => {
    const { server, ann, bob, target } = await withSender();
    const message = await createExternalProposal(server, target, 0, removeCat);
    assert.equal(publicMessageIn(message).content.authenticatedData.length, 0);
    for (const member of [ann, bob]) await deliver(member, message, "proposal");
    await commit(ann, [bob], {});
    assert.equal(ann.group.memberCount, 2);
    assertAgree([ann, bob]);
  });

  test("somebody proposes to be added, and is welcomed", async () => {
    const { ann, bob, cat, target } = await withSender();
    const zoe = await newConfig("zoe");
    const bundle = await keyPackageFor(zoe);
    const message = await createNewMemberProposal(zoe, target, bundle.keyPackage);
    for (const member of [ann, bob, cat]) await deliver(member, message, "proposal");
    const { welcome } = await commit(bob, [ann, cat], {});
    assertAgree([ann, bob, cat, await welcomed(zoe, welcome, bundle)]);
    await assert.rejects(createNewMemberProposal(await newConfig("other"), target, bundle.keyPackage), {
      code: "MLS_STATE",
    });
  });

  const takes: Proposal[] = [
    removeCat,
    { kind: "group_context_extensions", extensions: [] },
    { kind: "psk", psk: { kind: "external", pskId: utf8("x"), nonce: new Uint8Array(32) } },
    { kind: "reinit", groupId: GROUP_ID, version: 1, cipherSuite: SUITE, extensions: [] },
  ];
  const refuses: Proposal[] = [
    { kind: "external_init", kemOutput: new Uint8Array(32) },
    { kind: "app_ephemeral", componentId: 1, data: new Uint8Array(0) },
    { kind: "self_remove" },
  ];

  test("external-sender: of the kinds that RFC 9420 names, and of no other", async () => {
    const { server, ann, target } = await withSender();
    const bundle = await keyPackageFor(await newConfig("eve"));
    for (const proposal of [...takes, addProposal(bundle)]) {
      await deliver(ann, await createExternalProposal(server, target, 0, proposal), "proposal");
    }
    const update: Proposal = { kind: "update", leafNode: bundle.keyPackage.leafNode };
    for (const proposal of [...refuses, update]) {
      await assertRefused(ann, await createExternalProposal(server, target, 0, proposal), "external-sender");
    }
  });

  test("external-sender: an index the group does not name, or an AppDataUpdate", async () => {
    const { server, ann, target } = await withSender();
    const unknown = await createExternalProposal(server, target, 1, removeCat);
    await assertRefused(ann, unknown, "external-sender");
    const update = { kind: "app_data_update", componentId: 1, operation: { kind: "remove" } } as const;
    const forbidden = await createExternalProposal(server, target, 0, update);
    await assertRefused(ann, forbidden, "external-sender");
  });

  test("signature: an external sender that another key signs for", async () => {
    const { ann, target } = await withSender();
    const forged = await createExternalProposal(await newConfig("server"), target, 0, removeCat);
    await assertRefused(ann, forged, "signature");
  });
});

describe("SelfRemove", () => {
  test("self-remove, MLS_STATE: only where joiners can read it", async () => {
    const [ann, bob] = (await groupOf(["ann", "bob"])) as [TestMember, TestMember];
    const proposal = { kind: "self_remove" } as const;
    const hidden = (group: MlsGroup) => group.createProposal(proposal, { wireFormat: "private_message" });
    await assertUnchanged(bob, hidden, { code: "MLS_STATE" });
    const state = stateOf(bob);
    const { message } = protect(
      state,
      await signContent(state, "private_message", { kind: "proposal", proposal }, utf8("")),
    );
    await assertRefused(ann, message, "self-remove");
    const { message: open } = await bob.group.createProposal(proposal);
    await deliver(ann, open, "proposal");
  });

  test("proposal-list: not by value, which would be the committer's own", async () => {
    const [ann, bob] = (await groupOf(["ann", "bob"])) as [TestMember, TestMember];
    const message = await forgeMemberCommit(ann, (legal) => ({
      ...legal,
      proposals: [byValue({ kind: "self_remove" })],
    }));
    await assertRefused(bob, message, "proposal-list");
  });

  test("a member leaves: its proposal is committed by another one, and cannot be by itself", async () => {
    const [ann, bob, cat] = (await groupOf(["ann", "bob", "cat"])) as [TestMember, TestMember, TestMember];
    const { message, change } = await cat.group.createProposal({ kind: "self_remove" });
    write(cat, change);
    for (const member of [ann, bob]) await deliver(member, message, "proposal");
    const references = cat.group.pendingProposals().map((item) => item.reference);
    await assertUnchanged(cat, (group) => group.createCommit({ references }), { rule: "proposal-list" });
    const pending = await commit(ann, [bob], {});
    assert.equal((await deliverCommit(cat, pending.message)).selfRemoved, true);
    assert.equal(ann.group.memberCount, 2);
    assertAgree([ann, bob]);
  });

  test("required-capabilities: not in a group with a member that does not know it", async () => {
    const [ann, bob] = (await groupOf(["ann", "bob"])) as [TestMember, TestMember];
    const old = await newConfig("old");
    const capabilities = { ...LEAF.capabilities, proposals: [] };

    const leaf = { ...LEAF, capabilities };
    const bundle = await createKeyPackage(old, { cipherSuite: SUITE, leaf, lifetime: LIFETIME });
    await commit(ann, [bob], { proposals: [addProposal(bundle)] });
    const { message, change } = await bob.group.createProposal({ kind: "self_remove" });
    write(bob, change);
    await deliver(ann, message, "proposal");
    const references = ann.group.pendingProposals().map((item) => item.reference);
    await assertUnchanged(ann, (group) => group.createCommit({ references }), { rule: "required-capabilities" });
  });
});
