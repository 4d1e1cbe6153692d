import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { utf8 } from "../bytes.ts";
import { signWithLabel } from "../crypto/labels.ts";
import type { Credential } from "../messages/credential.ts";
import { encodeRequiredCapabilities, EXTENSION_TYPE } from "../messages/extension.ts";
import { keyPackageToBeSigned, type KeyPackage } from "../messages/key-package.ts";
import { signLeafNode, type LeafNode } from "../messages/leaf-node.ts";
import { PROPOSAL_TYPE } from "../messages/proposal.ts";
import { nodeCrypto } from "../node/index.ts";
import { asLeafIndex } from "../tree/math.ts";
import { createKeyPackage } from "./key-packages.ts";
import { protect, signContent } from "./protect.ts";
import { byValue, forgeMemberCommit, publicMessageIn, stateOf } from "../testing/forge.ts";
import {
  addProposal,
  commit,
  deliver,
  GROUP_ID,
  groupOf,
  keyPackageFor,
  LEAF,
  LIFETIME,
  newConfig,
  newGroup,
  SUITE,
  welcomed,
  type TestMember,
} from "../testing/groups.ts";
import { assertRefused } from "../testing/refusal.ts";

/** Leaves that break one rule each, signed by their owners, brought by an Update, an Add and a path. */

type Trio = [TestMember, TestMember, TestMember];
type LeafChange = Partial<Omit<LeafNode, "signature">>;

const suite = nodeCrypto.suite(SUITE);
const EMPTY = new Uint8Array(0);
const REQUIRED = {
  type: EXTENSION_TYPE.requiredCapabilities,
  data: encodeRequiredCapabilities({
    extensionTypes: [],
    proposalTypes: [PROPOSAL_TYPE.self_remove],
    credentialTypes: [],
  }),
};
const CERTIFIED: Credential = { kind: "x509", certificates: [utf8("a certificate")] };
const trio = async (): Promise<Trio> => (await groupOf(["ann", "bob", "cat"], [REQUIRED])) as Trio;

function leafOf(member: TestMember): LeafNode {
  const leaf = member.group.leaf(member.group.ownLeafIndex);
  assert.ok(leaf !== undefined);
  return leaf;
}

/** What is wrong with any leaf, wherever it comes from; `of` are the members that are there. */
const WRONG: readonly [string, string, (of: Trio) => LeafChange][] = [
  [
    "unique-encryption-key",
    "another member's encryption key",
    ([ann]) => ({ encryptionKey: leafOf(ann).encryptionKey }),
  ],
  ["unique-signature-key", "another member's signature key", ([ann]) => ({ signatureKey: leafOf(ann).signatureKey })],
  ["leaf-extension", "an extension that it does not list", () => ({ extensions: [{ type: 0xff99, data: EMPTY }] })],
  ["leaf-credential", "a credential type that it does not list", () => ({ credential: CERTIFIED })],
  [
    "required-capabilities",
    "less than the group requires",
    () => ({ capabilities: { ...LEAF.capabilities, proposals: [] } }),
  ],
];

/** What does not go with the other leaves: judged once all of the new epoch are in place. */
const FOREIGN: typeof WRONG = [
  [
    "leaf-credential",
    "a credential type that the others do not list",
    () => ({ credential: CERTIFIED, capabilities: { ...LEAF.capabilities, credentials: [1, 2] } }),
  ],
  [
    "leaf-credential",
    "no support for the credential type of the others",
    () => ({ credential: CERTIFIED, capabilities: { ...LEAF.capabilities, credentials: [2] } }),
  ],
];

describe("an illegal Update is refused", () => {
  const cases: typeof WRONG = [
    ...WRONG,
    ["leaf-source", "a leaf as a commit brings it", () => ({ source: { kind: "commit", parentHash: EMPTY } })],
    [
      "leaf-source",
      "a leaf as a key package brings it",
      () => ({ source: { kind: "key_package", lifetime: LIFETIME } }),
    ],
    [
      "leaf-key-change",
      "the encryption key that is there",
      ([, , cat]) => ({ encryptionKey: leafOf(cat).encryptionKey }),
    ],
  ];
  async function update(of: Trio, change: LeafChange, at = 2): Promise<Uint8Array> {
    const [ann, bob, cat] = of;
    const { privateKey } = cat.config.identity.signatureKeyPair;
    const fresh: LeafChange = {
      source: { kind: "update" },
      encryptionKey: (await keyPackageFor(cat.config)).keyPackage.initKey,
    };
    const leaf = { ...leafOf(cat), ...fresh, ...change };
    const leafNode = await signLeafNode(suite, privateKey, leaf, { groupId: GROUP_ID, leafIndex: asLeafIndex(at) });
    const content = { kind: "proposal", proposal: { kind: "update", leafNode } } as const;
    const state = stateOf(cat);
    const { message } = protect(state, await signContent(state, "public_message", content, EMPTY));
    const { reference } = await deliver(ann, message, "proposal");
    await deliver(bob, message, "proposal");
    return forgeMemberCommit(ann, (legal) => ({ ...legal, proposals: [{ kind: "reference", reference }] }));
  }
  for (const [rule, name, change] of cases) {
    test(`${rule}: ${name}`, async () => {
      const of = await trio();
      await assertRefused(of[1], await update(of, change(of)), rule);
      assert.deepEqual((await of[0].group.createCommit()).committed, [], "nor does an honest member commit it");
    });
  }

  test("signature: a leaf signed for another place", async () => {
    const of = await trio();
    await assertRefused(of[1], await update(of, {}, 1), "signature");
    assert.deepEqual((await of[0].group.createCommit()).committed, []);
  });
});

describe("an illegal Add is refused", () => {
  const cases: [string, string, (of: Trio) => LeafChange & { initKey?: Uint8Array; version?: number }][] = [
    ...WRONG,
    ...FOREIGN,
    ["key-package", "of another protocol version", () => ({ version: 2 })],
    ["key-package", "with a leaf that is not of a key package", () => ({ source: { kind: "update" } })],
    [
      "key-package",
      "with one key for two uses",
      () => {
        const key = suite.randomBytes(32);
        return { initKey: key, encryptionKey: key };
      },
    ],
  ];
  async function add(change: LeafChange & { initKey?: Uint8Array; version?: number }): Promise<KeyPackage> {
    const config = await newConfig("eve");
    const { privateKey } = config.identity.signatureKeyPair;
    const { keyPackage } = await keyPackageFor(config);
    const { initKey = keyPackage.initKey, version = keyPackage.version, ...leaf } = change;
    const position = { groupId: GROUP_ID, leafIndex: asLeafIndex(3) };
    const leafNode = await signLeafNode(suite, privateKey, { ...keyPackage.leafNode, ...leaf }, position);
    const unsigned = { ...keyPackage, initKey, version, leafNode };
    const content = keyPackageToBeSigned(unsigned);
    return { ...unsigned, signature: await signWithLabel(suite, privateKey, "KeyPackageTBS", content) };
  }
  for (const [rule, name, change] of cases) {
    test(`${rule}: ${name}`, async () => {
      const of = await trio();
      const keyPackage = await add(change(of));
      const proposals = [byValue({ kind: "add", keyPackage })];
      await assertRefused(of[1], await forgeMemberCommit(of[0], () => ({ proposals, path: undefined })), rule);
    });
  }

  test("signature: of the key package, or of its leaf", async () => {
    const [ann, bob] = await trio();
    const good = await add({});
    const leafNode = { ...good.leafNode, signature: new Uint8Array(64) };
    for (const keyPackage of [
      { ...good, signature: new Uint8Array(64) },
      { ...good, leafNode },
    ]) {
      const proposals = [byValue({ kind: "add", keyPackage })];
      await assertRefused(bob, await forgeMemberCommit(ann, (legal) => ({ ...legal, proposals })), "signature");
    }
  });

  test("unique-signature-key, unique-encryption-key: somebody twice in one commit", async () => {
    const [ann, bob] = await trio();
    const config = await newConfig("eve");
    const [first, second] = [await keyPackageFor(config), await keyPackageFor(config)];
    const twice = [first, second].map((bundle) => byValue(addProposal(bundle)));
    const message = await forgeMemberCommit(ann, (legal) => ({ ...legal, proposals: twice }));
    await assertRefused(bob, message, "unique-signature-key");
    const sameKey = await add({ encryptionKey: first.keyPackage.leafNode.encryptionKey });
    const proposals = [byValue(addProposal(first)), byValue({ kind: "add", keyPackage: sameKey })];
    const other = await forgeMemberCommit(ann, (legal) => ({ ...legal, proposals }));
    await assertRefused(bob, other, "unique-encryption-key");
  });
});

describe("an illegal leaf of a path is refused", () => {
  for (const [rule, name, change] of [...WRONG, ...FOREIGN]) {
    test(`${rule}: ${name}`, async () => {
      const [ann, bob, cat] = await trio();
      const { message } = await cat.group.createCommit({ wireFormat: "public_message" });
      const { content } = publicMessageIn(message).content;
      assert.ok(content.kind === "commit" && content.commit.path !== undefined);
      const { privateKey } = cat.config.identity.signatureKeyPair;
      const position = { groupId: GROUP_ID, leafIndex: cat.group.ownLeafIndex };
      const { nodes, leafNode: legalLeaf } = content.commit.path;
      // A leaf that names another's signature key is signed by its true owner: it is not the signature that is refused.
      const leafNode = await signLeafNode(suite, privateKey, { ...legalLeaf, ...change([ann, bob, cat]) }, position);
      const forged = await forgeMemberCommit(cat, (legal) => ({ ...legal, path: { leafNode, nodes } }));
      await assertRefused(bob, forged, rule === "unique-signature-key" ? "signature" : rule);
    });
  }
});

describe("what members support is asked of those who stay (RFC 9420 §12.1.7)", () => {
  test("required-capabilities: a requirement is legal in the commit that removes who does not meet it, and not before", async () => {
    const ann = await newGroup("ann");
    const old = await newConfig("old");
    const leaf = { ...LEAF, capabilities: { ...LEAF.capabilities, proposals: [] } };
    const incapable = await createKeyPackage(old, { cipherSuite: SUITE, leaf, lifetime: LIFETIME });
    const config = await newConfig("bob");
    const bundle = await keyPackageFor(config);
    const { welcome } = await commit(ann, [], { proposals: [incapable, bundle].map(addProposal) });
    const bob = await welcomed(config, welcome, bundle);
    const require = { kind: "group_context_extensions", extensions: [REQUIRED] } as const;
    const early = await forgeMemberCommit(ann, (legal) => ({ ...legal, proposals: [byValue(require)] }));
    await assertRefused(bob, early, "required-capabilities");
    await commit(ann, [bob], { proposals: [require, { kind: "remove", removed: asLeafIndex(1) }] });
    assert.deepEqual(bob.group.epochAuthenticator, ann.group.epochAuthenticator);
    assert.equal(bob.group.memberCount, 2);
  });
});
