import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { utf8 } from "../bytes.ts";
import { Writer } from "../codec/writer.ts";
import { MLS_LIMITS } from "../limits.ts";
import { EXTENSION_TYPE } from "../messages/extension.ts";
import type { Sender } from "../messages/framing.ts";
import { signGroupInfo } from "../messages/group-info.ts";
import { decodeMlsMessage, encodeMlsMessage } from "../messages/mls-message.ts";
import { nodeCrypto } from "../node/index.ts";
import { asLeafIndex, type NodeIndex } from "../tree/math.ts";
import { decodeRatchetTree, leafTreeNode, parentTreeNode, type TreeNode } from "../tree/node.ts";
import { RatchetTree } from "../tree/ratchet-tree.ts";
import { VerifiedTreeCache } from "../tree/verified-trees.ts";
import { TreeDraft } from "../tree/tree-draft.ts";
import { applyPathKeys, decryptPathSecrets, derivePathSecrets, encryptPathSecrets } from "../tree/treekem.ts";
import { applyProposals } from "./apply-proposals.ts";
import { createExternalCommit, MlsGroup } from "./mls-group.ts";
import { assertRefused } from "../testing/refusal.ts";
import { nextContext } from "./next-epoch.ts";
import {
  encodePublic,
  forgeGroupInfo,
  forgeMemberMessage,
  forgePrivateMessage,
  publicMessageIn,
  stateOf,
} from "../testing/forge.ts";
import {
  addProposal,
  commit,
  deliver,
  groupOf,
  keyPackageFor,
  LEAF,
  newConfig,
  newGroup,
  SUITE,
  write,
  type TestMember,
} from "../testing/groups.ts";
import { verifyGroupInfo } from "./verify-group-info.ts";

const EMPTY = new Uint8Array(0);
const suite = nodeCrypto.suite(SUITE);

describe("an illegal PrivateMessage is refused", () => {
  const cases: [string, string, { leafIndex: number; generation: number }][] = [
    ["generation", "SEC-05 a generation near 2^32", { leafIndex: 0, generation: 0xfffffffe }],
    [
      "generation",
      "SEC-05 one step further than the limit",
      { leafIndex: 0, generation: MLS_LIMITS.maxRatchetSteps + 1 },
    ],
    ["sender", "the leaf of nobody", { leafIndex: 3, generation: 0 }],
  ];
  for (const [rule, name, sender] of cases) {
    test(`${rule}: ${name}`, async () => {
      const [ann, bob] = (await groupOf(["ann", "bob"])) as [TestMember, TestMember];
      await assertRefused(bob, forgePrivateMessage(ann, sender, utf8("x")), rule);
    });
  }

  test("DECODE: SEC-05 a leaf index near 2^31 and 2^32", async () => {
    const [ann, bob] = (await groupOf(["ann", "bob"])) as [TestMember, TestMember];
    for (const leafIndex of [0x7fffffff, 0x80000000, 0xffffffff]) {
      const message = forgePrivateMessage(ann, { leafIndex, generation: 0 }, utf8("x"));
      await assertRefused(bob, message, { code: "DECODE" });
    }
  });

  test("private-padding: padding that is not zero", async () => {
    const [ann, bob] = (await groupOf(["ann", "bob"])) as [TestMember, TestMember];
    const plaintext = new Writer();
    plaintext.opaque(utf8("hello"));
    plaintext.opaque(new Uint8Array(64));
    plaintext.bytes(Uint8Array.of(0, 0, 1));
    const message = forgePrivateMessage(ann, { leafIndex: 0, generation: 0 }, plaintext.finish());
    await assertRefused(bob, message, "private-padding");
  });

  test("signature: content that its sender did not sign", async () => {
    const [ann, bob] = (await groupOf(["ann", "bob"])) as [TestMember, TestMember];
    const plaintext = new Writer();
    plaintext.opaque(utf8("hello"));
    plaintext.opaque(new Uint8Array(64));
    const message = forgePrivateMessage(ann, { leafIndex: 0, generation: 0 }, plaintext.finish());
    await assertRefused(bob, message, "signature");
  });
});

describe("an illegal message of the group is refused", () => {
  test("public-application: application data that is not encrypted", async () => {
    const [ann, bob] = (await groupOf(["ann", "bob"])) as [TestMember, TestMember];
    const { message } = await ann.group.createProposal(
      { kind: "remove", removed: asLeafIndex(1) },
      { wireFormat: "public_message" },
    );
    const content = { kind: "application", data: utf8("hello") } as const;
    const forged = await forgeMemberMessage(ann, publicMessageIn(message), (framed) => ({ ...framed, content }));
    await assertRefused(bob, forged, "public-application");
  });

  const senders: [string, Sender, "proposal" | "commit"][] = [
    ["a member that is not there", { kind: "member", leafIndex: asLeafIndex(7) }, "proposal"],
    ["a joiner that proposes", { kind: "new_member_commit" }, "proposal"],
    ["somebody from outside who commits", { kind: "new_member_proposal" }, "commit"],
    ["somebody from outside who proposes more than to be added", { kind: "new_member_proposal" }, "proposal"],
    ["an external sender that commits", { kind: "external", senderIndex: 0 }, "commit"],
  ];
  for (const [name, sender, kind] of senders) {
    test(`sender: ${name}`, async () => {
      const [ann, bob] = (await groupOf(["ann", "bob"])) as [TestMember, TestMember];
      const wireFormat = "public_message";
      const remove = { kind: "remove", removed: asLeafIndex(1) } as const;
      const { message } = await (kind === "commit"
        ? ann.group.createCommit({ wireFormat })
        : ann.group.createProposal(remove, { wireFormat }));
      const good = publicMessageIn(message);
      const membershipTag = sender.kind === "member" ? good.membershipTag : undefined;
      const forged = encodePublic({ ...good, content: { ...good.content, sender }, membershipTag });
      await assertRefused(bob, forged, "sender");
    });
  }

  test("group-id: a message of another group", async () => {
    const [ann, bob] = (await groupOf(["ann", "bob"])) as [TestMember, TestMember];
    const { message } = await ann.group.createCommit({ wireFormat: "public_message" });
    const forged = await forgeMemberMessage(ann, publicMessageIn(message), (framed) => ({
      ...framed,
      groupId: utf8("?"),
    }));
    await assertRefused(bob, forged, "group-id");
  });

  test("an own PublicMessage is own, and no error", async () => {
    const [ann] = (await groupOf(["ann", "bob"])) as [TestMember];
    const { message } = await ann.group.createCommit({ wireFormat: "public_message" });
    assert.equal((await ann.group.verify(message)).kind, "own");
  });

  test("pending-proposals: more proposals in an epoch than are kept", async () => {
    const [ann, bob] = (await groupOf(["ann", "bob"])) as [TestMember, TestMember];
    const remove = { kind: "remove", removed: asLeafIndex(1) } as const;
    for (let i = 0; i < MLS_LIMITS.maxPendingProposals; i++) {
      const authenticatedData = utf8(String(i));
      const { message } = await ann.group.createProposal(remove, { wireFormat: "public_message", authenticatedData });
      await deliver(bob, message, "proposal");
    }
    const { message } = await ann.group.createProposal(remove, { wireFormat: "public_message" });
    await assertRefused(bob, message, "pending-proposals");
  });

  test("duplicate: the same proposal twice", async () => {
    const [ann, bob] = (await groupOf(["ann", "bob"])) as [TestMember, TestMember];
    const { message } = await ann.group.createUpdate({ wireFormat: "public_message" });
    await deliver(bob, message, "proposal");
    assert.equal((await bob.group.verify(message)).kind, "duplicate");
  });

  test("update-sender: an Update that no member sent", async () => {
    const [ann] = (await groupOf(["ann", "bob"])) as [TestMember];
    const leafNode = ann.group.leaf(asLeafIndex(0));
    assert.ok(leafNode !== undefined);
    const resolved = {
      proposal: { kind: "update", leafNode },
      sender: { kind: "external", senderIndex: 0 },
      byReference: true,
    } as const;
    const state = stateOf(ann);
    assert.throws(() => applyProposals(new TreeDraft(state.tree), ann.group.context, [resolved]), {
      rule: "update-sender",
    });
  });

  test("epoch: no epoch after 2^64 - 1", async () => {
    const [ann] = (await groupOf(["ann"])) as [TestMember];
    const last = { ...ann.group.context, epoch: 2n ** 64n - 1n };
    assert.throws(() => nextContext(last, EMPTY, []), { code: "MLS_INVALID", rule: "epoch" });
  });

  test("MLS_STATE: a change of another engine, or one that was overtaken", async () => {
    const [ann] = (await groupOf(["ann", "bob"])) as [TestMember];
    assert.throws(
      () => {
        ann.group.merge({ rows: new Map(), epoch: 1n });
      },
      { code: "MLS_STATE" },
    );
    const first = await ann.group.encryptApplication(utf8("1"));
    const second = await ann.group.encryptApplication(utf8("2"));
    write(ann, first.change);
    assert.throws(
      () => {
        ann.group.merge(second.change);
      },
      { code: "MLS_STATE" },
    );
  });
});

describe("an illegal Welcome is refused", () => {
  async function welcome() {
    const ann = await newGroup("ann");
    const config = await newConfig("bob");
    const bundle = await keyPackageFor(config);
    const { welcome: bytes } = await commit(ann, [], { proposals: [addProposal(bundle)] });
    assert.ok(bytes !== undefined);
    return { config, bundle, bytes };
  }

  test("MLS_STATE: for another key package", async () => {
    const { config, bytes } = await welcome();
    await assert.rejects(MlsGroup.fromWelcome(config, bytes, [await keyPackageFor(config)]), { code: "MLS_STATE" });
  });

  test("welcome-leaf: the tree does not hold the key package's leaf", async () => {
    const { config, bundle, bytes } = await welcome();
    const other = await keyPackageFor(config);
    const keyPackage = { ...bundle.keyPackage, leafNode: other.keyPackage.leafNode };
    await assert.rejects(MlsGroup.fromWelcome(config, bytes, [{ ...bundle, keyPackage }]), { rule: "welcome-leaf" });
  });

  test("welcome-suite: the key package is of another suite", async () => {
    const { config, bundle, bytes } = await welcome();
    const keyPackage = { ...bundle.keyPackage, cipherSuite: 1 };
    await assert.rejects(MlsGroup.fromWelcome(config, bytes, [{ ...bundle, keyPackage }]), { rule: "welcome-suite" });
  });

  test("CRYPTO or DECODE: changed anywhere", async () => {
    const { config, bundle, bytes } = await welcome();
    for (let offset = bytes.length - 1; offset > 8; offset -= 61) {
      const forged = bytes.slice();
      forged[offset] = (forged[offset] ?? 0) ^ 1;
      await assert.rejects(MlsGroup.fromWelcome(config, forged, [bundle]), (error: { code: string }) =>
        ["CRYPTO", "DECODE", "MLS_STATE"].includes(error.code),
      );
    }
  });
});

describe("an illegal GroupInfo is refused", () => {
  /** Two members and no parent node, so that no parent hash is in the way. */
  async function flatGroup(): Promise<TestMember> {
    const ann = await newGroup("ann");
    const bundles = await Promise.all(["bob", "cat"].map(async (name) => keyPackageFor(await newConfig(name))));
    await commit(ann, [], { proposals: bundles.map(addProposal), path: false });
    return ann;
  }
  /** Refused by itself and beside the tree it was made from, and the second time as the first. */
  const assertInvalid = async (ann: TestMember, bytes: Uint8Array, rule: string): Promise<void> => {
    await assert.rejects(verifyGroupInfo(ann.config, bytes), { code: "MLS_INVALID", rule });
    const config = { ...ann.config, verifiedTrees: new VerifiedTreeCache() };
    const good = ann.group.exportGroupInfo();
    await verifyGroupInfo(config, await good);
    for (let time = 0; time < 2; time++) {
      await assert.rejects(verifyGroupInfo(config, bytes), { code: "MLS_INVALID", rule });
    }
    await verifyGroupInfo(config, await good);
  };
  const withLeaf = (change: (node: TreeNode & { kind: "leaf" }) => TreeNode) => (nodes: (TreeNode | undefined)[]) =>
    nodes.map((node, index) => (index === 2 && node?.kind === "leaf" ? change(node) : node));
  const withParent =
    (unmergedLeaves: number[], index = 1) =>
    (nodes: (TreeNode | undefined)[]) =>
      nodes.map((node, at) =>
        at === index
          ? parentTreeNode({
              encryptionKey: suite.randomBytes(32),
              parentHash: EMPTY,
              unmergedLeaves: unmergedLeaves.map(asLeafIndex),
            })
          : node,
      );

  test("group-info: without a ratchet tree", async () => {
    const ann = await flatGroup();
    const bytes = await forgeGroupInfo(ann, (nodes) => nodes, { leaveOut: EXTENSION_TYPE.ratchetTree });
    await assertInvalid(ann, bytes, "group-info");
  });

  test("group-info: of another protocol version", async () => {
    const ann = await flatGroup();
    const decoded = decodeMlsMessage(await ann.group.exportGroupInfo());
    assert.ok(decoded.wireFormat === "group_info");
    const { privateKey } = ann.config.identity.signatureKeyPair;
    const context = { ...decoded.message.context, version: 2 };
    const message = await signGroupInfo(suite, privateKey, { ...decoded.message, context });
    await assertInvalid(ann, encodeMlsMessage({ wireFormat: "group_info", message }), "group-info");
  });

  test("external-pub: joining without an external key", async () => {
    const ann = await flatGroup();
    const bytes = await forgeGroupInfo(ann, (nodes) => nodes, { leaveOut: EXTENSION_TYPE.externalPub });
    const info = await verifyGroupInfo(ann.config, bytes);
    await assert.rejects(createExternalCommit(await newConfig("zoe"), info, { leaf: LEAF }), { rule: "external-pub" });
  });

  test("group-info-signature: changed after it was signed", async () => {
    const ann = await flatGroup();
    const bytes = await ann.group.exportGroupInfo();
    bytes[bytes.length - 1] = (bytes[bytes.length - 1] ?? 0) ^ 1;
    await assertInvalid(ann, bytes, "group-info-signature");
  });

  test("sender: signed for a blank leaf", async () => {
    const ann = await flatGroup();
    await assertInvalid(ann, await forgeGroupInfo(ann, (nodes) => [undefined, ...nodes.slice(1)]), "sender");
  });

  test("tree-hash: another tree than the GroupContext's", async () => {
    const ann = await flatGroup();
    const change = withLeaf(({ leaf }) => leafTreeNode({ ...leaf, signature: new Uint8Array(64) }));
    await assertInvalid(ann, await forgeGroupInfo(ann, change, { keepTreeHash: true }), "tree-hash");
  });

  test("leaf-signature: a leaf its owner did not sign", async () => {
    const ann = await flatGroup();
    const change = withLeaf(({ leaf }) => leafTreeNode({ ...leaf, signature: new Uint8Array(64) }));
    await assertInvalid(ann, await forgeGroupInfo(ann, change), "leaf-signature");
  });

  test("unique-signature-key, unique-encryption-key: SEC-07 a key that stands twice", async () => {
    const ann = await flatGroup();
    const own = ann.group.leaf(asLeafIndex(0));
    assert.ok(own !== undefined);
    const { signatureKey, encryptionKey } = own;
    const sameSignatureKey = withLeaf(({ leaf }) => leafTreeNode({ ...leaf, signatureKey }));
    await assertInvalid(ann, await forgeGroupInfo(ann, sameSignatureKey), "unique-signature-key");
    const sameEncryptionKey = withLeaf(({ leaf }) => leafTreeNode({ ...leaf, encryptionKey }));
    await assertInvalid(ann, await forgeGroupInfo(ann, sameEncryptionKey), "unique-encryption-key");
  });

  test("unmerged-leaves: SEC-07 blank, outside of the subtree, out of order, or merged below", async () => {
    const ann = await flatGroup();
    await assertInvalid(ann, await forgeGroupInfo(ann, withParent([3], 3)), "unmerged-leaves");
    await assertInvalid(ann, await forgeGroupInfo(ann, withParent([2])), "unmerged-leaves");
    await assertInvalid(ann, await forgeGroupInfo(ann, withParent([1, 0])), "unmerged-leaves");
    await assertInvalid(ann, await forgeGroupInfo(ann, withParent([0, 0])), "unmerged-leaves");
    const above = (nodes: (TreeNode | undefined)[]) => withParent([], 1)(withParent([1], 3)(nodes));
    await assertInvalid(ann, await forgeGroupInfo(ann, above), "unmerged-leaves");
  });

  test("parent-hash: SEC-07 a parent that no leaf vouches for, or a root with a parent hash", async () => {
    const ann = await flatGroup();
    await assertInvalid(ann, await forgeGroupInfo(ann, withParent([])), "parent-hash");
    const root = parentTreeNode({ encryptionKey: suite.randomBytes(32), parentHash: utf8("x"), unmergedLeaves: [] });
    const change = (nodes: (TreeNode | undefined)[]) => nodes.map((node, index) => (index === 3 ? root : node));
    await assertInvalid(ann, await forgeGroupInfo(ann, change), "parent-hash");
  });

  test("DECODE: SEC-07 nodes of the wrong kind, a tree that ends with a blank, or none", async () => {
    const ann = await flatGroup();
    const swapped = await forgeGroupInfo(ann, (nodes) => [nodes[0], nodes[2], nodes[4], ...nodes.slice(3)]);
    await assert.rejects(verifyGroupInfo(ann.config, swapped), { code: "DECODE" });
    assert.throws(() => decodeRatchetTree(Uint8Array.of(1, 0)), { code: "DECODE" });
    assert.throws(() => decodeRatchetTree(Uint8Array.of(0)), { code: "DECODE" });
  });
});

describe("path secrets", () => {
  async function path() {
    const [ann] = (await groupOf(["ann", "bob"])) as [TestMember];
    const { tree, privateKeys } = stateOf(ann);
    const draft = new TreeDraft(tree);
    const committer = asLeafIndex(1);
    const indices = draft.filteredDirectPath(committer).map(({ node }) => node);
    const secrets = await derivePathSecrets(suite, suite.randomBytes(32), indices);
    applyPathKeys(
      draft,
      committer,
      secrets.nodes.map(({ keyPair }) => keyPair.publicKey),
    );
    const context = utf8("context");
    const nodes = await encryptPathSecrets(draft, committer, secrets, context, new Set());
    const open = (given: typeof nodes, keys: ReadonlyMap<NodeIndex, Uint8Array> = privateKeys, own = 0) =>
      decryptPathSecrets(draft, committer, asLeafIndex(own), keys, given, context, new Set());
    return { nodes, secrets, open };
  }

  test("open for those they are encrypted to", async () => {
    const { nodes, secrets, open } = await path();
    assert.deepEqual((await open(nodes)).commitSecret, secrets.commitSecret);
  });

  test("path-keys: refused when a public key is not the one of its secret", async () => {
    const { nodes, open } = await path();
    const forged = nodes.map((node) => ({ ...node, encryptionKey: suite.randomBytes(32) }));
    await assert.rejects(open(forged), { code: "MLS_INVALID", rule: "path-keys" });
  });

  test("path-recipient: refused when there is nothing for this member", async () => {
    const { nodes, open } = await path();
    await assert.rejects(open(nodes, new Map()), { rule: "path-recipient" });
    await assert.rejects(open(nodes, undefined, 1), { rule: "path-recipient" });
  });
});

test("tree-size: SEC-05 a tree does not grow over its limit", async () => {
  const [ann] = (await groupOf(["ann"])) as [TestMember];
  const leaf = ann.group.leaf(asLeafIndex(0));
  assert.ok(leaf !== undefined);
  const node = leafTreeNode(leaf);
  const full = (leaves: number) => {
    const nodes = Array.from({ length: 2 * leaves - 1 }, (_, index) => (index % 2 === 0 ? node : undefined));
    return new TreeDraft(new RatchetTree(suite, nodes));
  };
  const half = full(MLS_LIMITS.maxLeaves / 2);
  assert.equal(half.addLeaf(leaf), MLS_LIMITS.maxLeaves / 2);
  assert.equal(half.leafCount, MLS_LIMITS.maxLeaves);
  const whole = full(MLS_LIMITS.maxLeaves);
  assert.throws(() => whole.addLeaf(leaf), { code: "MLS_INVALID", rule: "tree-size" });
});
