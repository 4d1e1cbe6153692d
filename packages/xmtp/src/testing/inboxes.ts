import {
  fromHex,
  type AppData,
  type KeyPackage,
  type LeafNode,
  type Proposal,
  type VerifiedCommit,
} from "@latchkey/mls";
import { asLeafIndex, decodeAppDataDictionary, EXTENSION_TYPE, findExtension } from "@latchkey/mls";
import { appDataUpdate } from "../app-data/apply.ts";
import { newGroupExtensions, type NewGroup } from "../app-data/new-group.ts";
import { encodeMlsCredential, leafInboxId } from "../credential.ts";
import type { AssociationState } from "../identity/association-state.ts";
import { replayIdentityLog } from "../identity/apply-update.ts";
import { addInstallationUpdate, createInboxUpdate, revokeInstallationUpdate } from "../identity/build-update.ts";
import { localWallet, type WalletSigner } from "../identity/eip191.ts";
import { InstallationKey } from "../identity/installation-key.ts";
import { installationCapabilities } from "../key-package.ts";
import type { IdentityUpdate } from "../proto.ts";
import { XMTP_CIPHER_SUITE, XMTP_PROTOCOL_VERSION } from "../protocol.ts";
import type { Leaves, TreeMember } from "../validators/common.ts";

/** Inboxes with real identity logs, and made-up leaves and commits around them, for the tests of this package. */

export const TEST_TIME_NS = 1_700_000_000_000_000_000n;

/** The version floor that is too high for this build by the least. */
export const NEXT_PROTOCOL_VERSION = XMTP_PROTOCOL_VERSION.replace(/\d+$/, (patch) => String(Number(patch) + 1));

/** An inbox whose log has one update per step: the first one creates it with its first installation. */
export interface TestInbox {
  readonly wallet: WalletSigner;
  readonly inboxId: string;
  readonly keys: readonly InstallationKey[];
  readonly log: readonly IdentityUpdate[];
  /** State after each update; sequence ids start at 1. */
  readonly states: readonly AssociationState[];
}

/** 32 bytes that belong to a number: deterministic keys. */
export function seed(number: number): Uint8Array {
  return Uint8Array.from({ length: 32 }, (_, index) => (index === 0 ? 1 : (number * 7 + index) & 0xff));
}

/** An inbox with that many installations; with `revoke`, the one at that place is revoked by a last update. */
export async function testInbox(number: number, installations = 1, revoke?: number): Promise<TestInbox> {
  const wallet = localWallet(seed(number));
  const keys = Array.from(
    { length: installations },
    (_, index) => new InstallationKey(seed(1000 + number * 16 + index)),
  );
  const log: IdentityUpdate[] = [];
  let inboxId = "";
  for (const [index, installation] of keys.entries()) {
    const timestampNs = TEST_TIME_NS + BigInt(index) * 1_000_000_000n;
    if (index === 0) {
      const update = await createInboxUpdate({ wallet, nonce: 1n, installation, timestampNs });
      ({ inboxId } = update);
      log.push(update);
    } else log.push(await addInstallationUpdate({ wallet, inboxId, installation, timestampNs }));
  }
  const revoked = revoke === undefined ? undefined : keys[revoke];
  if (revoked !== undefined) {
    const timestampNs = TEST_TIME_NS + 60_000_000_000n;
    log.push(await revokeInstallationUpdate({ wallet, inboxId, installationId: revoked.id, timestampNs }));
  }
  const states = log.map((_, index) => present(replayIdentityLog(log.slice(0, index + 1))));
  return { wallet, inboxId, keys, log, states };
}

/** Fails the test instead of returning undefined. */
export function present<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("a test expected a value and found none");
  return value;
}

/** A resolver over those inboxes. */
export function resolverOf(...inboxes: readonly TestInbox[]) {
  return (inboxId: string, sequenceId: bigint): AssociationState | undefined =>
    inboxes.find((inbox) => inbox.inboxId === inboxId)?.states[Number(sequenceId) - 1];
}

/** A leaf as an engine that verified it hands it over; its encryption key and signature are made up. */
export function testLeaf(inboxId: string, installation: InstallationKey): LeafNode {
  return {
    encryptionKey: seed(installation.publicKey[0] ?? 0),
    signatureKey: installation.publicKey,
    credential: encodeMlsCredential(inboxId),
    capabilities: installationCapabilities,
    source: { kind: "commit", parentHash: new Uint8Array(0) },
    extensions: [],
    signature: new Uint8Array(64),
  };
}

export function testKeyPackage(inboxId: string, installation: InstallationKey): KeyPackage {
  return {
    version: 1,
    cipherSuite: XMTP_CIPHER_SUITE,
    initKey: seed(3),
    leafNode: testLeaf(inboxId, installation),
    extensions: [],
    signature: new Uint8Array(64),
  };
}

/** Leaves of a tree, in order. */
export function testTree(...leaves: readonly LeafNode[]): TreeMember[] {
  return leaves.map((leafNode, index) => ({ leafIndex: asLeafIndex(index), leafNode }));
}

/** Leaves as validators look them up. */
export function leavesOf(members: Iterable<TreeMember>): Leaves {
  const all = [...members];
  return {
    leaf: (leafIndex) => all.find((member) => member.leafIndex === leafIndex)?.leafNode,
    leavesOf: (inboxId) => all.filter(({ leafNode }) => leafInboxId(leafNode) === inboxId),
    isSupportedByAll: (type, except) =>
      all.every(({ leafIndex, leafNode }) => leafIndex === except || leafNode.capabilities.extensions.includes(type)),
  };
}

/** The app data that a new group starts with. */
export function testAppData(group: NewGroup): Map<number, Uint8Array> {
  return decodeAppDataDictionary(present(findExtension(newGroupExtensions(group), EXTENSION_TYPE.appDataDictionary)));
}

/** A commit as the engine hands it over, with what its proposals do to the tree filled in for Adds and Removes. */
export function testCommit(options: {
  appData: AppData;
  members: readonly TreeMember[];
  /** A leaf index, or the leaf of somebody who joins. */
  committer: number | LeafNode;
  proposals: readonly Proposal[];
  byReference?: boolean;
  pathLeaf?: LeafNode;
  wireFormat?: VerifiedCommit["wireFormat"];
  extensions?: VerifiedCommit["context"]["extensions"];
}): VerifiedCommit {
  const { members, committer, proposals, byReference = false } = options;
  const isMember = typeof committer === "number";
  const sender: VerifiedCommit["sender"] = isMember
    ? { kind: "member", leafIndex: asLeafIndex(committer) }
    : { kind: "new_member_commit" };
  return {
    wireFormat: options.wireFormat ?? (isMember ? "private_message" : "public_message"),
    sender,
    context: {
      version: 1,
      cipherSuite: XMTP_CIPHER_SUITE,
      groupId: new Uint8Array(16),
      epoch: 5n,
      treeHash: new Uint8Array(32),
      confirmedTranscriptHash: new Uint8Array(32),
      extensions: options.extensions ?? [],
    },
    proposals: proposals.map((proposal) => ({ proposal, sender, byReference })),
    pathLeaf: isMember ? options.pathLeaf : (options.pathLeaf ?? committer),
    committerLeafIndex: asLeafIndex(isMember ? committer : members.length),
    added: proposals.flatMap((proposal, index) =>
      proposal.kind === "add"
        ? [{ leafIndex: asLeafIndex(members.length + index), keyPackage: proposal.keyPackage }]
        : [],
    ),
    removed: proposals.flatMap((proposal) => {
      const leafNode = proposal.kind === "remove" ? members[proposal.removed]?.leafNode : undefined;
      return proposal.kind === "remove" && leafNode !== undefined ? [{ leafIndex: proposal.removed, leafNode }] : [];
    }),
    updated: [],
  };
}

export function addProposal(inboxId: string, installation: InstallationKey): Proposal {
  return { kind: "add", keyPackage: testKeyPackage(inboxId, installation) };
}

export function removeProposal(leafIndex: number): Proposal {
  return { kind: "remove", removed: asLeafIndex(leafIndex) };
}

export { appDataUpdate as updateProposal };

/** The bytes of spaced hex. */
export function hex(text: string): Uint8Array {
  return fromHex(text.replaceAll(/\s/g, ""));
}
