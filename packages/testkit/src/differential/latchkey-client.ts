import {
  asLeafIndex,
  checkBranch,
  checkReInit,
  createExternalCommit,
  createKeyPackage,
  createNewMemberProposal,
  decodeExact,
  decodeKeyPackage,
  decodeUtf8,
  encodeRequiredCapabilities,
  equalBytes,
  EXTENSION_TYPE,
  MlsGroup,
  utf8,
  verifyGroupInfo,
  type Extension,
  type GroupConfig,
  type KeyPackageBundle,
  type LeafIndex,
  type LeafNode,
  type PreSharedKeyId,
  type Proposal,
} from "@latchkey/mls";
import { nodeCrypto } from "@latchkey/mls/node";
import { Disagreement, type Change, type Client, type Identity, type Psk, type World } from "./client.ts";
import { withExternalPub } from "./group-info.ts";

const BASIC_CREDENTIAL = 1;
const LIFETIME = { notBefore: 0n, notAfter: 2n ** 40n };

function pskId(world: World, psk: Psk): PreSharedKeyId {
  const { nonce } = psk;
  if (psk.kind === "external") return { kind: "external", pskId: utf8(psk.name), nonce };
  return { kind: "resumption", usage: 1, groupId: world.groupId, epoch: psk.epoch, nonce };
}

function proposalOf(world: World, change: Exclude<Change, { kind: "update" }>): Proposal {
  switch (change.kind) {
    case "add":
      return { kind: "add", keyPackage: decodeExact(change.keyPackage, decodeKeyPackage) };
    case "remove":
      return { kind: "remove", removed: asLeafIndex(change.leaf) };
    case "psk":
      return { kind: "psk", psk: pskId(world, change.psk) };
    case "require_credentials": {
      const data = encodeRequiredCapabilities({
        extensionTypes: [],
        proposalTypes: [],
        credentialTypes: change.types,
      });
      return { kind: "group_context_extensions", extensions: [{ type: EXTENSION_TYPE.requiredCapabilities, data }] };
    }
    case "reinit":
      return { ...change, version: 1, cipherSuite: world.cipherSuite, extensions: [] };
  }
}

function nameOf({ credential }: LeafNode): string {
  if (credential.kind !== "basic") throw new Disagreement("a member has no basic credential");
  return decodeUtf8(credential.identity);
}

function leafParameters({ cipherSuite }: World, { grease }: Identity) {
  const capabilities = {
    versions: [1],
    cipherSuites: [cipherSuite, ...grease],
    extensions: grease,
    proposals: grease,
    credentials: [BASIC_CREDENTIAL, ...grease],
  };
  return { capabilities, extensions: greaseExtensions(grease) };
}

function greaseExtensions(grease: readonly number[]): Extension[] {
  return grease.slice(0, 1).map((type) => ({ type, data: utf8("grease") }));
}

/** A client on Latchkey, which also writes nothing down: rows are the concern of other tests. */
export function latchkeyClient(world: World, identity: Identity): Client {
  const { name, signatureKeyPair } = identity;
  const config: GroupConfig = {
    crypto: nodeCrypto,
    identity: { credential: { kind: "basic", identity: utf8(name) }, signatureKeyPair },
    externalPsk: (id) => world.psks.get(decodeUtf8(id)),
    resumptionPsk: (groupId, epoch) => {
      const former = current;
      const known = former !== undefined && epoch === former.epoch && equalBytes(groupId, former.groupId);
      return known ? former.resumptionPsk("branch").secret : undefined;
    },
  };
  const leaf = leafParameters(world, identity);
  let current: MlsGroup | undefined;
  let bundle: KeyPackageBundle | undefined;
  const group = (): MlsGroup => {
    if (current === undefined) throw new Error(`${name} is not a member`);
    return current;
  };
  const formerLeaf = (): { resync?: LeafIndex } => ({ resync: group().ownLeafIndex });
  return {
    engine: "latchkey",
    name,
    epoch: () => group().epoch,
    epochAuthenticator: () => group().epochAuthenticator,
    exported: async (label, context, length) => group().exportSecret(label, context, length),
    roster: () => new Map([...group().members()].map(({ leafIndex, leafNode }) => [nameOf(leafNode), leafIndex])),
    createGroup: async () => {
      const { cipherSuite, groupId } = world;
      current = await MlsGroup.create(config, { cipherSuite, groupId, extensions: [], leaf, lifetime: LIFETIME });
    },
    keyPackage: async () => {
      const extensions = greaseExtensions(identity.grease);
      bundle = await createKeyPackage(config, { cipherSuite: world.cipherSuite, leaf, lifetime: LIFETIME, extensions });
      return bundle.bytes;
    },
    proposeItself: async (groupInfo) => {
      const { context } = await verifyGroupInfo(config, groupInfo);
      bundle = await createKeyPackage(config, { cipherSuite: world.cipherSuite, leaf, lifetime: LIFETIME });
      return createNewMemberProposal(config, context, bundle.keyPackage);
    },
    found: async (how, groupId, keyPackages) => {
      const { cipherSuite } = world;
      const former = group();
      const psk = former.resumptionPsk(how).id;
      const { extensions } = former.reinit ?? former.context;
      const next = await MlsGroup.create(config, { cipherSuite, groupId, extensions, leaf, lifetime: LIFETIME });
      const adds = keyPackages.map((bytes): Proposal => ({
        kind: "add",
        keyPackage: decodeExact(bytes, decodeKeyPackage),
      }));
      const pending = await next.createCommit({ proposals: [...adds, { kind: "psk", psk }] });
      if (pending.welcome === undefined) throw new Error("nobody was added");
      next.merge(pending.sent);
      next.merge(pending);
      current = next;
      return { welcome: pending.welcome, tree: undefined };
    },
    follow: async (how, { welcome, tree }) => {
      if (bundle === undefined) throw new Error(`${name} has no key package`);
      const former = group();
      const options = tree === undefined ? {} : { ratchetTree: tree.encoded };
      const { group: next } = await MlsGroup.fromWelcome(config, welcome, [bundle], options);
      if (how === "reinit") checkReInit(former, next);
      else checkBranch(former, next);
      current = next;
    },
    joinByWelcome: async (welcome) => {
      if (bundle === undefined) throw new Error(`${name} has no key package`);
      ({ group: current } = await MlsGroup.fromWelcome(config, welcome, [bundle]));
    },
    joinExternally: async (groupInfo, resync, psks) => {
      const info = await verifyGroupInfo(config, groupInfo);
      const ids = psks.map((psk) => pskId(world, psk));
      const options = { leaf, psks: ids, ...(resync ? formerLeaf() : {}) };
      const { message, group: joined } = await createExternalCommit(config, info, options);
      return { message, welcome: undefined, accept: () => (current = joined) };
    },
    groupInfo: async (bareExternalPub) => {
      const exported = await group().exportGroupInfo();
      if (!bareExternalPub) return exported;
      return withExternalPub(exported, identity, (data) => decodeExact(data, (reader) => reader.opaque()));
    },
    propose: async (change, asPublicMessage) => {
      const options = { wireFormat: asPublicMessage ? "public_message" : "private_message" } as const;
      const sent =
        change.kind === "update"
          ? await group().createUpdate(options)
          : await group().createProposal(proposalOf(world, change), options);
      group().merge(sent.change);
      return sent.message;
    },
    commit: async (changes, { asPublicMessage, withoutPath }) => {
      const proposals = changes.map((change) => {
        if (change.kind === "update") throw new Error("an Update is never committed by value");
        return proposalOf(world, change);
      });
      const wireFormat = asPublicMessage ? "public_message" : "private_message";
      const references = group()
        .pendingProposals()
        .map(({ reference }) => reference);
      const pending = await group().createCommit({ proposals, references, wireFormat, path: !withoutPath });
      group().merge(pending.sent);
      return { message: pending.message, welcome: pending.welcome, accept: () => group().merge(pending) };
    },
    takeIn: async (message) => {
      const received = await group().verify(message);
      if (received.kind === "proposal") group().merge(received.change);
      else if (received.kind === "commit") group().merge(await group().stage(received.commit));
      else throw new Disagreement(`${name} took a proposal or commit for ${received.kind}`);
    },
    encrypt: async (data) => {
      const { message, change } = await group().encryptApplication(data, { padding: (37 * data.length) % 256 });
      group().merge(change);
      return message;
    },
    decrypt: async (message) => {
      const received = await group().verify(message);
      if (received.kind !== "application") throw new Disagreement(`${name} took a message for ${received.kind}`);
      group().merge(received.change);
      return received.data;
    },
  };
}
