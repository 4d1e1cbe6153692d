import {
  CIPHER_SUITE,
  createExternalCommit,
  decodeExact,
  MlsGroup,
  utf8,
  VerifiedTreeCache,
  verifyGroupInfo,
  type GroupConfig,
  type LeafParameters,
  type Lifetime,
} from "@latchkey/mls";
import { nodeCrypto } from "@latchkey/mls/node";
import { withExternalPub } from "../differential/group-info.ts";

/** The cipher suite that both engines carry without further dependencies. */
export const BENCH_SUITE = CIPHER_SUITE.MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519;

const BASIC_CREDENTIAL = 1;
export const LIFETIME: Lifetime = { notBefore: 0n, notAfter: 2n ** 40n };

export const LEAF: LeafParameters = {
  capabilities: {
    versions: [1],
    cipherSuites: [BENCH_SUITE],
    extensions: [],
    proposals: [],
    credentials: [BASIC_CREDENTIAL],
  },
  extensions: [],
};

/** A member with a fresh signature key. */
export async function freshMember(name: string): Promise<GroupConfig> {
  const signatureKeyPair = await nodeCrypto.suite(BENCH_SUITE).generateSignatureKeyPair();
  return { crypto: nodeCrypto, identity: { credential: { kind: "basic", identity: utf8(name) }, signatureKeyPair } };
}

/** What is timed as a join: GroupInfo bytes in, commit bytes and the group of the next epoch out. */
export async function joinExternally(
  config: GroupConfig,
  groupInfo: Uint8Array,
): Promise<{ message: Uint8Array; group: MlsGroup }> {
  const info = await verifyGroupInfo(config, groupInfo);
  return createExternalCommit(config, info, { leaf: LEAF });
}

/** What is timed as processing: commit bytes in, a group of the next epoch out. */
export async function processCommit(group: MlsGroup, message: Uint8Array): Promise<void> {
  const received = await group.verify(message);
  if (received.kind !== "commit") throw new Error(`expected a commit, received ${received.kind}`);
  group.merge(await group.stage(received.commit));
}

/**
 * Copies of a group to process the same commit in, each with its tree hashes computed, as in a member that has been
 * following the group.
 */
export async function followingCopies(
  config: GroupConfig,
  group: MlsGroup,
  message: Uint8Array,
  count: number,
): Promise<MlsGroup[]> {
  const rows = group.snapshot();
  const copies = Array.from({ length: count }, () => MlsGroup.load(config, rows));
  for (const copy of copies) {
    const received = await copy.verify(message);
    if (received.kind === "commit") await copy.stage(received.commit);
  }
  return copies;
}

/** A group as one of its members knows it. */
export interface GrownGroup {
  readonly config: GroupConfig;
  readonly group: MlsGroup;
}

/**
 * A group of that many members, every one of whom but the founder joined by external commit, as the founder knows it.
 * O(members²).
 */
export async function growGroup(members: number): Promise<GrownGroup> {
  const config = await freshMember("founder");
  const group = await MlsGroup.create(config, {
    cipherSuite: BENCH_SUITE,
    groupId: utf8(`bench-${members}`),
    extensions: [],
    leaf: LEAF,
    lifetime: LIFETIME,
  });
  const verifiedTrees = new VerifiedTreeCache();
  while (group.memberCount < members) {
    const joiner = { ...(await freshMember(`member ${group.memberCount}`)), verifiedTrees };
    const { message } = await joinExternally(joiner, await group.exportGroupInfo());
    await processCommit(group, message);
  }
  return { config, group };
}

/**
 * The same GroupInfo as ts-mls 2.0.0-rc.10 reads it: there the data of `external_pub` is the bare key instead of
 * `opaque<V>` (RFC 9420 §12.4.3.2), so the length byte is dropped and the member who signed it signs again.
 */
export async function groupInfoForTsMls(config: GroupConfig, groupInfo: Uint8Array): Promise<Uint8Array> {
  const { signatureKeyPair } = config.identity;
  const signer = { suite: nodeCrypto.suite(BENCH_SUITE), signatureKeyPair };
  return withExternalPub(groupInfo, signer, (data) => decodeExact(data, (reader) => reader.opaque()));
}
