import { decodeUtf8, encode as encodeBytes, utf8 } from "@latchkey/mls";
import {
  branchGroup,
  bytesToBase64,
  ciphersuites,
  createApplicationMessage,
  createCommit,
  createGroup,
  createGroupInfoWithExternalPubAndRatchetTree,
  createProposal,
  decode,
  defaultCredentialTypes,
  defaultExtensionTypes,
  defaultProposalTypes,
  encode,
  generateKeyPackageWithKey,
  joinGroup,
  joinGroupExternal,
  joinGroupFromBranch,
  joinGroupFromReinit,
  keyPackageDecoder,
  keyPackageEncoder,
  makeCustomExtension,
  mlsExporter,
  mlsMessageDecoder,
  mlsMessageEncoder,
  nodeTypes,
  processMessage,
  processPrivateMessage,
  processPublicMessage,
  proposeAddExternal,
  protocolVersions,
  pskTypes,
  reinitCreateNewGroup,
  resumptionPSKUsages,
  unsafeTestingAuthenticationService,
  wireformats,
  type CiphersuiteId,
  type CiphersuiteImpl,
  type CiphersuiteName,
  type ClientState,
  type CryptoProvider,
  type KeyPackage,
  type MlsContext,
  type MlsFramedMessage,
  type Proposal,
  type PskId,
} from "ts-mls";
import { Disagreement, KnownRefusal, type Change, type Client, type Identity, type Psk, type World } from "./client.ts";
import { withExternalPub } from "./group-info.ts";
import { tsMlsSuite } from "./ts-mls-suite.ts";

const LIFETIME = { notBefore: 0n, notAfter: 2n ** 40n };

/**
 * ts-mls 2.0.0-rc.10 wants all parents above an unmerged leaf to list the same unmerged leaves; RFC 9420 §7.9.2 wants
 * that of the one leaf only, of nodes between. Such trees come up whenever a member adds another and a third commits.
 */
const KNOWN_REFUSALS = ["non-blank intermediate node must list leaf node in its unmerged_leaves"];

async function orKnownRefusal<T>(joining: Promise<T>): Promise<T> {
  try {
    return await joining;
  } catch (error) {
    if (error instanceof Error && KNOWN_REFUSALS.includes(error.message)) throw new KnownRefusal(error.message);
    throw error;
  }
}

function pskId(world: World, psk: Psk): PskId {
  const pskNonce = psk.nonce;
  if (psk.kind === "external") return { psktype: pskTypes.external, pskId: utf8(psk.name), pskNonce };
  const usage = resumptionPSKUsages.application;
  return { psktype: pskTypes.resumption, usage, pskGroupId: world.groupId, pskEpoch: psk.epoch, pskNonce };
}

function keyPackageOf(bytes: Uint8Array): KeyPackage {
  const keyPackage = decode(keyPackageDecoder, bytes);
  if (keyPackage === undefined) throw new Disagreement("ts-mls did not decode a key package");
  return keyPackage;
}

const PROVIDER: CryptoProvider = { getCiphersuiteImpl: tsMlsSuite };

function suiteName(id: number): CiphersuiteName {
  const [name] = Object.entries(ciphersuites).find(([, value]) => value === id) ?? [];
  if (name === undefined) throw new Error(`ts-mls does not know suite ${id}`);
  return name as CiphersuiteName;
}

/** The tree of a group: its Welcomes to a group that follows another do not carry it. */
async function encodedTree(state: ClientState, cipherSuite: CiphersuiteImpl): Promise<Uint8Array> {
  const { extensions } = await createGroupInfoWithExternalPubAndRatchetTree(state, [], cipherSuite);
  const tree = extensions.find(({ extensionType }) => extensionType === defaultExtensionTypes.ratchet_tree);
  if (!(tree?.extensionData instanceof Uint8Array)) throw new Disagreement("ts-mls wrote no tree");
  return tree.extensionData;
}

function proposalOf(world: World, change: Change): Proposal {
  switch (change.kind) {
    case "add":
      return { proposalType: defaultProposalTypes.add, add: { keyPackage: keyPackageOf(change.keyPackage) } };
    case "remove":
      return { proposalType: defaultProposalTypes.remove, remove: { removed: change.leaf } };
    case "reinit": {
      const { groupId } = change;
      const { mls10: version } = protocolVersions;
      const reinit = { groupId, version, cipherSuite: world.cipherSuite as CiphersuiteId, extensions: [] };
      return { proposalType: defaultProposalTypes.reinit, reinit };
    }
    case "psk":
      return { proposalType: defaultProposalTypes.psk, psk: { preSharedKeyId: pskId(world, change.psk) } };
    default:
      throw new Error(`ts-mls is not asked for a ${change.kind}`);
  }
}

function decodeFramed(bytes: Uint8Array): MlsFramedMessage {
  const message = decode(mlsMessageDecoder, bytes);
  if (
    message?.wireformat !== wireformats.mls_public_message &&
    message?.wireformat !== wireformats.mls_private_message
  ) {
    throw new Disagreement("ts-mls did not decode a message of the group");
  }
  return message;
}

function rosterOf({ ratchetTree }: ClientState): Map<string, number> {
  const roster = new Map<string, number>();
  ratchetTree.forEach((node, index) => {
    if (node?.nodeType !== nodeTypes.leaf) return;
    const { credential } = node.leaf;
    if (!("identity" in credential)) throw new Disagreement("a member has no basic credential");
    roster.set(decodeUtf8(credential.identity), index / 2);
  });
  return roster;
}

/** A client on ts-mls, with its defaults for everything that can be set. */
export async function tsMlsClient(world: World, identity: Identity): Promise<Client> {
  const { name, signatureKeyPair, grease } = identity;
  const greaseExtensions = grease
    .slice(0, 1)
    .map((extensionType) => makeCustomExtension({ extensionType, extensionData: utf8("grease") }));
  const context: MlsContext = {
    cipherSuite: await tsMlsSuite(world.cipherSuite),
    authService: unsafeTestingAuthenticationService,
  };
  const withPsks = (): MlsContext => ({
    ...context,
    externalPsks: Object.fromEntries([...world.psks].map(([id, secret]) => [bytesToBase64(utf8(id)), secret])),
  });
  const makeKeyPackage = () =>
    generateKeyPackageWithKey({
      credential: { credentialType: defaultCredentialTypes.basic, identity: utf8(name) },
      capabilities: {
        versions: [protocolVersions.mls10],
        ciphersuites: [world.cipherSuite, ...grease],
        extensions: [...grease],
        proposals: [...grease],
        credentials: [defaultCredentialTypes.basic, ...grease],
      },
      extensions: greaseExtensions,
      leafNodeExtensions: greaseExtensions,
      lifetime: LIFETIME,
      signatureKeyPair: { signKey: signatureKeyPair.privateKey, publicKey: signatureKeyPair.publicKey },
      cipherSuite: context.cipherSuite,
    });
  let bundle = await makeKeyPackage();
  let current: ClientState | undefined;
  const state = (): ClientState => {
    if (current === undefined) throw new Error(`${name} is not a member`);
    return current;
  };
  return {
    engine: "ts-mls",
    name,
    epoch: () => state().groupContext.epoch,
    epochAuthenticator: () => state().keySchedule.epochAuthenticator,
    exported: (label, bytes, length) =>
      mlsExporter(state().keySchedule.exporterSecret, label, bytes, length, context.cipherSuite),
    roster: () => rosterOf(state()),
    createGroup: async () => {
      const { publicPackage: keyPackage, privatePackage: privateKeyPackage } = bundle;
      current = await createGroup({ context, groupId: world.groupId, keyPackage, privateKeyPackage });
    },
    keyPackage: async () => {
      bundle = await makeKeyPackage();
      return encode(keyPackageEncoder, bundle.publicPackage);
    },
    joinByWelcome: async (bytes) => {
      const decoded = decode(mlsMessageDecoder, bytes);
      if (decoded?.wireformat !== wireformats.mls_welcome) throw new Disagreement("ts-mls did not decode a Welcome");
      const { publicPackage: keyPackage, privatePackage: privateKeys } = bundle;
      const { welcome } = decoded;
      current = await orKnownRefusal(joinGroup({ context: withPsks(), welcome, keyPackage, privateKeys }));
    },
    joinExternally: async (bytes, resync) => {
      const decoded = decode(mlsMessageDecoder, bytes);
      if (decoded?.wireformat !== wireformats.mls_group_info) throw new Disagreement("ts-mls did not decode GroupInfo");
      bundle = await makeKeyPackage();
      const { publicPackage: keyPackage, privatePackage: privateKeys } = bundle;
      const { groupInfo } = decoded;
      const joined = await orKnownRefusal(joinGroupExternal({ context, groupInfo, keyPackage, privateKeys, resync }));
      const message = encode(mlsMessageEncoder, {
        version: protocolVersions.mls10,
        wireformat: wireformats.mls_public_message,
        publicMessage: joined.publicMessage,
      });
      return { message, welcome: undefined, accept: () => (current = joined.newState) };
    },
    groupInfo: async (bareExternalPub) => {
      const groupInfo = await createGroupInfoWithExternalPubAndRatchetTree(state(), [], context.cipherSuite);
      const { mls10: version } = protocolVersions;
      const bytes = encode(mlsMessageEncoder, { version, wireformat: wireformats.mls_group_info, groupInfo });
      if (bareExternalPub) return bytes;
      return withExternalPub(bytes, identity, (key) => encodeBytes(key, (writer, value) => writer.opaque(value)));
    },
    proposeItself: async (bytes) => {
      const decoded = decode(mlsMessageDecoder, bytes);
      if (decoded?.wireformat !== wireformats.mls_group_info) throw new Disagreement("ts-mls did not decode GroupInfo");
      bundle = await makeKeyPackage();
      const { publicPackage, privatePackage } = bundle;
      const message = await proposeAddExternal(decoded.groupInfo, publicPackage, privatePackage, context.cipherSuite);
      return encode(mlsMessageEncoder, message);
    },
    found: async (how, groupId, keyPackages) => {
      const { publicPackage: keyPackage, privatePackage: privateKeyPackage } = await makeKeyPackage();
      const memberKeyPackages = keyPackages.map(keyPackageOf);
      const common = { context, state: state(), keyPackage, privateKeyPackage, memberKeyPackages };
      const made = await (how === "reinit"
        ? reinitCreateNewGroup({ ...common, groupId, cipherSuite: suiteName(world.cipherSuite), provider: PROVIDER })
        : branchGroup({ ...common, newGroupId: groupId }));
      current = made.newState;
      if (made.welcome === undefined) throw new Disagreement("ts-mls made no Welcome");
      const tree = { encoded: await encodedTree(current, context.cipherSuite), nodes: current.ratchetTree };
      return { welcome: encode(mlsMessageEncoder, made.welcome), tree };
    },
    follow: async (how, { welcome: bytes, tree }) => {
      const message = decode(mlsMessageDecoder, bytes);
      if (message?.wireformat !== wireformats.mls_welcome) throw new Disagreement("ts-mls did not decode a Welcome");
      const { publicPackage: keyPackage, privatePackage: privateKeyPackage } = bundle;
      const nodes = tree === undefined ? {} : { ratchetTree: tree.nodes };
      const common = { context, welcome: message.welcome, keyPackage, privateKeyPackage, ...nodes };
      current = await (how === "reinit"
        ? joinGroupFromReinit({ ...common, suspendedState: state(), provider: PROVIDER })
        : joinGroupFromBranch({ ...common, oldState: state() }));
    },
    propose: async (change, wireAsPublicMessage) => {
      const proposal = proposalOf(world, change);
      const sent = await createProposal({ context, state: state(), wireAsPublicMessage, proposal });
      current = sent.newState;
      return encode(mlsMessageEncoder, sent.message);
    },
    commit: async (changes, { asPublicMessage }) => {
      const made = await createCommit({
        context: withPsks(),
        state: state(),
        wireAsPublicMessage: asPublicMessage,
        extraProposals: changes.map((change) => proposalOf(world, change)),
        ratchetTreeExtension: true,
      });
      return {
        message: encode(mlsMessageEncoder, made.commit),
        welcome: made.welcome === undefined ? undefined : encode(mlsMessageEncoder, made.welcome),
        accept: () => (current = made.newState),
      };
    },
    takeIn: async (bytes) => {
      // processMessage of ts-mls forgets the PSKs of its context on the way to a PrivateMessage.
      const message = decodeFramed(bytes);
      const params = { context: withPsks(), state: state() };
      const { newState } =
        message.wireformat === wireformats.mls_private_message
          ? await processPrivateMessage({ ...params, privateMessage: message.privateMessage })
          : await processPublicMessage({ ...params, publicMessage: message.publicMessage });
      current = newState;
    },
    encrypt: async (message) => {
      const sent = await createApplicationMessage({ context, state: state(), message });
      current = sent.newState;
      return encode(mlsMessageEncoder, sent.message);
    },
    decrypt: async (bytes) => {
      const result = await processMessage({ context, state: state(), message: decodeFramed(bytes) });
      if (result.kind !== "applicationMessage") throw new Disagreement(`${name} read a message as ${result.kind}`);
      current = result.newState;
      return result.message;
    },
  };
}
