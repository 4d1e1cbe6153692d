import {
  asLeafIndex,
  createExternalCommit,
  createKeyPackage,
  decodeExact,
  decodeKeyPackage,
  encodeRequiredCapabilities,
  EXTENSION_TYPE,
  MlsGroup,
  utf8,
  verifyGroupInfo,
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
  }
}

function nameOf({ credential }: LeafNode): string {
  if (credential.kind !== "basic") throw new Disagreement("a member has no basic credential");
  return new TextDecoder().decode(credential.identity);
}

function leafParameters(world: World) {
  const { cipherSuite } = world;
  const none: number[] = [];
  const credentials = [BASIC_CREDENTIAL];
  const capabilities = { versions: [1], cipherSuites: [cipherSuite], extensions: none, proposals: none, credentials };
  return { capabilities, extensions: [] };
}

/** A client on Latchkey, which also writes nothing down: rows are the concern of other tests. */
export function latchkeyClient(world: World, identity: Identity): Client {
  const { name, signatureKeyPair } = identity;
  const config: GroupConfig = {
    crypto: nodeCrypto,
    identity: { credential: { kind: "basic", identity: utf8(name) }, signatureKeyPair },
    externalPsk: (id) => world.psks.get(new TextDecoder().decode(id)),
  };
  const leaf = leafParameters(world);
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
    roster: () => new Map([...group().members()].map(({ leafIndex, leafNode }) => [nameOf(leafNode), leafIndex])),
    createGroup: async () => {
      const { cipherSuite, groupId } = world;
      current = await MlsGroup.create(config, { cipherSuite, groupId, extensions: [], leaf, lifetime: LIFETIME });
    },
    keyPackage: async () => {
      bundle = await createKeyPackage(config, { cipherSuite: world.cipherSuite, leaf, lifetime: LIFETIME });
      return bundle.bytes;
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
      const { message, change } = await group().encryptApplication(data);
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
