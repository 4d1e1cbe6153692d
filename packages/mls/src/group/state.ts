import { toHex } from "../bytes.ts";
import { decodeExact } from "../codec/reader.ts";
import { encode } from "../codec/writer.ts";
import type { CipherSuite } from "../crypto/provider.ts";
import { DecodeError, StateError } from "../errors.ts";
import { appDataOf, type AppData } from "../messages/app-data.ts";
import { decodeSender, encodeSender } from "../messages/framing.ts";
import { decodeProposal, encodeProposal } from "../messages/proposal.ts";
import { decodeTreeNode, encodeTreeNode, type EncodedNode, type TreeNode } from "../tree/node.ts";
import { nodeWidth, type NodeIndex } from "../tree/math.ts";
import { RatchetTree } from "../tree/ratchet-tree.ts";
import type { GroupConfig } from "./config.ts";
import { decodeEpochs, epochRows, type EpochKeys } from "./epoch-keys.ts";
import { decodeEpochState, encodeEpochState, type EpochState } from "./epoch-state.ts";
import type { PendingProposal } from "./proposals.ts";

/** Everything a member knows of its group. Changed by `MlsGroup.merge` only. */
export interface GroupState {
  readonly config: GroupConfig;
  readonly suite: CipherSuite;
  readonly tree: RatchetTree;
  head: EpochState;
  appData: AppData;
  privateKeys: ReadonlyMap<NodeIndex, Uint8Array>;
  readonly proposals: Map<string, PendingProposal>;
  /** Current and past epochs, by their number. */
  readonly epochs: Map<bigint, EpochKeys>;
  /** Rows found at loading that belong to no epoch any more; the next epoch change deletes them. */
  orphans: readonly string[];
  /** Counts merges. */
  revision: number;
}

/** Keys of the rows of a group. */
export const ROW = {
  head: "head",
  node: (index: NodeIndex) => `n/${index}`,
  privateKey: (index: NodeIndex) => `k/${index}`,
  proposal: (epoch: bigint, reference: Uint8Array) => `p/${epoch}/${toHex(reference)}`,
} as const;

/** The current epoch's receiving keys. */
export function currentEpoch(state: GroupState): EpochKeys {
  const epoch = state.epochs.get(state.head.context.epoch);
  if (epoch === undefined) throw new StateError("the group has no keys for its current epoch");
  return epoch;
}

export function nodeRow(node: EncodedNode): Uint8Array {
  return encode(node, encodeTreeNode);
}

export function proposalRow(pending: PendingProposal): Uint8Array {
  return encode(pending, (writer, value) => {
    writer.opaque(value.reference);
    encodeSender(writer, value.sender);
    encodeProposal(writer, value.proposal);
    writer.optional(value.leafPrivateKey, (inner, key) => inner.opaque(key));
  });
}

function decodeProposalRow(bytes: Uint8Array): PendingProposal {
  return decodeExact(bytes, (reader) => ({
    reference: reader.opaque(),
    sender: decodeSender(reader),
    proposal: decodeProposal(reader),
    leafPrivateKey: reader.optional((inner) => inner.opaque()),
  }));
}

/** All rows of a group. */
export function snapshotRows(state: GroupState): Map<string, Uint8Array> {
  const rows = new Map<string, Uint8Array>([[ROW.head, encodeEpochState(state.head)]]);
  state.tree.nodes().forEach((node, index) => {
    if (node !== undefined) rows.set(ROW.node(index as NodeIndex), nodeRow(node));
  });
  for (const [index, key] of state.privateKeys) rows.set(ROW.privateKey(index), key);
  for (const pending of state.proposals.values()) {
    rows.set(ROW.proposal(state.head.context.epoch, pending.reference), proposalRow(pending));
  }
  for (const epoch of state.epochs.values()) {
    for (const [key, value] of epochRows(epoch)) if (value !== null) rows.set(key, value);
  }
  return rows;
}

function nodeIndexOf(key: string, width: number): number {
  const index = Number(key.slice(2));
  if (Number.isInteger(index) && index >= 0 && index < width) return index;
  throw new DecodeError(`row ${key} of a group names a node outside of its tree`);
}

/** Rebuilds the state from its rows; throws DecodeError when they are not whole. O(members). */
export function loadState(config: GroupConfig, rows: Iterable<readonly [string, Uint8Array]>): GroupState {
  const all = new Map(rows);
  const headBytes = all.get(ROW.head);
  if (headBytes === undefined) throw new DecodeError("the rows of a group lack its head");
  const head = decodeEpochState(headBytes);
  const suite = config.crypto.suite(head.context.cipherSuite);
  const nodes = new Array<TreeNode | undefined>(nodeWidth(head.leafCount)).fill(undefined);
  const privateKeys = new Map<NodeIndex, Uint8Array>();
  const proposals = new Map<string, PendingProposal>();
  const proposalPrefix = `p/${head.context.epoch}/`;
  const orphans: string[] = [];
  for (const [key, value] of all) {
    if (key.startsWith("n/")) nodes[nodeIndexOf(key, nodes.length)] = decodeExact(value, decodeTreeNode);
    else if (key.startsWith("k/")) privateKeys.set(Number(key.slice(2)) as NodeIndex, value);
    else if (key.startsWith(proposalPrefix)) proposals.set(key.slice(proposalPrefix.length), decodeProposalRow(value));
    else if (key.startsWith("p/") || (key.startsWith("e/") && !all.has(key.split("/", 2).join("/")))) orphans.push(key);
  }
  return {
    config,
    suite,
    tree: new RatchetTree(suite, nodes, head.leafCount),
    head,
    appData: appDataOf(head.context.extensions),
    privateKeys,
    proposals,
    epochs: decodeEpochs(suite, all),
    orphans,
    revision: 0,
  };
}

/** The state of a group that has just begun for this member; all of it is new. */
export function freshState(
  parts: Pick<GroupState, "config" | "suite" | "tree" | "head" | "privateKeys">,
  epoch: EpochKeys,
): GroupState {
  return {
    ...parts,
    appData: appDataOf(parts.head.context.extensions),
    proposals: new Map(),
    epochs: new Map([[epoch.number, epoch]]),
    orphans: [],
    revision: 0,
  };
}
