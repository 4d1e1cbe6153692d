import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { utf8 } from "../bytes.ts";
import { encodeAppDataDictionary } from "../messages/app-data.ts";
import { encodeRequiredCapabilities, EXTENSION_TYPE } from "../messages/extension.ts";
import { signLeafNode } from "../messages/leaf-node.ts";
import type { Proposal } from "../messages/proposal.ts";
import { asLeafIndex } from "../tree/math.ts";
import type { GroupConfig } from "./config.ts";
import { createKeyPackage, keyPackageBundle } from "./key-packages.ts";
import { nodeCrypto } from "../node/index.ts";
import { MlsGroup } from "./mls-group.ts";
import { protect, signContent } from "./protect.ts";
import { stateOf } from "../testing/forge.ts";
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
  write,
  type TestMember,
} from "../testing/groups.ts";
import { assertUnchanged } from "../testing/refusal.ts";

const DICTIONARY = {
  type: EXTENSION_TYPE.appDataDictionary,
  data: encodeAppDataDictionary(new Map([[0x8003, utf8("old")]])),
};
const REINIT = { kind: "reinit", groupId: GROUP_ID, version: 1, cipherSuite: SUITE, extensions: [] } as const;

type Four = [TestMember, TestMember, TestMember, TestMember];
const four = async (): Promise<Four> => (await groupOf(["ann", "bob", "cat", "dan"], [DICTIONARY])) as Four;

/** One member proposes, another one takes it in. */
async function propose(from: TestMember, to: TestMember, ...proposals: Proposal[]): Promise<void> {
  for (const proposal of proposals) {
    const sent = await from.group.createProposal(proposal);
    write(from, sent.change);
    await deliver(to, sent.message, "proposal");
  }
}

async function proposeUpdate(from: TestMember, to: TestMember): Promise<Uint8Array> {
  const sent = await from.group.createUpdate();
  write(from, sent.change);
  await deliver(to, sent.message, "proposal");
  return sent.reference;
}

/** What a commit covers that is not told what to refer to. */
async function covered(member: TestMember, given: readonly Proposal[] = []): Promise<string[]> {
  const { committed } = await member.group.createCommit({ proposals: given });
  return committed.map(({ proposal }) => proposal.kind);
}

describe("a commit covers all waiting proposals that it can (RFC 9420 §12.2, §12.4)", () => {
  test("and none that is bad by itself, so that nobody is kept from committing", async () => {
    const [ann, bob] = await four();
    const good = await keyPackageFor(await newConfig("eve"));
    const unsigned = keyPackageBundle(
      nodeCrypto,
      { ...(await keyPackageFor(await newConfig("fay"))).keyPackage, signature: new Uint8Array(64) },
      new Uint8Array(32),
      new Uint8Array(32),
    );
    const withoutAppData = { ...LEAF, capabilities: { ...LEAF.capabilities, extensions: [] } };
    const old = await createKeyPackage(await newConfig("old"), {
      cipherSuite: SUITE,
      leaf: withoutAppData,
      lifetime: LIFETIME,
    });
    const certified: GroupConfig = {
      ...(await newConfig("certified")),
      identity: {
        ...(await newConfig("certified")).identity,
        credential: { kind: "x509", certificates: [utf8("a certificate")] },
      },
    };
    const capabilities = { ...LEAF.capabilities, credentials: [1, 2] };
    const foreign = await createKeyPackage(certified, {
      cipherSuite: SUITE,
      leaf: { ...LEAF, capabilities },
      lifetime: LIFETIME,
    });
    await propose(
      bob,
      ann,
      addProposal(foreign),
      { kind: "remove", removed: asLeafIndex(9) },
      addProposal(unsigned),
      addProposal(old),
      addProposal(await keyPackageFor(bob.config)),
      { kind: "psk", psk: { kind: "external", pskId: utf8("unknown"), nonce: new Uint8Array(32) } },
      { kind: "external_init", kemOutput: new Uint8Array(32) },
      { ...REINIT, version: 0 },
      addProposal(good),
    );
    assert.deepEqual(await covered(ann), ["add"]);
    await commit(ann, [], {});
    assert.equal(ann.group.memberCount, 5);
  });

  test("of proposals for one leaf a removal before an Update, and the later Update before the earlier", async () => {
    const [ann, bob, cat, dan] = await four();
    await proposeUpdate(bob, ann);
    const later = await proposeUpdate(bob, ann);
    await proposeUpdate(cat, ann);
    await propose(dan, ann, { kind: "remove", removed: cat.group.ownLeafIndex });
    const { committed } = await ann.group.createCommit();
    assert.deepEqual(
      committed.map(({ proposal }) => proposal.kind),
      ["remove", "update"],
    );
    assert.deepEqual(committed[1]?.reference, later);
  });

  test("nothing that contradicts what the committer brings itself", async () => {
    const [ann, bob, cat] = await four();
    await proposeUpdate(cat, ann);
    await propose(bob, ann, { kind: "remove", removed: cat.group.ownLeafIndex });
    assert.deepEqual(await covered(ann, [{ kind: "remove", removed: cat.group.ownLeafIndex }]), ["remove"]);
  });

  test("a former member who comes back in the commit that removes it", async () => {
    const [ann, bob, cat] = await four();
    await propose(bob, ann, addProposal(await keyPackageFor(cat.config)));
    assert.deepEqual(await covered(ann), []);
    assert.deepEqual(await covered(ann, [{ kind: "remove", removed: cat.group.ownLeafIndex }]), ["add", "remove"]);
  });

  test("no Update to a credential that the others do not know", async () => {
    const [ann, bob] = await four();
    const own = bob.group.leaf(bob.group.ownLeafIndex);
    assert.ok(own !== undefined);
    const state = stateOf(bob);
    const capabilities = { ...own.capabilities, credentials: [1, 2] };
    const credential = { kind: "x509", certificates: [utf8("a certificate")] } as const;
    const encryptionKey = await state.suite.dhPublicKey(new Uint8Array(32).fill(3));
    const leafNode = await signLeafNode(
      state.suite,
      bob.config.identity.signatureKeyPair.privateKey,
      { ...own, source: { kind: "update" }, credential, capabilities, encryptionKey },
      { groupId: GROUP_ID, leafIndex: bob.group.ownLeafIndex },
    );
    const content = { kind: "proposal", proposal: { kind: "update", leafNode } } as const;
    const { message } = protect(state, await signContent(state, "public_message", content, new Uint8Array(0)));
    await deliver(ann, message, "proposal");
    assert.deepEqual(await covered(ann), []);
  });

  test("no AppDataUpdate where somebody does not know that proposal, and no extensions that cannot be read", async () => {
    const ann = await newGroup("ann", [DICTIONARY]);
    const config = await newConfig("old");
    const leaf = { ...LEAF, capabilities: { ...LEAF.capabilities, proposals: [] } };
    const bundle = await createKeyPackage(config, { cipherSuite: SUITE, leaf, lifetime: LIFETIME });
    const { welcome } = await commit(ann, [], { proposals: [addProposal(bundle)] });
    const old = await welcomed(config, welcome, bundle);
    const malformed = { type: EXTENSION_TYPE.requiredCapabilities, data: utf8("none") };
    await propose(
      old,
      ann,
      { kind: "app_data_update", componentId: 0x8003, operation: { kind: "update", update: utf8("new") } },
      { kind: "group_context_extensions", extensions: [DICTIONARY, malformed] },
    );
    assert.deepEqual(await covered(ann), []);
    const valued = { appData: new Map([[0x8003, utf8("new")]]) };
    await assertUnchanged(ann, (group) => group.createCommit(valued), { rule: "app-data-values" });
  });

  test("PSKs of a lineage at the first epoch and not later; others always", async () => {
    const resumptionPsk = () => new Uint8Array(32);
    const psk = (usage: number, from: number): Proposal => {
      const groupId = utf8(`group ${from}`);
      return { kind: "psk", psk: { kind: "resumption", usage, groupId, epoch: 0n, nonce: new Uint8Array(32) } };
    };
    const alone = await newGroup("ann");
    const config = { ...alone.config, resumptionPsk };
    const ann: TestMember = { ...alone, config, group: MlsGroup.load(config, alone.rows) };
    for (const kinds of [["psk", "psk"], ["psk"]]) {
      for (const [usage, from] of [
        [1, 1],
        [3, 2],
      ] as const) {
        write(ann, (await ann.group.createProposal(psk(usage, from))).change);
      }
      assert.deepEqual(await covered(ann), kinds);
      await commit(ann, [], { references: [] });
    }
  });

  test("each new member once", async () => {
    const [ann, bob] = await four();
    const config = await newConfig("eve");
    await propose(bob, ann, addProposal(await keyPackageFor(config)), addProposal(await keyPackageFor(config)));
    assert.deepEqual(await covered(ann), ["add"]);
  });

  test("one change of the group's extensions, which everybody can follow, and app data that has a value", async () => {
    const [ann, bob] = await four();
    const required = (proposalTypes: number[]) => ({
      type: EXTENSION_TYPE.requiredCapabilities,
      data: encodeRequiredCapabilities({ extensionTypes: [], proposalTypes, credentialTypes: [] }),
    });
    const update = { kind: "app_data_update", componentId: 0x8003, operation: { kind: "remove" } } as const;
    await propose(
      bob,
      ann,
      update,
      { kind: "group_context_extensions", extensions: [DICTIONARY] },
      { kind: "group_context_extensions", extensions: [DICTIONARY, required([8])] },
      { kind: "group_context_extensions", extensions: [DICTIONARY, required([0xf0])] },
    );
    assert.deepEqual(await covered(ann), ["group_context_extensions"]);
    const { committed } = await ann.group.createCommit({ appData: new Map([[0x8003, null]]) });
    assert.deepEqual(
      committed.map(({ proposal }) => proposal.kind),
      ["group_context_extensions", "app_data_update"],
    );
    const first = committed[0]?.proposal;
    assert.ok(first?.kind === "group_context_extensions" && first.extensions.length === 2, "the later one is taken");
  });

  test("a ReInit only when nothing else waits", async () => {
    const [ann, bob] = await four();
    await propose(bob, ann, { ...REINIT, version: 0 });
    assert.deepEqual(await covered(ann), []);
    await propose(bob, ann, REINIT);
    assert.deepEqual(await covered(ann), ["reinit"]);
    await propose(bob, ann, { kind: "remove", removed: asLeafIndex(3) });
    assert.deepEqual(await covered(ann), ["remove"]);
    assert.deepEqual(await covered(ann, [{ kind: "remove", removed: asLeafIndex(2) }]), ["remove", "remove"]);
  });

  test("no AppEphemeral, which the application alone understands, unless it says so", async () => {
    const [ann, bob] = await four();
    await propose(bob, ann, { kind: "app_ephemeral", componentId: 1, data: utf8("x") });
    assert.deepEqual(await covered(ann), []);
  });
});

test("MLS_STATE: no application data before a commit while proposals wait (RFC 9420 §12.4)", async () => {
  const [ann, bob] = await four();
  await propose(bob, ann, { kind: "remove", removed: asLeafIndex(3) });
  await assertUnchanged(ann, (group) => group.encryptApplication(utf8("x")), { code: "MLS_STATE" });
  await assertUnchanged(bob, (group) => group.encryptApplication(utf8("x")), { code: "MLS_STATE" });
  const despite = await ann.group.encryptApplication(utf8("x"), { despiteProposals: true });
  assert.ok(despite.message.length > 0);
  await commit(ann, [bob], {});
  const { message, change } = await ann.group.encryptApplication(utf8("y"));
  write(ann, change);
  assert.deepEqual((await deliver(bob, message, "application")).data, utf8("y"));
});
