import { utf8 } from "../bytes.ts";
import { CIPHER_SUITE } from "../crypto/provider.ts";
import { EXTENSION_TYPE, type Extension } from "../messages/extension.ts";
import { PROPOSAL_TYPE, type Proposal } from "../messages/proposal.ts";
import { nodeCrypto } from "../node/index.ts";
import type { LeafParameters } from "../group/build-commit.ts";
import type { GroupChange } from "../group/change.ts";
import { XIP_82_EXTERNAL_COMMITS, type GroupConfig } from "../group/config.ts";
import type { CommitOptions, PendingCommit } from "../group/create-commit.ts";
import { createKeyPackage, type KeyPackageBundle } from "../group/key-packages.ts";
import { MlsGroup } from "../group/mls-group.ts";
import type { Received } from "../group/receive.ts";
import type { AppDataChanges } from "../messages/app-data.ts";
import type { StagedCommit } from "../group/stage-commit.ts";

/** Groups for the tests of this package: members with real keys, and a store that is a map. */

export const SUITE = CIPHER_SUITE.MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519;
export const GROUP_ID = utf8("a group of 16 by");
export const LIFETIME = { notBefore: 0n, notAfter: 2n ** 60n };

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

/** A member with its group and its rows as a store would hold them. */
export interface TestMember {
  readonly config: GroupConfig;
  group: MlsGroup;
  readonly rows: Map<string, Uint8Array>;
}

export async function newConfig(name: string): Promise<GroupConfig> {
  const signatureKeyPair = await nodeCrypto.suite(SUITE).generateSignatureKeyPair();
  const identity = { credential: { kind: "basic", identity: utf8(name) } as const, signatureKeyPair };
  return { crypto: nodeCrypto, identity, externalCommitPolicy: XIP_82_EXTERNAL_COMMITS };
}

export function keyPackageFor(config: GroupConfig): Promise<KeyPackageBundle> {
  return createKeyPackage(config, { cipherSuite: SUITE, leaf: LEAF, lifetime: LIFETIME });
}

export function memberOf(config: GroupConfig, group: MlsGroup): TestMember {
  return { config, group, rows: group.snapshot() };
}

export async function newGroup(name: string, extensions: readonly Extension[] = []): Promise<TestMember> {
  const config = await newConfig(name);
  const options = { cipherSuite: SUITE, groupId: GROUP_ID, extensions, leaf: LEAF, lifetime: LIFETIME };
  return memberOf(config, await MlsGroup.create(config, options));
}

/** Writes the rows of a change and merges it, in that order. */
export function write(member: TestMember, change: GroupChange): void {
  for (const [key, value] of change.rows) {
    if (value === null) member.rows.delete(key);
    else member.rows.set(key, value);
  }
  member.group.merge(change);
}

/** Commits as one member and delivers to the others; returns the commit. */
export async function commit(
  from: TestMember,
  others: readonly TestMember[],
  options: CommitOptions,
): Promise<PendingCommit> {
  const pending = await from.group.createCommit(options);
  write(from, pending.sent);
  for (const other of others) await deliverCommit(other, pending.message, options.appData);
  write(from, pending);
  return pending;
}

export async function deliverCommit(
  member: TestMember,
  message: Uint8Array,
  appData?: AppDataChanges,
): Promise<StagedCommit> {
  const received = await member.group.verify(message);
  if (received.kind !== "commit") throw new Error(`expected a commit, got ${received.kind}`);
  const staged = await member.group.stage(received.commit, appData === undefined ? {} : { appData });
  write(member, staged);
  return staged;
}

export async function deliver<K extends Received["kind"]>(
  member: TestMember,
  message: Uint8Array,
  kind: K,
): Promise<Extract<Received, { kind: K }>> {
  const received = await member.group.verify(message);
  if (received.kind !== kind) throw new Error(`expected ${kind}, got ${received.kind}`);
  if ("change" in received) write(member, received.change);
  return received as Extract<Received, { kind: K }>;
}

export function addProposal(bundle: KeyPackageBundle): Proposal {
  return { kind: "add", keyPackage: bundle.keyPackage };
}

/** A group of `names`, all added by the first one in one commit. */
export async function groupOf(names: readonly string[], extensions: readonly Extension[] = []): Promise<TestMember[]> {
  const [first = "", ...rest] = names;
  const creator = await newGroup(first, extensions);
  const joiners = await Promise.all(
    rest.map(async (name) => {
      const config = await newConfig(name);
      return { config, bundle: await keyPackageFor(config) };
    }),
  );
  if (joiners.length === 0) return [creator];
  const { welcome } = await commit(creator, [], { proposals: joiners.map(({ bundle }) => addProposal(bundle)) });
  const members = await Promise.all(joiners.map(({ config, bundle }) => welcomed(config, welcome, bundle)));
  return [creator, ...members];
}

export async function welcomed(
  config: GroupConfig,
  welcome: Uint8Array | undefined,
  bundle: KeyPackageBundle,
): Promise<TestMember> {
  if (welcome === undefined) throw new Error("the commit made no Welcome");
  const { group } = await MlsGroup.fromWelcome(config, welcome, [bundle]);
  return memberOf(config, group);
}
