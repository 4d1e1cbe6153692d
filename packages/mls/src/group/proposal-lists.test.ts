import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { utf8 } from "../bytes.ts";
import { MLS_LIMITS } from "../limits.ts";
import { encodeAppDataDictionary } from "../messages/app-data.ts";
import { EXTENSION_TYPE } from "../messages/extension.ts";
import type { PreSharedKeyId, Proposal } from "../messages/proposal.ts";
import { asLeafIndex } from "../tree/math.ts";
import { RFC_9420_EXTERNAL_COMMITS, XIP_82_EXTERNAL_COMMITS } from "./config.ts";
import { createKeyPackage } from "./key-packages.ts";
import { createExternalCommit, MlsGroup } from "./mls-group.ts";
import { checkExternalProposals, checkMemberProposals, type ResolvedProposal } from "./proposals.ts";
import { byValue, externalInit, forgeExternalCommit, forgeMemberCommit, stateOf } from "../testing/forge.ts";
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
import { assertRefused } from "../testing/refusal.ts";
import { verifyGroupInfo } from "./verify-group-info.ts";

type Trio = [TestMember, TestMember, TestMember];

const DICTIONARY = {
  type: EXTENSION_TYPE.appDataDictionary,
  data: encodeAppDataDictionary(new Map([[0x8003, utf8("old")]])),
};
const trio = async (): Promise<Trio> => (await groupOf(["ann", "bob", "cat"], [DICTIONARY])) as Trio;
const external = (pskId: string): PreSharedKeyId => ({
  kind: "external",
  pskId: utf8(pskId),
  nonce: new Uint8Array(32),
});
const update = (componentId: number, text?: string): Proposal => ({
  kind: "app_data_update",
  componentId,
  operation: text === undefined ? { kind: "remove" } : { kind: "update", update: utf8(text) },
});

describe("a commit without a path (RFC 9420 §12.4)", () => {
  const byValueOnly: readonly [string, Proposal][] = [
    ["Remove", { kind: "remove", removed: asLeafIndex(2) }],
    ["GroupContextExtensions", { kind: "group_context_extensions", extensions: [DICTIONARY] }],
  ];
  for (const [name, proposal] of byValueOnly) {
    test(`path-required: with ${name}, also beside proposals that need none`, async () => {
      const [ann, bob] = await trio();
      const psk: Proposal = { kind: "psk", psk: external("x") };
      for (const list of [[proposal], [proposal, psk]]) {
        const message = await forgeMemberCommit(ann, () => ({ proposals: list.map(byValue), path: undefined }));
        await assertRefused(bob, message, "path-required");
      }
    });
  }

  test("path-required: with an Update or a SelfRemove", async () => {
    const [ann, bob, cat] = await trio();
    const sent = [await cat.group.createUpdate(), await cat.group.createProposal({ kind: "self_remove" })];
    for (const { message, reference } of sent) {
      await deliver(ann, message, "proposal");
      await deliver(bob, message, "proposal");
      const proposals = [{ kind: "reference", reference } as const];
      const forged = await forgeMemberCommit(ann, () => ({ proposals, path: undefined }));
      await assertRefused(bob, forged, "path-required");
    }
  });

  test("is legal with Add, PSK and AppDataUpdate alone", async () => {
    const [ann, bob, cat] = await trio();
    const appData = new Map([[0x8003, utf8("new")]]);
    await commit(ann, [bob, cat], { proposals: [update(0x8003, "x")], appData, path: false });
    assert.deepEqual(bob.group.epochAuthenticator, ann.group.epochAuthenticator);
  });
});

describe("how long a list may be", () => {
  const self = { kind: "member", leafIndex: asLeafIndex(0) } as const;
  const joiner = { kind: "new_member_commit" } as const;

  test("proposal-list: a commit has at most so many proposals", () => {
    const psk: ResolvedProposal = { proposal: { kind: "psk", psk: external("x") }, sender: self, byReference: false };
    const remove = (leaf: number): ResolvedProposal => ({
      proposal: { kind: "remove", removed: asLeafIndex(leaf) },
      sender: self,
      byReference: false,
    });
    const most = Array.from({ length: MLS_LIMITS.maxProposals }, (_, leaf) => remove(leaf + 1));
    checkMemberProposals(most, self, []);
    assert.throws(() => checkMemberProposals([...most, psk], self, []), { code: "MLS_INVALID", rule: "proposal-list" });
  });

  test("proposal-list: an external commit has at most as many as its policy says", () => {
    const policy = { ...RFC_9420_EXTERNAL_COMMITS, maxProposals: 3 };
    const item = (proposal: Proposal): ResolvedProposal => ({ proposal, sender: joiner, byReference: false });
    const init = item({ kind: "external_init", kemOutput: new Uint8Array(32) });
    const psks = ["a", "b", "c"].map((id) => item({ kind: "psk", psk: external(id) }));
    checkExternalProposals([init, ...psks.slice(1)], policy, []);
    const tooMany = () => checkExternalProposals([init, ...psks], policy, []);
    assert.throws(tooMany, { code: "MLS_INVALID", rule: "proposal-list" });
  });
});

describe("the list of an external commit follows the rules of every list", () => {
  const refuses = async (policy: typeof RFC_9420_EXTERNAL_COMMITS, proposals: readonly Proposal[]): Promise<void> => {
    const [first] = await trio();
    const config = { ...first.config, externalCommitPolicy: policy };
    const ann = { ...first, config, group: MlsGroup.load(config, first.rows) };
    const info = await verifyGroupInfo(ann.config, await ann.group.exportGroupInfo());
    const list = [await externalInit(info), ...proposals.map(byValue)];
    await assertRefused(ann, await forgeExternalCommit(await newConfig("zoe"), info, list), "proposal-list");
  };

  test("proposal-list: a PSK twice", async () => {
    const psk: Proposal = { kind: "psk", psk: external("x") };
    await refuses(RFC_9420_EXTERNAL_COMMITS, [psk, psk]);
  });

  test("proposal-list: a component both changed and removed", async () => {
    await refuses(XIP_82_EXTERNAL_COMMITS, [update(0x8003, "x"), update(0x8003)]);
  });
});

describe("app data", () => {
  test("a component that is removed is gone, others stay", async () => {
    const [ann, bob, cat] = await trio();
    const appData = new Map([[0x8004, utf8("other")]]);
    await commit(ann, [bob, cat], { proposals: [update(0x8004, "x")], appData });
    await commit(bob, [ann, cat], { proposals: [update(0x8003)], appData: new Map([[0x8003, null]]) });
    for (const { group } of [ann, bob, cat]) assert.deepEqual([...group.appData.keys()], [0x8004]);
  });

  test("required-capabilities: none in a group with a member that does not know the dictionary", async () => {
    const ann = await newGroup("ann");
    const config = await newConfig("old");
    const leaf = { ...LEAF, capabilities: { ...LEAF.capabilities, extensions: [] } };
    const bundle = await createKeyPackage(config, { cipherSuite: SUITE, leaf, lifetime: LIFETIME });
    const { welcome } = await commit(ann, [], { proposals: [addProposal(bundle)] });
    const old = await welcomed(config, welcome, bundle);
    const proposals = [byValue(update(0x8003, "x"))];
    const message = await forgeMemberCommit(ann, () => ({ proposals, path: undefined }));
    await assertRefused(old, message, "required-capabilities");
  });
});

test("a Remove that leaves the right half empty halves the tree (RFC 9420 §7.7)", async () => {
  const [ann, bob, cat] = await trio();
  assert.equal(stateOf(ann).tree.leafCount, 4);
  const pending = await ann.group.createCommit({ proposals: [{ kind: "remove", removed: cat.group.ownLeafIndex }] });
  write(ann, pending.sent);
  await deliverCommit(bob, pending.message);
  write(ann, pending);
  for (const member of [ann, bob]) assert.equal(stateOf(member).tree.leafCount, 2);
  const info = await verifyGroupInfo(ann.config, await ann.group.exportGroupInfo());
  const { group } = await createExternalCommit(await newConfig("dan"), info, { leaf: LEAF });
  assert.equal(group.ownLeafIndex, 2);
});
