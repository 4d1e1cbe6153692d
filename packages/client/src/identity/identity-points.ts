import { decodeExact, decodeUtf8, encode, utf8 } from "@latchkey/mls";
import type { IdentityPoint } from "@latchkey/xmtp";

/** Storage form of points of identity logs. */
export function encodeIdentityPoints(points: readonly IdentityPoint[]): Uint8Array {
  return encode(points, (writer) =>
    writer.vector(points, (each, { inboxId, sequenceId }) => {
      each.opaque(utf8(inboxId));
      each.u64(sequenceId);
    }),
  );
}

/** Reads what `encodeIdentityPoints` wrote, nothing from no bytes; throws DecodeError. */
export function decodeIdentityPoints(bytes: Uint8Array): IdentityPoint[] {
  if (bytes.length === 0) return [];
  return decodeExact(bytes, (reader) =>
    reader.vector((each) => ({ inboxId: decodeUtf8(each.opaque()), sequenceId: each.u64() })),
  );
}
