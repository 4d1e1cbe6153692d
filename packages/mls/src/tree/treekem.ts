import { equalBytes } from "../bytes.ts";
import { decryptWithLabel, deriveSecret, encryptWithLabel } from "../crypto/labels.ts";
import { deriveHpkeKeyPair } from "../crypto/hpke.ts";
import type { CipherSuite, KeyPair } from "../crypto/provider.ts";
import { StateError, ValidationError } from "../errors.ts";
import type { UpdatePathNode } from "../messages/commit.ts";
import { parentHash } from "./parent-hash.ts";
import { commonAncestor, isInSubtree, leafNodeIndex, type LeafIndex, type NodeIndex } from "./math.ts";
import { encryptionKeyOf, parentTreeNode } from "./node.ts";
import type { TreeDraft } from "./tree-draft.ts";
import type { TreeView } from "./tree-view.ts";

/** Private keys a member holds: of its leaf and of nodes above it, by node index. */
export type PrivateKeys = ReadonlyMap<NodeIndex, Uint8Array>;

/** Secrets that a committer derives for its path (RFC 9420 §7.4). */
export interface PathSecrets {
  /** Secret and key pair of each node of the filtered direct path, lowest first. */
  readonly nodes: readonly { readonly index: NodeIndex; readonly pathSecret: Uint8Array; readonly keyPair: KeyPair }[];
  readonly commitSecret: Uint8Array;
}

async function nodeKeyPair(suite: CipherSuite, pathSecret: Uint8Array): Promise<KeyPair> {
  return deriveHpkeKeyPair(suite, deriveSecret(suite, pathSecret, "node"));
}

/** Derives secrets and keys of `indices`, lowest first, from the lowest path secret (RFC 9420 §7.4). */
export async function derivePathSecrets(
  suite: CipherSuite,
  firstPathSecret: Uint8Array,
  indices: readonly NodeIndex[],
): Promise<PathSecrets> {
  const nodes: { index: NodeIndex; pathSecret: Uint8Array; keyPair: KeyPair }[] = [];
  let pathSecret = firstPathSecret;
  for (const index of indices) {
    nodes.push({ index, pathSecret, keyPair: await nodeKeyPair(suite, pathSecret) });
    pathSecret = deriveSecret(suite, pathSecret, "path");
  }
  return { nodes, commitSecret: pathSecret };
}

/**
 * Writes the keys of an update path into the draft and returns the parent hash for the committer's leaf
 * (RFC 9420 §7.5, §7.9). Each node costs one hash: the sibling's tree hash is cached.
 */
export function applyPathKeys(draft: TreeDraft, committer: LeafIndex, keys: readonly Uint8Array[]): Uint8Array {
  const path = draft.filteredDirectPath(committer);
  if (path.length !== keys.length) {
    throw new ValidationError(
      "path-length",
      `the update path has ${keys.length} nodes; this leaf needs ${path.length}`,
    );
  }
  draft.blankDirectPath(committer);
  let above: Uint8Array = new Uint8Array(0);
  for (let level = path.length - 1; level >= 0; level--) {
    const step = path[level];
    const encryptionKey = keys[level];
    if (step === undefined || encryptionKey === undefined) continue;
    draft.setNode(step.node, parentTreeNode({ encryptionKey, parentHash: above, unmergedLeaves: [] }));
    above = parentHash(draft.suite, { encryptionKey, parentHash: above }, draft.hash(step.copath));
  }
  return above;
}

/** Encrypts each path secret to the resolution of the copath child, new leaves excluded (RFC 9420 §7.6). */
export async function encryptPathSecrets(
  draft: TreeView,
  committer: LeafIndex,
  secrets: PathSecrets,
  provisionalContext: Uint8Array,
  excluded: ReadonlySet<LeafIndex>,
): Promise<UpdatePathNode[]> {
  const path = draft.filteredDirectPath(committer);
  return Promise.all(
    secrets.nodes.map(async ({ pathSecret, keyPair }, level) => {
      const step = path[level];
      const resolution = step === undefined ? [] : draft.resolution(step.copath, excluded);
      const encryptedPathSecrets = await Promise.all(
        resolution.map((index) => {
          const node = draft.node(index);
          if (node === undefined) throw new StateError(`node ${index} of a resolution is blank`);
          const key = encryptionKeyOf(node);
          return encryptWithLabel(draft.suite, key, "UpdatePathNode", provisionalContext, pathSecret);
        }),
      );
      return { encryptionKey: keyPair.publicKey, encryptedPathSecrets };
    }),
  );
}

/** Checks that every node of a path carries one ciphertext for each key it is encrypted to (RFC 9420 §7.6). */
export function checkPathCiphertexts(
  draft: TreeView,
  committer: LeafIndex,
  nodes: readonly UpdatePathNode[],
  excluded: ReadonlySet<LeafIndex>,
): void {
  draft.filteredDirectPath(committer).forEach(({ copath }, level) => {
    const expected = draft.resolution(copath, excluded).length;
    const received = nodes[level]?.encryptedPathSecrets.length;
    if (received !== expected) {
      throw new ValidationError("path-ciphertexts", `a path node has ${received} ciphertexts; ${expected} are needed`);
    }
  });
}

/**
 * Opens the one path secret meant for this member and derives all above it (RFC 9420 §7.6).
 * Throws ValidationError when a derived public key differs from the one in the path, CryptoError when nothing opens.
 */
export async function decryptPathSecrets(
  draft: TreeView,
  committer: LeafIndex,
  own: LeafIndex,
  privateKeys: PrivateKeys,
  nodes: readonly UpdatePathNode[],
  provisionalContext: Uint8Array,
  excluded: ReadonlySet<LeafIndex>,
): Promise<PathSecrets> {
  const path = draft.filteredDirectPath(committer);
  const level = path.findIndex(({ copath }) => isInSubtree(leafNodeIndex(own), copath));
  const step = path[level];
  if (step === undefined) throw new ValidationError("path-recipient", "the update path does not reach this member");
  const resolution = draft.resolution(step.copath, excluded);
  const position = resolution.findIndex((index) => privateKeys.has(index) && isInSubtree(leafNodeIndex(own), index));
  const index = resolution[position];
  const ciphertext = nodes[level]?.encryptedPathSecrets[position];
  const node = index === undefined ? undefined : draft.node(index);
  const privateKey = index === undefined ? undefined : privateKeys.get(index);
  if (ciphertext === undefined || node === undefined || privateKey === undefined) {
    throw new ValidationError("path-recipient", "the update path holds no ciphertext for this member");
  }
  const keyPair = { privateKey, publicKey: encryptionKeyOf(node) };
  const pathSecret = await decryptWithLabel(draft.suite, keyPair, "UpdatePathNode", provisionalContext, ciphertext);
  const indices = path.slice(level).map((item) => item.node);
  const secrets = await derivePathSecrets(draft.suite, pathSecret, indices);
  secrets.nodes.forEach(({ keyPair: derived }, offset) => {
    const stated = nodes[level + offset]?.encryptionKey;
    if (stated === undefined || !equalBytes(stated, derived.publicKey)) {
      throw new ValidationError("path-keys", "a public key of the update path does not belong to its path secret");
    }
  });
  return secrets;
}

/** Position in the path of the lowest node that is above both leaves: whose secret a Welcome hands over. */
export function pathSecretFor(secrets: PathSecrets, committer: LeafIndex, added: LeafIndex): Uint8Array | undefined {
  const ancestor = commonAncestor(committer, added);
  return secrets.nodes.find(({ index }) => isInSubtree(ancestor, index))?.pathSecret;
}
