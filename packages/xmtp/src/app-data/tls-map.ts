import { DecodeError, decodeExact, encode } from "@latchkey/mls";
import { CommitRejectedError } from "../errors.ts";
import type { KeyCodec } from "./keys.ts";

/** A map component: values are opaque bytes. */
export type TlsMap<K extends string | number> = ReadonlyMap<K, Uint8Array>;

/** One step of a TlsMapDelta. */
export type MapMutation<K extends string | number> =
  | { readonly op: "insert" | "update"; readonly key: K; readonly value: Uint8Array }
  | { readonly op: "delete"; readonly key: K };

const TAG = { insert: 0, update: 1, delete: 2 } as const;

/** Entries in strictly ascending order of key, as the dictionary stores them. */
export function encodeTlsMap<K extends string | number>(codec: KeyCodec<K>, map: TlsMap<K>): Uint8Array {
  const entries = [...map].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return encode(entries, (writer) =>
    writer.vector(entries, (inner, [key, value]) => {
      codec.write(inner, key);
      inner.opaque(value);
    }),
  );
}

/** Reads a map; an absent component is the empty map. Throws DecodeError, also for keys out of order. */
export function decodeTlsMap<K extends string | number>(
  codec: KeyCodec<K>,
  bytes: Uint8Array | undefined,
): Map<K, Uint8Array> {
  if (bytes === undefined) return new Map();
  const entries = decodeExact(bytes, (reader) =>
    reader.vector((inner): [K, Uint8Array] => [codec.read(inner), inner.opaque()]),
  );
  entries.forEach(([key], index) => {
    const previous = entries[index - 1];
    if (previous !== undefined && previous[0] >= key) throw new DecodeError("a map's keys are not strictly ascending");
  });
  return new Map(entries);
}

/** The change that an AppDataUpdate of a map component carries; mutations keep their order. */
export function encodeMapDelta<K extends string | number>(
  codec: KeyCodec<K>,
  mutations: readonly MapMutation<K>[],
): Uint8Array {
  return encode(mutations, (writer) =>
    writer.vector(mutations, (inner, mutation) => {
      inner.u8(TAG[mutation.op]);
      codec.write(inner, mutation.key);
      if (mutation.op !== "delete") inner.opaque(mutation.value);
    }),
  );
}

/** Throws DecodeError, also for an unknown tag and trailing bytes. */
export function decodeMapDelta<K extends string | number>(codec: KeyCodec<K>, bytes: Uint8Array): MapMutation<K>[] {
  return decodeExact(bytes, (reader) =>
    reader.vector((inner): MapMutation<K> => {
      const tag = inner.u8();
      const key = codec.read(inner);
      if (tag === TAG.insert) return { op: "insert", key, value: inner.opaque() };
      if (tag === TAG.update) return { op: "update", key, value: inner.opaque() };
      if (tag === TAG.delete) return { op: "delete", key };
      throw new DecodeError(`map mutation ${tag} is unknown`);
    }),
  );
}

/**
 * The map after the mutations, in their order, all or none. Throws CommitRejectedError `KeyExists` (insert of a present
 * key) or `KeyNotFound` (update or delete of an absent one).
 */
export function applyMapDelta<K extends string | number>(
  map: TlsMap<K>,
  mutations: readonly MapMutation<K>[],
): Map<K, Uint8Array> {
  const next = new Map(map);
  for (const mutation of mutations) {
    const present = next.has(mutation.key);
    if (mutation.op === "insert" && present) throw new CommitRejectedError("KeyExists", "a map already holds the key");
    if (mutation.op !== "insert" && !present) {
      throw new CommitRejectedError("KeyNotFound", `a map does not hold the key to ${mutation.op}`);
    }
    if (mutation.op === "delete") next.delete(mutation.key);
    else next.set(mutation.key, mutation.value);
  }
  return next;
}
