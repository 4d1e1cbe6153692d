import { DecodeError, decodeExact, encode } from "@latchkey/mls";
import { CommitRejectedError } from "../errors.ts";
import type { KeyCodec } from "./keys.ts";
import { decodeEntries, encodeEntries, hasKey, mapEntry, sortedEntries, type MapEntry } from "./map-entries.ts";

/** A map component: values are opaque bytes. */
export type TlsMap<K extends string | number> = ReadonlyMap<K, Uint8Array>;

/** One step of a TlsMapDelta. */
export type MapMutation<K extends string | number> =
  | { readonly op: "insert" | "update"; readonly key: K; readonly value: Uint8Array }
  | { readonly op: "delete"; readonly key: K };

const TAG = { insert: 0, update: 1, delete: 2 } as const;

/** Entries in strictly ascending order of key, as the dictionary stores them. */
export function encodeTlsMap<K extends string | number>(codec: KeyCodec<K>, map: TlsMap<K>): Uint8Array {
  const entries = [...map].map(([key, value]) => mapEntry(codec, key, value));
  return encodeEntries(codec, sortedEntries(entries));
}

/** Reads a map; an absent component is the empty map. Throws DecodeError, also for keys out of order. */
export function decodeTlsMap<K extends string | number>(
  codec: KeyCodec<K>,
  bytes: Uint8Array | undefined,
): Map<K, Uint8Array> {
  return new Map(decodeEntries(codec, bytes).map(({ key, value }) => [key, value]));
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
 * The component after the mutations, in their order, all or none: entries that they do not name are copied as they are.
 * Throws CommitRejectedError `KeyExists` (insert of a present key) or `KeyNotFound` (update or delete of an absent one), and
 * DecodeError for a component that is malformed.
 */
export function applyMapDelta<K extends string | number>(
  codec: KeyCodec<K>,
  component: Uint8Array | undefined,
  mutations: readonly MapMutation<K>[],
): Uint8Array {
  const before = decodeEntries(codec, component);
  const changed = new Map<K, MapEntry<K> | undefined>();
  for (const mutation of mutations) {
    const { key } = mutation;
    const present = changed.has(key) ? changed.get(key) !== undefined : hasKey(before, key);
    if (mutation.op === "insert" && present) throw new CommitRejectedError("KeyExists", "a map already holds the key");
    if (mutation.op !== "insert" && !present) {
      throw new CommitRejectedError("KeyNotFound", `a map does not hold the key to ${mutation.op}`);
    }
    changed.set(key, mutation.op === "delete" ? undefined : mapEntry(codec, key, mutation.value));
  }
  const kept = before.filter(({ key }) => !changed.has(key));
  const written = [...changed.values()].filter((entry) => entry !== undefined);
  return encodeEntries(codec, sortedEntries([...kept, ...written]));
}
