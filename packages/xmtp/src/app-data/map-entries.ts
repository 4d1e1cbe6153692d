import { DecodeError, decodeExact, encode } from "@latchkey/mls";
import type { KeyCodec } from "./keys.ts";

/** One entry of a map component, as it stands in the component's value. */
export interface MapEntry<K extends string | number> {
  readonly key: K;
  readonly value: Uint8Array;
  /** Key and value in their encoding. */
  readonly bytes: Uint8Array;
}

/** Entries in strictly ascending order of key. */
export type MapEntries<K extends string | number> = readonly MapEntry<K>[];

/**
 * Entries by the very bytes of the component that they were read from or written to. An entry that a delta leaves alone
 * is the same before and after. In a group of thousands a commit therefore decodes its own entries and nothing else.
 */
const known = new WeakMap<Uint8Array, { readonly codec: KeyCodec<string | number>; readonly entries: unknown }>();

/** Reads a component's entries; an absent component has none. Throws DecodeError, also for keys out of order. */
export function decodeEntries<K extends string | number>(
  codec: KeyCodec<K>,
  bytes: Uint8Array | undefined,
): MapEntries<K> {
  if (bytes === undefined) return [];
  const read = known.get(bytes);
  if (read?.codec === codec) return read.entries as MapEntries<K>;
  const entries = decodeExact(bytes, (reader) =>
    reader.vector((inner): MapEntry<K> => {
      const start = inner.offset;
      const [key, value] = [codec.read(inner), inner.opaque()];
      return { key, value, bytes: inner.since(start) };
    }),
  );
  entries.forEach(({ key }, index) => {
    const previous = entries[index - 1];
    if (previous !== undefined && previous.key >= key) throw new DecodeError("a map's keys are not strictly ascending");
  });
  known.set(bytes, { codec, entries });
  return entries;
}

/** An entry of its own; throws DecodeError for a key that the codec does not write. */
export function mapEntry<K extends string | number>(codec: KeyCodec<K>, key: K, value: Uint8Array): MapEntry<K> {
  const bytes = encode(value, (writer) => {
    codec.write(writer, key);
    writer.opaque(value);
  });
  // The value as it was given may be a part of a message, and would keep all of it in memory.
  return { key, value: bytes.subarray(bytes.length - value.length), bytes };
}

/** A component's value with these entries. */
export function encodeEntries<K extends string | number>(codec: KeyCodec<K>, entries: MapEntries<K>): Uint8Array {
  const bytes = encode(entries, (writer) => writer.vector(entries, (inner, entry) => inner.bytes(entry.bytes)));
  known.set(bytes, { codec, entries });
  return bytes;
}

/** Puts entries into the order of a component. */
export function sortedEntries<K extends string | number>(entries: Iterable<MapEntry<K>>): MapEntries<K> {
  return [...entries].sort(({ key: a }, { key: b }) => (a < b ? -1 : a > b ? 1 : 0));
}

/** Whether one of the entries has the key, O(log n). */
export function hasKey<K extends string | number>(entries: MapEntries<K>, key: K): boolean {
  let [low, high] = [0, entries.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    const found = entries[middle];
    if (found !== undefined && found.key < key) low = middle + 1;
    else high = middle;
  }
  return entries[low]?.key === key;
}
