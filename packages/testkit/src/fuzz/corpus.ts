import {
  asLeafIndex,
  CIPHER_SUITE,
  createExternalCommit,
  createExternalProposal,
  createKeyPackage,
  createNewMemberProposal,
  decodeMlsMessage,
  encodeExternalSenders,
  encodeMlsMessage,
  equalBytes,
  EXTENSION_TYPE,
  groupContextBytes,
  MlsGroup,
  PROPOSAL_TYPE,
  utf8,
  verifyGroupInfo,
  type GroupConfig,
  type KeyPackageBundle,
  type LeafParameters,
  type Proposal,
} from "@latchkey/mls";
import { decodeGroupSecrets, decryptWithLabel, deriveEpochSecrets, zeroSecret } from "@latchkey/mls/internals";
import type { SeededRandom } from "../random.ts";
import { seededCrypto } from "../seeded-crypto.ts";

const SUITE = CIPHER_SUITE.MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519;
const LIFETIME = { notBefore: 0n, notAfter: 2n ** 40n };
const PSK = utf8("a PSK of thirty-two bytes, surely");
export const COMPONENT = 0x8001;

export const LEAF: LeafParameters = {
  capabilities: {
    versions: [1],
    cipherSuites: [SUITE],
    extensions: [EXTENSION_TYPE.appDataDictionary, EXTENSION_TYPE.lastResort],
    proposals: [PROPOSAL_TYPE.app_data_update, PROPOSAL_TYPE.self_remove],
    credentials: [1],
  },
  extensions: [],
};

/** One real message, named by what it is. */
export interface Sample {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** A group as its member bob knows it, and real messages of every kind that he may receive. */
export interface Corpus {
  readonly config: GroupConfig;
  /** Whom everything is sent to. Nothing is ever merged, so it stays as it is. */
  readonly bob: MlsGroup;
  /** Another member, who is able to sign whatever it likes, with all secrets of the epoch. */
  readonly insider: {
    readonly config: GroupConfig;
    readonly group: MlsGroup;
    readonly joinerSecret: Uint8Array;
    readonly secrets: ReturnType<typeof deriveEpochSecrets>;
  };
  /** Signs the external commits and proposals among the samples. */
  readonly outsider: GroupConfig;
  /** Messages of the group that bob takes in. */
  readonly messages: readonly Sample[];
  readonly groupInfo: Uint8Array;
  readonly welcome: Uint8Array;
  /** Whom the Welcome is for. */
  readonly guest: GroupConfig;
  readonly bundle: KeyPackageBundle;
}

async function newConfig(random: SeededRandom, name: string): Promise<GroupConfig> {
  const crypto = seededCrypto((length) => Uint8Array.from({ length }, () => random.int(256)));
  const signatureKeyPair = await crypto.suite(SUITE).generateSignatureKeyPair();
  return {
    crypto,
    identity: { credential: { kind: "basic", identity: utf8(name) }, signatureKeyPair },
    externalCommitPolicy: {
      byValue: new Set(["external_init", "add", "remove", "psk", "app_data_update"]),
      maxProposals: 128,
    },
    externalPsk: () => PSK,
  };
}

const keyPackageFor = (config: GroupConfig) =>
  createKeyPackage(config, { cipherSuite: SUITE, leaf: LEAF, lifetime: LIFETIME });

/** The secrets of the epoch that a Welcome of a commit without PSKs starts. */
async function secretsOf(group: MlsGroup, config: GroupConfig, welcome: Uint8Array, bundle: KeyPackageBundle) {
  const decoded = decodeMlsMessage(welcome);
  if (decoded.wireFormat !== "welcome") throw new Error("expected a Welcome");
  const { encryptedGroupInfo } = decoded.message;
  const entry = decoded.message.secrets.find(({ newMember }) => equalBytes(newMember, bundle.reference));
  if (entry === undefined) throw new Error("the Welcome is for somebody else");
  const suite = config.crypto.suite(SUITE);
  const keyPair = { privateKey: bundle.initPrivateKey, publicKey: bundle.keyPackage.initKey };
  const opened = await decryptWithLabel(suite, keyPair, "Welcome", encryptedGroupInfo, entry.encryptedGroupSecrets);
  const { joinerSecret } = decodeGroupSecrets(opened);
  const secrets = deriveEpochSecrets(suite, joinerSecret, zeroSecret(suite), groupContextBytes(group.context));
  return { joinerSecret, secrets };
}

async function mergeCommit(group: MlsGroup, message: Uint8Array): Promise<void> {
  const received = await group.verify(message);
  if (received.kind !== "commit") throw new Error(`expected a commit, received ${received.kind}`);
  group.merge(await group.stage(received.commit));
}

/** Proposals of every kind that alice can make by value. */
async function proposalsOf(random: SeededRandom): Promise<Proposal[]> {
  const nonce = new Uint8Array(32).fill(7);
  const { keyPackage } = await keyPackageFor(await newConfig(random, "fay"));
  return [
    { kind: "add", keyPackage },
    { kind: "remove", removed: asLeafIndex(3) },
    { kind: "psk", psk: { kind: "external", pskId: utf8("psk"), nonce } },
    { kind: "group_context_extensions", extensions: [] },
    { kind: "app_ephemeral", componentId: COMPONENT, data: utf8("ephemeral") },
  ];
}

/** A group of six with two epochs behind it, and one message of every kind. */
export async function makeCorpus(random: SeededRandom): Promise<Corpus> {
  const names = ["alice", "bob", "carol", "dave", "eve", "sender", "zoe"];
  const configs: GroupConfig[] = [];
  for (const name of names) configs.push(await newConfig(random, name));
  const [alice, bob, carol, dave, eve, sender, zoe] = configs as [
    GroupConfig,
    GroupConfig,
    GroupConfig,
    GroupConfig,
    GroupConfig,
    GroupConfig,
    GroupConfig,
  ];
  const { credential, signatureKeyPair } = sender.identity;
  const externalSenders = encodeExternalSenders([{ signatureKey: signatureKeyPair.publicKey, credential }]);
  const first = await MlsGroup.create(alice, {
    cipherSuite: SUITE,
    groupId: utf8("fuzz"),
    extensions: [{ type: EXTENSION_TYPE.externalSenders, data: externalSenders }],
    leaf: LEAF,
    lifetime: LIFETIME,
  });
  const gus = await newConfig(random, "gus");
  const bundles: KeyPackageBundle[] = [];
  for (const config of [bob, carol, dave, gus]) bundles.push(await keyPackageFor(config));
  const added = await first.createCommit({
    proposals: bundles.map(({ keyPackage }): Proposal => ({ kind: "add", keyPackage })),
  });
  first.merge(added);
  const join = async (config: GroupConfig, bundle: KeyPackageBundle | undefined) => {
    if (added.welcome === undefined || bundle === undefined) throw new Error("the commit made no Welcome");
    return (await MlsGroup.fromWelcome(config, added.welcome, [bundle])).group;
  };
  const [bobs, carols] = [await join(bob, bundles[0]), await join(carol, bundles[1])];
  const past = await carols.encryptApplication(utf8("of the epoch before"));
  const bundle = await keyPackageFor(eve);
  // Without a path eve becomes an unmerged leaf of the root.
  const second = await first.createCommit({
    proposals: [{ kind: "add", keyPackage: bundle.keyPackage }],
    path: false,
  });
  for (const group of [bobs, carols]) await mergeCommit(group, second.message);
  first.merge(second);
  const { welcome } = second;
  if (welcome === undefined) throw new Error("the commit made no Welcome");

  const messages: Sample[] = [{ name: "application of a past epoch", bytes: past.message }];
  const say = (name: string, bytes: Uint8Array) => messages.push({ name, bytes });
  say("application", (await carols.encryptApplication(utf8("hello"), { authenticatedData: utf8("aad") })).message);
  const byValue = await proposalsOf(random);
  for (const wireFormat of ["public_message", "private_message"] as const) {
    for (const proposal of byValue) {
      say(`${wireFormat} ${proposal.kind}`, (await carols.createProposal(proposal, { wireFormat })).message);
    }
    say(`${wireFormat} update`, (await carols.createUpdate({ wireFormat })).message);
    say(`${wireFormat} empty commit`, (await first.createCommit({ wireFormat })).message);
    say(`${wireFormat} commit`, (await first.createCommit({ wireFormat, proposals: byValue.slice(0, 4) })).message);
  }
  const update = await carols.createUpdate();
  for (const group of [bobs, first]) {
    const received = await group.verify(update.message);
    if (received.kind === "proposal") group.merge(received.change);
  }
  say("commit by reference", (await first.createCommit({ wireFormat: "public_message" })).message);
  const groupInfo = await first.exportGroupInfo();
  const info = await verifyGroupInfo(zoe, groupInfo);
  const [, , psk] = byValue;
  const zoes = await createExternalCommit(zoe, info, {
    leaf: LEAF,
    adds: [(await keyPackageFor(await newConfig(random, "gil"))).keyPackage],
    psks: psk?.kind === "psk" ? [psk.psk] : [],
  });
  say("external commit", zoes.message);
  const target = { cipherSuite: SUITE, groupId: first.groupId, epoch: first.epoch };
  say("new member's proposal", await createNewMemberProposal(zoe, target, (await keyPackageFor(zoe)).keyPackage));
  const remove: Proposal = { kind: "remove", removed: asLeafIndex(2) };
  say("external sender's proposal", await createExternalProposal(sender, target, 0, remove));
  const insider = { config: alice, group: first, ...(await secretsOf(first, alice, welcome, bundle)) };
  return { config: bob, bob: bobs, insider, outsider: zoe, messages, groupInfo, welcome, guest: eve, bundle };
}

/** The samples of a corpus as MLSMessages of all wire formats. */
export function allMessages({ messages, groupInfo, welcome, bundle }: Corpus): Sample[] {
  const keyPackage = encodeMlsMessage({ wireFormat: "key_package", message: bundle.keyPackage });
  return [
    ...messages,
    { name: "GroupInfo", bytes: groupInfo },
    { name: "Welcome", bytes: welcome },
    { name: "KeyPackage", bytes: keyPackage },
  ];
}
