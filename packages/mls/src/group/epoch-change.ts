import { equalBytes } from "../bytes.ts";
import { MLS_LIMITS } from "../limits.ts";
import { appDataOf } from "../messages/app-data.ts";
import type { LeafNode } from "../messages/leaf-node.ts";
import type { SecretTreeChange } from "../schedule/secret-tree.ts";
import { isLeaf, leafNodeIndex, nodeLeafIndex, nodeWidth, type LeafIndex, type NodeIndex } from "../tree/math.ts";
import { encryptionKeyOf, type TreeNode } from "../tree/node.ts";
import type { PathSecrets, PrivateKeys } from "../tree/treekem.ts";
import type { TreeDraft } from "../tree/tree-draft.ts";
import { Change } from "./change.ts";
import { epochDeletion, epochRow, epochRows, secretTreeRows, type EpochKeys } from "./epoch-keys.ts";
import { encodeEpochState, type EpochState } from "./epoch-state.ts";
import { freshEpoch } from "./next-epoch.ts";
import { currentEpoch, nodeRow, ROW, type GroupState } from "./state.ts";

/** A new epoch, derived and confirmed, before it becomes part of the state. */
export interface EpochTransition {
  readonly draft: TreeDraft;
  readonly head: EpochState;
  readonly privateKeys: PrivateKeys;
  /** Message keys of the old epoch that the commit took. */
  readonly secretTree: SecretTreeChange | undefined;
  /** See `Change`. */
  readonly revision: number | undefined;
}

/** The private keys that still fit their nodes after a draft. */
export function keptPrivateKeys(state: GroupState, draft: TreeDraft): Map<NodeIndex, Uint8Array> {
  const kept = new Map<NodeIndex, Uint8Array>();
  for (const [index, key] of state.privateKeys) {
    const before = state.tree.node(index);
    const after = index < nodeWidth(draft.leafCount) ? draft.node(index) : undefined;
    if (before === undefined || after === undefined) continue;
    if (equalBytes(encryptionKeyOf(before), encryptionKeyOf(after))) kept.set(index, key);
  }
  return kept;
}

/** Adds the private keys of a path to those a member holds. */
export function addPathKeys(keys: Map<NodeIndex, Uint8Array>, secrets: PathSecrets): void {
  for (const { index, keyPair } of secrets.nodes) keys.set(index, keyPair.privateKey);
}

function replacedLeaves(state: GroupState, draft: TreeDraft): Map<LeafIndex, LeafNode | undefined> {
  const replaced = new Map<LeafIndex, LeafNode | undefined>();
  for (const index of draft.changes().nodes.keys()) {
    if (isLeaf(index)) replaced.set(nodeLeafIndex(index), state.tree.leaf(nodeLeafIndex(index)));
  }
  return replaced;
}

function nodeRows(draft: TreeDraft): [string, Uint8Array | null][] {
  const width = nodeWidth(draft.leafCount);
  return [...draft.changes().nodes].map(([index, node]: [NodeIndex, TreeNode | undefined]) => [
    ROW.node(index),
    node === undefined || index >= width ? null : nodeRow(node),
  ]);
}

function privateKeyRows(before: PrivateKeys, after: PrivateKeys): [string, Uint8Array | null][] {
  const rows: [string, Uint8Array | null][] = [];
  for (const index of before.keys()) if (!after.has(index)) rows.push([ROW.privateKey(index), null]);
  for (const [index, key] of after) if (before.get(index) !== key) rows.push([ROW.privateKey(index), key]);
  return rows;
}

/** Turns a transition into the change that stores and merges it; O(touched nodes). */
export function epochChange(state: GroupState, transition: EpochTransition): Change {
  const { draft, head, privateKeys, secretTree } = transition;
  const past: EpochKeys = { ...currentEpoch(state), replaced: replacedLeaves(state, draft) };
  const next = freshEpoch(state.suite, head);
  const keep = Math.min(state.config.maxPastEpochs ?? MLS_LIMITS.maxPastEpochs, MLS_LIMITS.maxPastEpochs);
  const dropped = [...state.epochs.values()].filter(({ number }) => number + BigInt(keep) < next.number);
  return new Change(state, {
    epoch: next.number,
    revision: transition.revision,
    rows: () =>
      new Map<string, Uint8Array | null>([
        ...state.orphans.map((key): [string, null] => [key, null]),
        ...epochRow(past),
        ...(secretTree === undefined ? [] : secretTreeRows(past.number, secretTree)),
        ...dropped.flatMap((epoch) => [...epochDeletion(epoch)]),
        ...[...state.proposals.values()].map((pending): [string, null] => [
          ROW.proposal(past.number, pending.reference),
          null,
        ]),
        ...nodeRows(draft),
        ...privateKeyRows(state.privateKeys, privateKeys),
        ...epochRows(next),
        [ROW.head, encodeEpochState(head)],
      ]),
    apply: (target) => {
      if (secretTree !== undefined) past.secretTree.apply(secretTree);
      target.tree.merge(draft);
      target.head = head;
      target.appData = appDataOf(head.context.extensions);
      target.privateKeys = privateKeys;
      target.proposals.clear();
      target.orphans = [];
      target.epochs.set(past.number, past);
      target.epochs.set(next.number, next);
      for (const { number } of dropped) target.epochs.delete(number);
    },
  });
}

/** The change of a member that a commit removes: it keeps its past messages and stays at its last epoch. */
export function removalChange(state: GroupState, secretTree: SecretTreeChange | undefined, revision: number): Change {
  const head: EpochState = { ...state.head, active: false };
  const epoch = currentEpoch(state);
  return new Change(state, {
    epoch: epoch.number,
    revision,
    rows: () =>
      new Map<string, Uint8Array | null>([
        ...(secretTree === undefined ? [] : secretTreeRows(epoch.number, secretTree)),
        [ROW.head, encodeEpochState(head)],
      ]),
    apply: (target) => {
      if (secretTree !== undefined) epoch.secretTree.apply(secretTree);
      target.head = head;
    },
  });
}

/** The change of a message that takes keys from an epoch's secret tree, with what else it stores. */
export function messageChange(
  state: GroupState,
  epoch: EpochKeys,
  secretTree: SecretTreeChange | undefined,
  extra: { readonly rows: ReadonlyMap<string, Uint8Array>; readonly apply: (state: GroupState) => void } = NOTHING_ELSE,
): Change {
  return new Change(state, {
    epoch: state.head.context.epoch,
    revision: state.revision,
    rows: () =>
      new Map<string, Uint8Array | null>([
        ...(secretTree === undefined ? [] : secretTreeRows(epoch.number, secretTree)),
        ...extra.rows,
      ]),
    apply: (target) => {
      if (secretTree !== undefined) epoch.secretTree.apply(secretTree);
      extra.apply(target);
    },
  });
}

const NOTHING_ELSE = { rows: new Map<string, Uint8Array>(), apply: () => undefined };

/** The own leaf's node: where its private key is kept. */
export function ownNode(head: Pick<EpochState, "ownLeafIndex">): NodeIndex {
  return leafNodeIndex(head.ownLeafIndex);
}
