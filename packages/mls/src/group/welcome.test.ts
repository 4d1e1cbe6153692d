import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { utf8 } from "../bytes.ts";
import { decodeExact } from "../codec/reader.ts";
import { encode } from "../codec/writer.ts";
import { appDataOf, encodeAppDataDictionary } from "../messages/app-data.ts";
import { decodeExtensions, encodeExtensions, EXTENSION_TYPE } from "../messages/extension.ts";
import type { PreSharedKeyId } from "../messages/proposal.ts";
import { nodeCrypto } from "../node/index.ts";
import { TreeDraft } from "../tree/tree-draft.ts";
import { applyProposals } from "./apply-proposals.ts";
import { buildCommit, type BuiltCommit } from "./build-commit.ts";
import { makeWelcome } from "./make-welcome.ts";
import { MlsGroup } from "./mls-group.ts";
import { PSK_USAGE, resolvePskSecret } from "./psks.ts";
import { stateOf } from "../testing/forge.ts";
import { addProposal, commit, groupOf, keyPackageFor, LEAF, newConfig, newGroup, SUITE } from "../testing/groups.ts";

const suite = nodeCrypto.suite(SUITE);
const SECRET = utf8("a secret of both groups");

interface Forgery {
  /** Changes the commit before its Welcome is made; what the tree says stays. */
  readonly change?: (built: BuiltCommit) => BuiltCommit;
  readonly psks?: readonly PreSharedKeyId[];
  /** Commits that come before. */
  readonly epochs?: number;
}

/** Somebody new takes the Welcome of a commit that adds them. */
async function welcomed({ change = (built) => built, psks = [], epochs = 0 }: Forgery): Promise<MlsGroup> {
  const ann = await newGroup("ann");
  for (let epoch = 0; epoch < epochs; epoch++) await commit(ann, [], {});
  const config = { ...(await newConfig("bob")), resumptionPsk: () => SECRET, externalPsk: () => SECRET };
  const bundle = await keyPackageFor(config);
  const { head, tree } = stateOf(ann);
  const { identity } = ann.config;
  const sender = { kind: "member", leafIndex: head.ownLeafIndex } as const;
  const draft = new TreeDraft(tree);
  const add = addProposal(bundle);
  const applied = applyProposals(draft, head.context, [{ proposal: add, sender, byReference: false }]);
  const pskSecret = resolvePskSecret({ suite, config, initial: true }, psks);
  const built = await buildCommit({
    suite,
    identity,
    draft,
    applied,
    context: head.context,
    contextBytes: head.contextBytes,
    interimTranscriptHash: head.interimTranscriptHash,
    extensions: head.context.extensions,
    sender,
    committer: head.ownLeafIndex,
    proposals: [{ kind: "proposal", proposal: add }],
    leaf: LEAF,
    initSecret: head.secrets.init,
    pskSecret,
    wireFormat: "private_message",
    authenticatedData: new Uint8Array(0),
  });
  const welcome = await makeWelcome(suite, identity, draft, applied.added, head.ownLeafIndex, change(built), {
    psks,
    pskSecret,
  });
  assert.ok(welcome !== undefined);
  return (await MlsGroup.fromWelcome(config, welcome, [bundle])).group;
}

const lineage = (usage: number): PreSharedKeyId => ({
  kind: "resumption",
  usage,
  groupId: utf8("the former group"),
  epoch: 3n,
  nonce: new Uint8Array(32),
});

describe("a Welcome", () => {
  test("that nothing is wrong with is taken, with and without a PSK, at the first epoch and later", async () => {
    assert.equal((await welcomed({})).memberCount, 2);
    assert.equal((await welcomed({ epochs: 2 })).epoch, 3n);
    assert.equal((await welcomed({ psks: [lineage(PSK_USAGE.branch)] })).epoch, 1n);
    assert.equal((await welcomed({ psks: [lineage(PSK_USAGE.application)], epochs: 2 })).epoch, 3n);
  });

  test("confirmation-tag: refused with a wrong confirmation tag, or one of another length", async () => {
    for (const length of [32, 31, 33, 0]) {
      const change = (built: BuiltCommit): BuiltCommit => ({
        ...built,
        next: { ...built.next, confirmationTag: new Uint8Array(length) },
      });
      await assert.rejects(welcomed({ change }), { code: "MLS_INVALID", rule: "confirmation-tag" });
    }
  });

  test("welcome-suite: refused with a GroupInfo of another suite", async () => {
    const change = (built: BuiltCommit): BuiltCommit => ({
      ...built,
      next: { ...built.next, context: { ...built.next.context, cipherSuite: 1 } },
    });
    await assert.rejects(welcomed({ change }), { code: "MLS_INVALID", rule: "welcome-suite" });
  });

  test("DECODE: refused when it is something else", async () => {
    const ann = await newGroup("ann");
    const bundle = await keyPackageFor(ann.config);
    const join = MlsGroup.fromWelcome(ann.config, await ann.group.exportGroupInfo(), [bundle]);
    await assert.rejects(join, { code: "DECODE" });
  });

  test("confirmation-tag: refused with secrets of another epoch than its GroupContext", async () => {
    const change = (built: BuiltCommit): BuiltCommit => ({
      ...built,
      next: { ...built.next, joinerSecret: new Uint8Array(32).fill(7) },
    });
    await assert.rejects(welcomed({ change }), { code: "MLS_INVALID", rule: "confirmation-tag" });
  });

  test("path-keys: refused with a path secret that does not give the keys of the tree", async () => {
    const change = (built: BuiltCommit): BuiltCommit => {
      assert.ok(built.path !== undefined);
      const nodes = built.path.secrets.nodes.map((node) => ({ ...node, pathSecret: new Uint8Array(32) }));
      return { ...built, path: { ...built.path, secrets: { ...built.path.secrets, nodes } } };
    };
    await assert.rejects(welcomed({ change }), { code: "MLS_INVALID", rule: "path-keys" });
  });

  test("psk-usage: refused with the PSK of a former group to a group that is not at its first epoch, or with two", async () => {
    const refusal = { code: "MLS_INVALID", rule: "psk-usage" };
    for (const usage of [PSK_USAGE.reinit, PSK_USAGE.branch]) {
      await assert.rejects(welcomed({ psks: [lineage(usage)], epochs: 1 }), refusal);
    }
    await assert.rejects(welcomed({ psks: [lineage(PSK_USAGE.reinit), lineage(PSK_USAGE.branch)] }), refusal);
  });

  test("psk-nonce: refused with a PSK nonce of another length than the hash", async () => {
    const psk = { ...lineage(PSK_USAGE.application), nonce: new Uint8Array(33) };
    await assert.rejects(welcomed({ psks: [psk] }), { code: "MLS_INVALID", rule: "psk-nonce" });
  });

  test("is not needed twice: its GroupInfo carries the tree, and one given beside it is not used", async () => {
    const ann = await newGroup("ann");
    const config = await newConfig("bob");
    const bundle = await keyPackageFor(config);
    const { welcome } = await commit(ann, [], { proposals: [addProposal(bundle)] });
    assert.ok(welcome !== undefined);
    const { group } = await MlsGroup.fromWelcome(config, welcome, [bundle], { ratchetTree: utf8("not a tree") });
    assert.deepEqual(group.epochAuthenticator, ann.group.epochAuthenticator);
  });
});

describe("extensions that are no list of extensions", () => {
  test("DECODE: an extension list that holds a type twice", async () => {
    const [ann] = await groupOf(["ann"]);
    assert.ok(ann !== undefined);
    const item = { type: 0xff01, data: utf8("x") };
    const once = encode([item], encodeExtensions);
    assert.deepEqual(decodeExact(once, decodeExtensions), [item]);
    assert.throws(() => decodeExact(encode([item, item], encodeExtensions), decodeExtensions), { code: "DECODE" });
  });

  test("DECODE: an app-data dictionary out of order, or with a component twice", () => {
    const entry = (id: number) => encodeAppDataDictionary(new Map([[id, utf8("x")]])).subarray(1);
    const dictionary = (...ids: number[]) => {
      const data = encode(ids, (writer, list) => writer.vector(list, (inner, id) => inner.bytes(entry(id))));
      return appDataOf([{ type: EXTENSION_TYPE.appDataDictionary, data }]);
    };
    assert.deepEqual([...dictionary(1, 2).keys()], [1, 2]);
    assert.throws(() => dictionary(2, 1), { code: "DECODE" });
    assert.throws(() => dictionary(1, 1), { code: "DECODE" });
  });
});
