import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { toHex, utf8 } from "../bytes.ts";
import { encodeRequiredCapabilities, EXTENSION_TYPE, type Extension } from "../messages/extension.ts";
import { signGroupInfo } from "../messages/group-info.ts";
import { decodeMlsMessage, encodeMlsMessage } from "../messages/mls-message.ts";
import { PROPOSAL_TYPE } from "../messages/proposal.ts";
import { nodeCrypto } from "../node/index.ts";
import type { LeafParameters } from "./build-commit.ts";
import { createKeyPackage, verifyKeyPackage, type KeyPackageBundle } from "./key-packages.ts";
import type { CommitOptions } from "./create-commit.ts";
import { createExternalCommit, MlsGroup, type MessageOptions } from "./mls-group.ts";
import { byValue, forgeMemberCommit } from "../testing/forge.ts";
import {
  addProposal,
  commit,
  deliver,
  deliverCommit,
  groupOf,
  keyPackageFor,
  LEAF,
  LIFETIME,
  memberOf,
  newConfig,
  newGroup,
  SUITE,
  welcomed,
  write,
  type TestMember,
} from "../testing/groups.ts";
import { assertRefused } from "../testing/refusal.ts";
import { verifyGroupInfo } from "./verify-group-info.ts";

/** Some of the values that RFC 9420 §13.5 reserves, so that nobody gets used to knowing every value there is. */
const GREASE = [0x0a0a, 0x7a7a, 0xeaea];
const greaseExtension = (type: number): Extension => ({ type, data: utf8("grease") });

/** A leaf that claims to support a lot that does not exist, and carries an extension of it. */
const GREASED_LEAF: LeafParameters = {
  capabilities: {
    versions: [1],
    cipherSuites: [SUITE, ...GREASE],
    extensions: [...LEAF.capabilities.extensions, ...GREASE],
    proposals: [...LEAF.capabilities.proposals, ...GREASE],
    credentials: [1, ...GREASE],
  },
  extensions: [greaseExtension(0x7a7a)],
};

const keyPackageWith = async (
  leaf: LeafParameters,
  extensions: Extension[] = [],
): Promise<[KeyPackageBundle, TestMember["config"]]> => {
  const config = await newConfig("greased");
  return [await createKeyPackage(config, { cipherSuite: SUITE, leaf, lifetime: LIFETIME, extensions }), config];
};

function assertAgree(members: readonly TestMember[]): void {
  assert.equal(new Set(members.map(({ group }) => toHex(group.epochAuthenticator))).size, 1);
}

describe("GREASE (RFC 9420 §13.5)", () => {
  test("unknown capabilities and extensions of a key package are passed over, and its owner is a member like others", async () => {
    const [ann, bob] = (await groupOf(["ann", "bob"])) as [TestMember, TestMember];
    const [bundle, config] = await keyPackageWith(GREASED_LEAF, [greaseExtension(0xeaea)]);
    await verifyKeyPackage(nodeCrypto, bundle.bytes, { cipherSuite: SUITE });
    const { welcome } = await commit(ann, [bob], { proposals: [addProposal(bundle)] });
    const greased = await welcomed(config, welcome, bundle);
    assertAgree([ann, bob, greased]);
    await commit(greased, [ann, bob], {});
    assertAgree([ann, bob, greased]);
    assert.deepEqual(ann.group.leaf(greased.group.ownLeafIndex)?.capabilities, GREASED_LEAF.capabilities);
  });

  test("unknown extensions of a GroupInfo are passed over by who joins from it", async () => {
    const [ann] = (await groupOf(["ann", "bob"])) as [TestMember];
    const decoded = decodeMlsMessage(await ann.group.exportGroupInfo());
    assert.ok(decoded.wireFormat === "group_info");
    const extensions = [greaseExtension(0x0a0a), ...decoded.message.extensions, greaseExtension(0xeaea)];
    const suite = nodeCrypto.suite(SUITE);
    const { privateKey } = ann.config.identity.signatureKeyPair;
    const message = await signGroupInfo(suite, privateKey, { ...decoded.message, extensions });
    const info = await verifyGroupInfo(ann.config, encodeMlsMessage({ wireFormat: "group_info", message }));
    const joined = await createExternalCommit(await newConfig("zoe"), info, { leaf: GREASED_LEAF });
    await deliverCommit(ann, joined.message);
    assert.deepEqual(ann.group.epochAuthenticator, joined.group.epochAuthenticator);
  });

  test("leaf-extension: an unknown extension of a leaf that the leaf does not list", async () => {
    const [bundle] = await keyPackageWith({ ...LEAF, extensions: [greaseExtension(0x7a7a)] });
    await assert.rejects(verifyKeyPackage(nodeCrypto, bundle.bytes, { cipherSuite: SUITE }), {
      code: "MLS_INVALID",
      rule: "leaf-extension",
    });
  });

  test("required-capabilities: an unknown extension of the GroupContext binds everybody, joiners too", async () => {
    const config = await newConfig("ann");
    const options = { cipherSuite: SUITE, groupId: utf8("greased"), leaf: GREASED_LEAF, lifetime: LIFETIME };
    const group = await MlsGroup.create(config, { ...options, extensions: [greaseExtension(0x7a7a)] });
    const ann = memberOf(config, group);
    const info = await verifyGroupInfo(ann.config, await ann.group.exportGroupInfo());
    const refusal = { code: "MLS_INVALID", rule: "required-capabilities" };
    await assert.rejects(createExternalCommit(await newConfig("zoe"), info, { leaf: LEAF }), refusal);
    const bundle = await keyPackageFor(await newConfig("zoe"));
    await assert.rejects(ann.group.createCommit({ proposals: [addProposal(bundle)] }), refusal);
    const { message } = await createExternalCommit(await newConfig("zoe"), info, { leaf: GREASED_LEAF });
    await deliverCommit(ann, message);
    assert.equal(ann.group.memberCount, 2);
  });
});

describe("required capabilities (RFC 9420 §11.1)", () => {
  const required = (types: { extensionTypes?: number[]; proposalTypes?: number[]; credentialTypes?: number[] }) => ({
    type: EXTENSION_TYPE.requiredCapabilities,
    data: encodeRequiredCapabilities({ extensionTypes: [], proposalTypes: [], credentialTypes: [], ...types }),
  });

  test("what all members support can be required, and default types need not be listed by anybody", async () => {
    const [ann, bob] = (await groupOf(["ann", "bob"])) as [TestMember, TestMember];
    const all = required({
      extensionTypes: [1, 2, 3, 4, 5, EXTENSION_TYPE.appDataDictionary],
      proposalTypes: [1, 2, 3, 4, 5, 6, 7, PROPOSAL_TYPE.self_remove],
      credentialTypes: [1],
    });
    const change = { kind: "group_context_extensions", extensions: [all] } as const;
    await commit(ann, [bob], { proposals: [change] });
    assertAgree([ann, bob]);
    const config = await newConfig("cat");
    const bundle = await keyPackageFor(config);
    const { welcome } = await commit(bob, [ann], { proposals: [addProposal(bundle)] });
    assertAgree([ann, bob, await welcomed(config, welcome, bundle)]);
  });

  for (const [name, types] of [
    ["extension", { extensionTypes: [6, 0x1a1a] }],
    ["proposal", { proposalTypes: [8, 0x1a1a] }],
    ["credential", { credentialTypes: [1, 0x1a1a] }],
  ] as const) {
    test(`required-capabilities: a type of ${name} that one member lacks`, async () => {
      const [ann, bob] = (await groupOf(["ann", "bob"])) as [TestMember, TestMember];
      const lists = Object.fromEntries(Object.entries(types).map(([list, values]) => [list, [...values]]));
      const change = byValue({ kind: "group_context_extensions", extensions: [required(lists)] });
      const message = await forgeMemberCommit(ann, (legal) => ({ ...legal, proposals: [change] }));
      await assertRefused(bob, message, "required-capabilities");
      await assert.rejects(newGroupWith(required(lists)), { rule: "required-capabilities" });
    });
  }

  const newGroupWith = (extension: Extension) => newGroup("ann", [extension]);
});

describe("AppEphemeral (extensions draft)", () => {
  const knowing: LeafParameters = {
    ...LEAF,
    capabilities: { ...LEAF.capabilities, proposals: [...LEAF.capabilities.proposals, PROPOSAL_TYPE.app_ephemeral] },
  };
  const ephemeral = { kind: "app_ephemeral", componentId: 7, data: utf8("for the application") } as const;

  test("is handed to the application and changes nothing of the group", async () => {
    const config = await newConfig("ann");
    const options = { cipherSuite: SUITE, groupId: utf8("g"), extensions: [], leaf: knowing, lifetime: LIFETIME };
    const ann = memberOf(config, await MlsGroup.create(config, options));
    const [bundle, owner] = await keyPackageWith(knowing);
    const { welcome } = await commit(ann, [], { proposals: [addProposal(bundle)] });
    const bob = await welcomed(owner, welcome, bundle);
    const pending = await ann.group.createCommit({ proposals: [ephemeral, ephemeral], path: false });
    const received = await bob.group.verify(pending.message);
    assert.ok(received.kind === "commit");
    assert.deepEqual(
      received.commit.proposals.map(({ proposal }) => proposal),
      [ephemeral, ephemeral],
    );
    write(bob, await bob.group.stage(received.commit));
    write(ann, pending.sent);
    write(ann, pending);
    assertAgree([ann, bob]);
    assert.equal(bob.group.memberCount, 2);
    assert.deepEqual(bob.group.context.extensions, []);
  });

  test("required-capabilities: not where a member does not know it", async () => {
    const [ann, bob] = (await groupOf(["ann", "bob"])) as [TestMember, TestMember];
    const message = await forgeMemberCommit(ann, (legal) => ({ ...legal, proposals: [byValue(ephemeral)] }));
    await assertRefused(bob, message, "required-capabilities");
  });
});

describe("last-resort key packages (extensions draft)", () => {
  test("bring their owner into several groups", async () => {
    const config = await newConfig("bob");
    const bundle = await createKeyPackage(config, {
      cipherSuite: SUITE,
      leaf: LEAF,
      lifetime: LIFETIME,
      extensions: [{ type: EXTENSION_TYPE.lastResort, data: new Uint8Array(0) }],
    });
    const { extensions } = await verifyKeyPackage(nodeCrypto, bundle.bytes, { cipherSuite: SUITE });
    assert.deepEqual(extensions, [{ type: EXTENSION_TYPE.lastResort, data: new Uint8Array(0) }]);
    for (const name of ["ann", "zoe"]) {
      const creator = await newGroup(name);
      const { welcome } = await commit(creator, [], { proposals: [addProposal(bundle)] });
      assertAgree([creator, await welcomed(config, welcome, bundle)]);
    }
  });

  test("unique-signature-key: but nobody into one group twice", async () => {
    const ann = await newGroup("ann");
    const bundle = await keyPackageFor(await newConfig("bob"));
    await commit(ann, [], { proposals: [addProposal(bundle)] });
    await assert.rejects(ann.group.createCommit({ proposals: [addProposal(bundle)] }), {
      rule: "unique-signature-key",
    });
  });
});

describe("padding (RFC 9420 §6.3.1)", () => {
  test("makes a PrivateMessage longer by so many bytes, and readers see nothing of it", async () => {
    const [ann, bob] = (await groupOf(["ann", "bob"])) as [TestMember, TestMember];
    const lengths: number[] = [];
    for (const padding of [undefined, 0, 1, 1000]) {
      const options = padding === undefined ? {} : { padding };
      const { message, change } = await ann.group.encryptApplication(utf8("hello"), options);
      write(ann, change);
      assert.deepEqual((await deliver(bob, message, "application")).data, utf8("hello"));
      const decoded = decodeMlsMessage(message);
      assert.ok(decoded.wireFormat === "private_message");
      lengths.push(decoded.message.ciphertext.length);
    }
    const [plain = 0] = lengths;
    assert.deepEqual(lengths, [plain, plain, plain + 1, plain + 1000]);
    const pending = await ann.group.createCommit({ padding: 300 });
    write(ann, pending.sent);
    await deliverCommit(bob, pending.message);
    write(ann, pending);
    const proposal = await bob.group.createProposal(
      { kind: "remove", removed: ann.group.ownLeafIndex },
      { padding: 9 },
    );
    await deliver(ann, proposal.message, "proposal");
    assertAgree([ann, bob]);
  });

  test("is not there when nobody asks for it, in proposals and commits as well", async () => {
    const [ann, bob] = (await groupOf(["ann", "bob"])) as [TestMember, TestMember];
    const removal = { kind: "remove", removed: bob.group.ownLeafIndex } as const;
    const propose = async (options: MessageOptions) =>
      (await ann.group.createProposal(removal, options)).message.length;
    const commitLength = async (options: CommitOptions) => (await ann.group.createCommit(options)).message.length;
    assert.equal(await propose({}), await propose({ padding: 0 }));
    assert.equal(await commitLength({}), await commitLength({ padding: 0 }));
  });

  test("MLS_STATE: of a length that no padding has", async () => {
    const ann = await newGroup("ann");
    for (const padding of [-1, 0.5, Number.NaN]) {
      await assert.rejects(ann.group.encryptApplication(utf8("x"), { padding }), { code: "MLS_STATE" });
    }
  });
});

describe("exporter (RFC 9420 §8.5)", () => {
  test("gives members the same secret for the same label and context, and another one for anything else", async () => {
    const [ann, bob] = (await groupOf(["ann", "bob"])) as [TestMember, TestMember];
    const secret = (member: TestMember, label: string, context: string, length = 32) =>
      toHex(member.group.exportSecret(label, utf8(context), length));
    assert.equal(secret(ann, "a", "b"), secret(bob, "a", "b"));
    assert.equal(secret(ann, "a", "b", 16).length, 32);
    const before = secret(ann, "a", "b");
    await commit(ann, [bob], {});
    const all = [
      before,
      secret(ann, "a", "b"),
      secret(ann, "b", "b"),
      secret(ann, "a", "c"),
      secret(ann, "a", "b", 16),
    ];
    assert.equal(new Set(all).size, all.length);
    assert.equal(secret(ann, "a", "b"), secret(bob, "a", "b"));
  });
});
