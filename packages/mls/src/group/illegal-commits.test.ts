import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { utf8 } from "../bytes.ts";
import { MLS_LIMITS } from "../limits.ts";
import { encodeAppDataDictionary } from "../messages/app-data.ts";
import { EXTENSION_TYPE, encodeRequiredCapabilities } from "../messages/extension.ts";
import type { UpdatePath } from "../messages/commit.ts";
import type { KeyPackage } from "../messages/key-package.ts";
import { signLeafNode } from "../messages/leaf-node.ts";
import type { PreSharedKeyId, Proposal } from "../messages/proposal.ts";
import { nodeCrypto } from "../node/index.ts";
import { asLeafIndex } from "../tree/math.ts";
import { createKeyPackage } from "./key-packages.ts";
import { createExternalCommit, MlsGroup } from "./mls-group.ts";
import { assertRefused } from "../testing/refusal.ts";
import {
  byValue,
  encodePublic,
  externalInit,
  forgeExternalCommit,
  forgeMemberCommit,
  publicMessageIn,
} from "../testing/forge.ts";
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
  SUITE,
  write,
  type TestMember,
} from "../testing/groups.ts";
import { verifyGroupInfo } from "./verify-group-info.ts";

const DICTIONARY = {
  type: EXTENSION_TYPE.appDataDictionary,
  data: encodeAppDataDictionary(new Map([[0x8003, utf8("old")]])),
};
const EMPTY = new Uint8Array(0);

async function pair(): Promise<[TestMember, TestMember]> {
  return (await groupOf(["ann", "bob"], [DICTIONARY])) as [TestMember, TestMember];
}

function appDataUpdate(componentId = 0x8003, text?: string): Proposal {
  const operation =
    text === undefined ? ({ kind: "remove" } as const) : { kind: "update" as const, update: utf8(text) };
  return { kind: "app_data_update", componentId, operation };
}

describe("an illegal external commit is refused", () => {
  const someKeyPackage = async (): Promise<KeyPackage> => (await keyPackageFor(await newConfig("other"))).keyPackage;
  const forbidden: [string, () => Promise<Proposal> | Proposal][] = [
    ["SEC-04 Remove of a member", () => ({ kind: "remove", removed: asLeafIndex(0) })],
    ["a PSK", () => ({ kind: "psk", psk: { kind: "external", pskId: utf8("id"), nonce: new Uint8Array(32) } })],
    ["GroupContextExtensions", () => ({ kind: "group_context_extensions", extensions: [] })],
    ["ReInit", () => ({ kind: "reinit", groupId: GROUP_ID, version: 1, cipherSuite: SUITE, extensions: [] })],
    ["SelfRemove", () => ({ kind: "self_remove" })],
    ["Update", async () => ({ kind: "update", leafNode: (await someKeyPackage()).leafNode })],
  ];
  for (const [name, make] of forbidden) {
    test(`external-proposal: ${name}`, async () => {
      const [ann] = await pair();
      const info = await verifyGroupInfo(ann.config, await ann.group.exportGroupInfo());
      const proposals = [await externalInit(info), byValue(await make())];
      const message = await forgeExternalCommit(await newConfig("zoe"), info, proposals);
      await assertRefused(ann, message, "external-proposal");
    });
  }

  test("external-init: none, or two", async () => {
    const [ann] = await pair();
    const info = await verifyGroupInfo(ann.config, await ann.group.exportGroupInfo());
    const zoe = await newConfig("zoe");
    await assertRefused(ann, await forgeExternalCommit(zoe, info, []), "external-init");
    const init = await externalInit(info);
    await assertRefused(ann, await forgeExternalCommit(zoe, info, [init, init]), "external-init");
  });

  test("external-remove: two removals", async () => {
    const [ann] = await pair();
    const info = await verifyGroupInfo(ann.config, await ann.group.exportGroupInfo());
    const removals = [0, 1].map((leaf) => byValue({ kind: "remove", removed: asLeafIndex(leaf) }));
    const proposals = [await externalInit(info), ...removals];
    await assertRefused(ann, await forgeExternalCommit(await newConfig("zoe"), info, proposals), "external-remove");
  });

  test("path-required: no path, and so no leaf to join with", async () => {
    const [ann] = await pair();
    const info = await verifyGroupInfo(ann.config, await ann.group.exportGroupInfo());
    const message = await forgeExternalCommit(await newConfig("zoe"), info, [await externalInit(info)]);
    const good = publicMessageIn(message);
    const { content } = good.content;
    assert.ok(content.kind === "commit");
    const commit = { proposals: content.commit.proposals, path: undefined };
    const forged = { ...good, content: { ...good.content, content: { kind: "commit", commit } as const } };
    await assertRefused(ann, encodePublic(forged), "path-required");
  });

  test("proposal-list: SEC-11 more proposals than any joiner needs, before their signatures cost anything", async () => {
    const [ann] = await pair();
    const info = await verifyGroupInfo(ann.config, await ann.group.exportGroupInfo());
    const add = byValue(addProposal(await keyPackageFor(await newConfig("other"))));
    const proposals = [await externalInit(info), ...Array.from({ length: 128 }, () => add)];
    await assertRefused(ann, await forgeExternalCommit(await newConfig("zoe"), info, proposals), "proposal-list");
  });

  test("external-by-reference: a proposal of the group", async () => {
    const [ann, bob] = await pair();
    const { change, reference } = await ann.group.createProposal({ kind: "remove", removed: bob.group.ownLeafIndex });
    write(ann, change);
    const info = await verifyGroupInfo(ann.config, await ann.group.exportGroupInfo());
    const proposals = [await externalInit(info), { kind: "reference", reference } as const];
    await assertRefused(
      ann,
      await forgeExternalCommit(await newConfig("zoe"), info, proposals),
      "external-by-reference",
    );
  });

  test("unique-signature-key: by somebody who is a member", async () => {
    const [ann, bob] = await pair();
    const info = await verifyGroupInfo(ann.config, await ann.group.exportGroupInfo());
    await assert.rejects(createExternalCommit(bob.config, info, { leaf: LEAF }), { rule: "unique-signature-key" });
    const { message } = await createExternalCommit(await newConfig("zoe"), info, { leaf: LEAF });
    const received = await ann.group.verify(message);
    assert.equal(received.kind, "commit");
  });

  test("required-capabilities: by a joiner that does not know app data", async () => {
    const [ann] = await pair();
    const info = await verifyGroupInfo(ann.config, await ann.group.exportGroupInfo());
    const leaf = { ...LEAF, capabilities: { ...LEAF.capabilities, extensions: [] } };
    await assert.rejects(createExternalCommit(await newConfig("zoe"), info, { leaf }), {
      rule: "required-capabilities",
    });
  });

  test("app-data-values: values that do not match the updates", async () => {
    const [ann] = await pair();
    const info = await verifyGroupInfo(ann.config, await ann.group.exportGroupInfo());
    const appDataUpdates = [{ componentId: 0x8003, update: utf8("x") }];
    const zoe = await newConfig("zoe");
    await assert.rejects(createExternalCommit(zoe, info, { leaf: LEAF, appDataUpdates }), { rule: "app-data-values" });
    const appData = new Map([[0x8003, utf8("x")]]);
    await assert.rejects(createExternalCommit(zoe, info, { leaf: LEAF, appData }), { rule: "app-data-values" });
  });

  test("app-data-values: more components than a dictionary is read with", async () => {
    const ids = Array.from({ length: MLS_LIMITS.maxAppDataEntries }, (_, index) => index);
    const full = encodeAppDataDictionary(new Map(ids.map((id) => [id, utf8("x")])));
    const [ann] = await groupOf(["ann"], [{ ...DICTIONARY, data: full }]);
    assert.ok(ann !== undefined);
    const info = await verifyGroupInfo(ann.config, await ann.group.exportGroupInfo());
    const zoe = await newConfig("zoe");
    const join = (componentId: number) =>
      createExternalCommit(zoe, info, {
        leaf: LEAF,
        appDataUpdates: [{ componentId, update: utf8("y") }],
        appData: new Map([[componentId, utf8("y")]]),
      });
    const { group } = await join(1);
    assert.deepEqual(MlsGroup.load(zoe, group.snapshot()).appData.get(1), utf8("y"));
    await assert.rejects(join(MLS_LIMITS.maxAppDataEntries), { rule: "app-data-values" });
  });

  test("signature, confirmation-tag: SEC-06 changed, shortened, lengthened or empty", async () => {
    const [ann] = await pair();
    const info = await verifyGroupInfo(ann.config, await ann.group.exportGroupInfo());
    const { message } = await createExternalCommit(await newConfig("zoe"), info, { leaf: LEAF });
    const good = publicMessageIn(message);
    const tag = good.auth.confirmationTag ?? EMPTY;
    for (const signature of [flipped(good.auth.signature), good.auth.signature.slice(1), EMPTY]) {
      await assertRefused(ann, encodePublic({ ...good, auth: { ...good.auth, signature } }), "signature");
    }
    for (const confirmationTag of [flipped(tag), tag.slice(1), tag.slice(0, -1), new Uint8Array([...tag, 0]), EMPTY]) {
      const auth = { ...good.auth, confirmationTag };
      await assertRefused(ann, encodePublic({ ...good, auth }), "confirmation-tag");
    }
  });
});

function flipped(bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice();
  copy[0] = (copy[0] ?? 0) ^ 1;
  return copy;
}

describe("an illegal commit of a member is refused", () => {
  const lists: [string, string, (from: TestMember, to: TestMember) => Promise<Proposal[]> | Proposal[]][] = [
    ["proposal-list", "the committer removes itself", (from) => [{ kind: "remove", removed: from.group.ownLeafIndex }]],
    ["proposal-list", "a leaf is removed twice", (_, to) => [remove(to), remove(to)]],
    ["proposal-list", "ExternalInit by a member", () => [{ kind: "external_init", kemOutput: new Uint8Array(32) }]],
    ["proposal-list", "two GroupContextExtensions", () => [extensions(DICTIONARY), extensions(DICTIONARY)]],
    [
      "proposal-list",
      "AppDataUpdate before GroupContextExtensions",
      () => [appDataUpdate(0x8003, "x"), extensions(DICTIONARY)],
    ],
    ["proposal-list", "a component both changed and removed", () => [appDataUpdate(0x8003, "x"), appDataUpdate()]],
    ["proposal-list", "a component removed twice", () => [appDataUpdate(), appDataUpdate()]],
    ["app-data-by-gce", "SEC-08 the dictionary dropped by GroupContextExtensions", () => [extensions()]],
    [
      "app-data-by-gce",
      "SEC-08 the dictionary rewritten by GroupContextExtensions",
      () => [extensions({ ...DICTIONARY, data: encodeAppDataDictionary(new Map([[1, utf8("mine")]])) })],
    ],
    ["app-data-remove", "a component is removed that is not there", () => [appDataUpdate(0x8004)]],
    ["remove-leaf", "a blank leaf is removed", () => [{ kind: "remove", removed: asLeafIndex(7) }]],
    [
      "required-capabilities",
      "a requirement that members do not meet",
      () => [extensions(DICTIONARY, required({ proposalTypes: [0x0b] }))],
    ],
    ["unique-signature-key", "a member is added again", async (_, to) => [addProposal(await keyPackageFor(to.config))]],
    [
      "key-package",
      "a key package of another suite",
      async () => [
        addProposal(await createKeyPackage(await newConfig("c"), { cipherSuite: 1, leaf: LEAF, lifetime: LIFETIME })),
      ],
    ],
    [
      "required-capabilities",
      "a new member that does not know app data",
      async () => {
        const leaf = { ...LEAF, capabilities: { ...LEAF.capabilities, extensions: [] } };
        return [
          addProposal(await createKeyPackage(await newConfig("c"), { cipherSuite: SUITE, leaf, lifetime: LIFETIME })),
        ];
      },
    ],
  ];
  for (const [rule, name, make] of lists) {
    test(`${rule}: ${name}`, async () => {
      const [ann, bob] = await pair();
      const proposals = await make(ann, bob);
      const message = await forgeMemberCommit(ann, (legal) => ({ ...legal, proposals: proposals.map(byValue) }));
      await assertRefused(bob, message, rule);
    });
  }

  test("proposal-reference: unknown or used twice", async () => {
    const [ann, bob] = await pair();
    const unknown = { kind: "reference", reference: new Uint8Array(32) } as const;
    const sent = await ann.group.createProposal(appDataUpdate(0x8003, "x"), { wireFormat: "public_message" });
    const known = { kind: "reference", reference: sent.reference } as const;
    await deliver(bob, sent.message, "proposal");
    for (const proposals of [[unknown], [known, known]]) {
      const message = await forgeMemberCommit(ann, (legal) => ({ ...legal, proposals }));
      await assertRefused(bob, message, "proposal-reference");
    }
  });

  test("path-required: no path for a Remove, or for no proposals at all", async () => {
    const [ann, bob] = (await groupOf(["ann", "bob", "cat"])) as [TestMember, TestMember];
    for (const proposals of [[], [byValue({ kind: "remove", removed: asLeafIndex(2) })]]) {
      await assertRefused(bob, await forgeMemberCommit(ann, () => ({ proposals, path: undefined })), "path-required");
    }
  });

  const psk = (id: Partial<PreSharedKeyId & { kind: "resumption" }>): Proposal => ({
    kind: "psk",
    psk: { kind: "resumption", usage: 1, groupId: GROUP_ID, epoch: 0n, nonce: new Uint8Array(32), ...id },
  });
  const psks: [string, string, Proposal[]][] = [
    ["psk-unknown", "a PSK of an epoch this member has not seen", [psk({ epoch: 7n })]],
    ["psk-unknown", "a PSK of another group", [psk({ groupId: utf8("other") })]],
    ["psk-usage", "a PSK for branching", [psk({ usage: 3 })]],
    ["psk-nonce", "a PSK with a short nonce", [psk({ nonce: new Uint8Array(31) })]],
    ["proposal-list", "the same PSK twice", [psk({}), psk({ nonce: new Uint8Array(32).fill(1) })]],
  ];
  for (const [rule, name, proposals] of psks) {
    test(`${rule}: ${name}`, async () => {
      const [ann, bob] = await pair();
      const message = await forgeMemberCommit(ann, (legal) => ({
        proposals: proposals.map(byValue),
        path: legal.path,
      }));
      await assertRefused(bob, message, rule);
    });
  }

  test("membership-tag: SEC-06 changed, shortened, lengthened or empty", async () => {
    const [ann, bob] = await pair();
    const { message } = await ann.group.createCommit({ wireFormat: "public_message" });
    const good = publicMessageIn(message);
    const tag = good.membershipTag ?? EMPTY;
    for (const membershipTag of [flipped(tag), tag.slice(1), tag.slice(0, -1), new Uint8Array([...tag, 0]), EMPTY]) {
      await assertRefused(bob, encodePublic({ ...good, membershipTag }), "membership-tag");
    }
  });

  test("CRYPTO: a PrivateMessage with one byte changed anywhere", async () => {
    const [ann, bob] = await pair();
    const { message } = await ann.group.createCommit();
    for (const offset of [message.length - 1, message.length - 40]) {
      const forged = message.slice();
      forged[offset] = (forged[offset] ?? 0) ^ 1;
      await assertRefused(bob, forged, { code: "CRYPTO" });
    }
  });
});

describe("an illegal update path is refused", () => {
  const forge = (change: (path: UpdatePath, ann: TestMember) => Promise<UpdatePath> | UpdatePath) => async () => {
    const [ann, bob] = (await groupOf(["ann", "bob", "cat"])) as [TestMember, TestMember];
    const pending = await ann.group.createCommit({ wireFormat: "public_message" });
    const { content } = publicMessageIn(pending.message).content;
    assert.ok(content.kind === "commit" && content.commit.path !== undefined);
    const path = await change(content.commit.path, ann);
    return { bob, message: await forgeMemberCommit(ann, (legal) => ({ ...legal, path })) };
  };
  const resigned = (ann: TestMember, path: UpdatePath, leaf: Partial<UpdatePath["leafNode"]>) =>
    signLeafNode(
      nodeCrypto.suite(SUITE),
      ann.config.identity.signatureKeyPair.privateKey,
      { ...path.leafNode, ...leaf },
      { groupId: GROUP_ID, leafIndex: ann.group.ownLeafIndex },
    );
  const cases: [string, string, (path: UpdatePath, ann: TestMember) => Promise<UpdatePath> | UpdatePath][] = [
    ["path-length", "a node too few", (path) => ({ ...path, nodes: path.nodes.slice(1) })],
    [
      "path-ciphertexts",
      "a ciphertext too few",
      (path) => ({ ...path, nodes: path.nodes.map((node) => ({ ...node, encryptedPathSecrets: [] })) }),
    ],
    [
      "parent-hash",
      "a key that the leaf's parent hash does not cover",
      (path) => ({
        ...path,
        nodes: path.nodes.map((node) => ({ ...node, encryptionKey: flipped(node.encryptionKey) })),
      }),
    ],
    [
      "unique-encryption-key",
      "the same key twice",
      (path) => ({
        ...path,
        nodes: path.nodes.map((node) => ({ ...node, encryptionKey: path.leafNode.encryptionKey })),
      }),
    ],
    [
      "unique-encryption-key",
      "one key at two nodes",
      (path) => ({
        ...path,
        nodes: path.nodes.map((node) => ({ ...node, encryptionKey: path.nodes[0]?.encryptionKey ?? EMPTY })),
      }),
    ],
    [
      "unique-encryption-key",
      "the key of another member",
      (path, ann) => {
        const encryptionKey = ann.group.leaf(asLeafIndex(2))?.encryptionKey ?? EMPTY;
        return { ...path, nodes: path.nodes.map((node, at) => (at === 0 ? { ...node, encryptionKey } : node)) };
      },
    ],
    [
      "leaf-source",
      "a leaf that is not made by a commit",
      async (path, ann) => ({ ...path, leafNode: await resigned(ann, path, { source: { kind: "update" } }) }),
    ],
    [
      "leaf-key-change",
      "the leaf's old encryption key",
      async (path, ann) => {
        const encryptionKey = ann.group.leaf(ann.group.ownLeafIndex)?.encryptionKey ?? EMPTY;
        return { ...path, leafNode: await resigned(ann, path, { encryptionKey }) };
      },
    ],
    [
      "leaf-credential",
      "a credential type the leaf does not list",
      async (path, ann) => {
        const capabilities = { ...LEAF.capabilities, credentials: [] };
        return { ...path, leafNode: await resigned(ann, path, { capabilities }) };
      },
    ],
    [
      "leaf-extension",
      "an extension the leaf does not list",
      async (path, ann) => ({
        ...path,
        leafNode: await resigned(ann, path, { extensions: [{ type: 0xff99, data: EMPTY }] }),
      }),
    ],
    [
      "signature",
      "a leaf signed for another place",
      async (path, ann) => ({
        ...path,
        leafNode: await signLeafNode(
          nodeCrypto.suite(SUITE),
          ann.config.identity.signatureKeyPair.privateKey,
          path.leafNode,
          { groupId: GROUP_ID, leafIndex: asLeafIndex(1) },
        ),
      }),
    ],
  ];
  for (const [rule, name, change] of cases) {
    test(`${rule}: ${name}`, async () => {
      const { bob, message } = await forge(change)();
      await assertRefused(bob, message, rule);
    });
  }
});

describe("an illegal GroupInfo is refused", () => {
  test("group-info-signature, tree-hash, SEC-07: changed anywhere, or its tree exchanged", async () => {
    const [ann, bob] = await pair();
    const good = await ann.group.exportGroupInfo();
    for (let offset = good.length - 1; offset > 4; offset -= 97) {
      const forged = good.slice();
      forged[offset] = (forged[offset] ?? 0) ^ 1;
      await assert.rejects(verifyGroupInfo(ann.config, forged), (error: { code: string }) =>
        ["MLS_INVALID", "DECODE", "MLS_UNSUPPORTED"].includes(error.code),
      );
    }
    await commit(bob, [ann], {});
    await assert.doesNotReject(verifyGroupInfo(ann.config, await ann.group.exportGroupInfo()));
  });

  test("DECODE: another kind of message", async () => {
    const [ann] = await pair();
    const { message } = await ann.group.createCommit();
    await assert.rejects(verifyGroupInfo(ann.config, message), { code: "DECODE" });
    await assertRefused(ann, await ann.group.exportGroupInfo(), { code: "DECODE" });
  });
});

function remove(member: TestMember): Proposal {
  return { kind: "remove", removed: member.group.ownLeafIndex };
}

function extensions(...list: { type: number; data: Uint8Array }[]): Proposal {
  return { kind: "group_context_extensions", extensions: list };
}

function required(types: { proposalTypes: number[] }): { type: number; data: Uint8Array } {
  const data = encodeRequiredCapabilities({ extensionTypes: [], credentialTypes: [], ...types });
  return { type: EXTENSION_TYPE.requiredCapabilities, data };
}
