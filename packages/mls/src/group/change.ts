import { decodeExact } from "../codec/reader.ts";
import { encode } from "../codec/writer.ts";
import { utf8 } from "../bytes.ts";

/**
 * Rows of one group to write in one transaction; null deletes. Keys are opaque to the store, which keeps them as
 * (group, key, value).
 */
export type Rows = ReadonlyMap<string, Uint8Array | null>;

/**
 * The result of an operation on a group, not yet part of it: write `rows` durably, then `MlsGroup.merge` the change.
 * Dropping it leaves the group as it was.
 */
export interface GroupChange {
  readonly rows: Rows;
  /** Epoch of the group after the merge. */
  readonly epoch: bigint;
}

/** Storage form of rows, for a commit that waits to be read back. */
export function encodeRows(rows: Rows): Uint8Array {
  return encode(rows, (writer) =>
    writer.vector(rows, (inner, [key, value]) => {
      inner.opaque(utf8(key));
      inner.optional(value ?? undefined, (item, bytes) => item.opaque(bytes));
    }),
  );
}

/** Reads what `encodeRows` wrote; throws DecodeError. */
export function decodeRows(bytes: Uint8Array): Map<string, Uint8Array | null> {
  const decoder = new TextDecoder();
  return new Map(
    decodeExact(bytes, (reader) =>
      reader.vector((inner): [string, Uint8Array | null] => [
        decoder.decode(inner.opaque()),
        inner.optional((item) => item.opaque()) ?? null,
      ]),
    ),
  );
}
