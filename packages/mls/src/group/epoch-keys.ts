import { decodeExact } from "../codec/reader.ts";
import { encode } from "../codec/writer.ts";
import type { CipherSuite } from "../crypto/provider.ts";
import { DecodeError } from "../errors.ts";
import { decodeLeafNode, encodeLeafNode, type LeafNode } from "../messages/leaf-node.ts";
import { decodeLeafRatchets, encodeLeafRatchets, type LeafRatchets } from "../schedule/ratchet.ts";
import { SecretTree, type SecretTreeChange } from "../schedule/secret-tree.ts";
import { asLeafIndex, type LeafIndex, type NodeIndex } from "../tree/math.ts";

/**
 * Keys that open the messages of one epoch, current or past.
 *
 * A past epoch keeps no copy of the tree: `replaced` holds the leaves that the commit ending the epoch changed, as they
 * were, so that a leaf is found by looking through the younger epochs and then into the tree.
 */
export interface EpochKeys {
  readonly number: bigint;
  readonly contextBytes: Uint8Array;
  readonly senderDataSecret: Uint8Array;
  /** For resumption PSKs (RFC 9420 §8.6). */
  readonly resumptionSecret: Uint8Array;
  readonly ownLeafIndex: LeafIndex;
  readonly secretTree: SecretTree;
  readonly replaced: ReadonlyMap<LeafIndex, LeafNode | undefined>;
}

const PREFIX = "e/";

function epochKey(epoch: bigint): string {
  return `${PREFIX}${epoch}`;
}

function encodeEpoch(epoch: EpochKeys): Uint8Array {
  return encode(epoch, (writer, value) => {
    writer.opaque(value.contextBytes);
    writer.opaque(value.senderDataSecret);
    writer.opaque(value.resumptionSecret);
    writer.u32(value.ownLeafIndex);
    writer.u32(value.secretTree.leafCount);
    writer.vector(value.replaced, (inner, [leafIndex, leaf]) => {
      inner.u32(leafIndex);
      inner.optional(leaf, encodeLeafNode);
    });
  });
}

/** Rows of a secret-tree change within an epoch. */
export function secretTreeRows(epoch: bigint, change: SecretTreeChange): Map<string, Uint8Array | null> {
  const rows = new Map<string, Uint8Array | null>();
  for (const [index, secret] of change.nodes) rows.set(`${epochKey(epoch)}/n/${index}`, secret);
  for (const [leaf, ratchets] of change.ratchets) {
    rows.set(`${epochKey(epoch)}/r/${leaf}`, encodeLeafRatchets(ratchets));
  }
  return rows;
}

/** The row of an epoch without its secret tree. */
export function epochRow(epoch: EpochKeys): Map<string, Uint8Array> {
  return new Map([[epochKey(epoch.number), encodeEpoch(epoch)]]);
}

/** All rows of an epoch. */
export function epochRows(epoch: EpochKeys): Map<string, Uint8Array | null> {
  return new Map([...epochRow(epoch), ...secretTreeRows(epoch.number, epoch.secretTree.entries())]);
}

/** The rows that delete an epoch with all its keys. */
export function epochDeletion(epoch: EpochKeys): Map<string, null> {
  return new Map([...epochRows(epoch).keys()].map((key) => [key, null]));
}

/** Reads all epochs from the rows of a group; throws DecodeError. */
export function decodeEpochs(
  suite: CipherSuite,
  rows: Iterable<readonly [string, Uint8Array]>,
): Map<bigint, EpochKeys> {
  const heads = new Map<bigint, Uint8Array>();
  const nodes = new Map<bigint, [NodeIndex, Uint8Array][]>();
  const ratchets = new Map<bigint, [LeafIndex, LeafRatchets][]>();
  for (const [key, value] of rows) {
    if (!key.startsWith(PREFIX)) continue;
    const [number = "", kind, index = ""] = key.slice(PREFIX.length).split("/");
    const epoch = BigInt(number);
    if (kind === undefined) heads.set(epoch, value);
    else if (kind === "n") append(nodes, epoch, [Number(index) as NodeIndex, value]);
    else if (kind === "r") append(ratchets, epoch, [asLeafIndex(Number(index)), decodeLeafRatchets(value)]);
    else throw new DecodeError(`row ${key} of a group is of an unknown kind`);
  }
  const epochs = new Map<bigint, EpochKeys>();
  for (const [number, bytes] of heads) {
    epochs.set(number, decodeEpoch(suite, number, bytes, nodes.get(number) ?? [], ratchets.get(number)));
  }
  return epochs;
}

function append<T>(map: Map<bigint, T[]>, key: bigint, value: T): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}

function decodeEpoch(
  suite: CipherSuite,
  number: bigint,
  bytes: Uint8Array,
  nodes: [NodeIndex, Uint8Array][],
  ratchets: [LeafIndex, LeafRatchets][] | undefined,
): EpochKeys {
  return decodeExact(bytes, (reader) => {
    const contextBytes = reader.opaque();
    const senderDataSecret = reader.opaque();
    const resumptionSecret = reader.opaque();
    const ownLeafIndex = asLeafIndex(reader.u32());
    const secretTree = new SecretTree(suite, reader.u32(), nodes, ratchets);
    const replaced = new Map(
      reader.vector((inner): [LeafIndex, LeafNode | undefined] => [
        asLeafIndex(inner.u32()),
        inner.optional(decodeLeafNode),
      ]),
    );
    return { number, contextBytes, senderDataSecret, resumptionSecret, ownLeafIndex, secretTree, replaced };
  });
}
