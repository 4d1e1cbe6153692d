import { DecodeError, bytesKey, decodeExact, encode } from "@latchkey/mls";
import { sha256 } from "@noble/hashes/sha2.js";
import { CommitRejectedError } from "../errors.ts";
import type { KeyCodec } from "./keys.ts";

/** One step of a TlsSetDelta; `removeByHash` names a key by the SHA-256 of its encoding. */
export type SetMutation<K extends string | number> =
  { readonly op: "insert" | "remove"; readonly key: K } | { readonly op: "removeByHash"; readonly hash: Uint8Array };

const TAG = { insert: 0, remove: 1, removeByHash: 2 } as const;

/** Keys in strictly ascending order, as the dictionary stores them. */
export function encodeTlsSet<K extends string | number>(codec: KeyCodec<K>, set: ReadonlySet<K>): Uint8Array {
  const keys = [...set].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  return encode(keys, (writer) => writer.vector(keys, (inner, key) => codec.write(inner, key)));
}

/** Reads a set; an absent component is the empty set. Throws DecodeError, also for keys out of order. */
export function decodeTlsSet<K extends string | number>(codec: KeyCodec<K>, bytes: Uint8Array | undefined): Set<K> {
  if (bytes === undefined) return new Set();
  const keys = decodeExact(bytes, (reader) => reader.vector((inner) => codec.read(inner)));
  keys.forEach((key, index) => {
    const previous = keys[index - 1];
    if (previous !== undefined && previous >= key) throw new DecodeError("a set's keys are not strictly ascending");
  });
  return new Set(keys);
}

/** The change that an AppDataUpdate of a set component carries; mutations keep their order. */
export function encodeSetDelta<K extends string | number>(
  codec: KeyCodec<K>,
  mutations: readonly SetMutation<K>[],
): Uint8Array {
  return encode(mutations, (writer) =>
    writer.vector(mutations, (inner, mutation) => {
      inner.u8(TAG[mutation.op]);
      if (mutation.op === "removeByHash") inner.bytes(mutation.hash);
      else codec.write(inner, mutation.key);
    }),
  );
}

/** Throws DecodeError, also for an unknown tag and trailing bytes. */
export function decodeSetDelta<K extends string | number>(codec: KeyCodec<K>, bytes: Uint8Array): SetMutation<K>[] {
  return decodeExact(bytes, (reader) =>
    reader.vector((inner): SetMutation<K> => {
      const tag = inner.u8();
      if (tag === TAG.insert) return { op: "insert", key: codec.read(inner) };
      if (tag === TAG.remove) return { op: "remove", key: codec.read(inner) };
      if (tag === TAG.removeByHash) return { op: "removeByHash", hash: inner.bytes(32) };
      throw new DecodeError(`set mutation ${tag} is unknown`);
    }),
  );
}

/**
 * The set after the mutations, in their order, all or none. Hashes are looked up in the set as it was before. Throws
 * CommitRejectedError `KeyExists`, `KeyNotFound` or `DuplicateHash`.
 */
export function applySetDelta<K extends string | number>(
  codec: KeyCodec<K>,
  set: ReadonlySet<K>,
  mutations: readonly SetMutation<K>[],
): Set<K> {
  const hashes = mutations.flatMap((mutation) => (mutation.op === "removeByHash" ? [bytesKey(mutation.hash)] : []));
  if (new Set(hashes).size !== hashes.length) {
    throw new CommitRejectedError("DuplicateHash", "a set delta removes the same hash twice");
  }
  const byHash = new Map<string, K>();
  if (hashes.length > 0) {
    for (const key of set)
      byHash.set(bytesKey(sha256(encode(key, (writer, value) => codec.write(writer, value)))), key);
  }
  const next = new Set(set);
  for (const mutation of mutations) {
    const key = mutation.op === "removeByHash" ? byHash.get(bytesKey(mutation.hash)) : mutation.key;
    if (mutation.op === "insert") {
      if (next.has(mutation.key)) throw new CommitRejectedError("KeyExists", "a set already holds the key");
      next.add(mutation.key);
    } else if (key === undefined || !next.delete(key)) {
      throw new CommitRejectedError("KeyNotFound", "a set does not hold the key to remove");
    }
  }
  return next;
}
