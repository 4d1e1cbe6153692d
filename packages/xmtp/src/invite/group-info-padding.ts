import type { Extension } from "@latchkey/mls";
import { XMTP_LIMITS } from "../limits.ts";
import { GROUP_INFO_PADDING } from "../protocol.ts";

/** Smallest size of a padded GroupInfo, in bytes: groups of about ten people. */
const LEAST_BYTES = 4096;
/** Room that a blob needs beside its GroupInfo. */
const BLOB_OVERHEAD_BYTES = 1024;
/** Times the padding is corrected: its own length, and those of the vectors around it, take more or less bytes. */
const MAX_CORRECTIONS = 4;

/** The size to which a GroupInfo is padded: a power of two, so that a blob tells no more than the size of the group's size. */
export function paddedBytes(bytes: number): number {
  const bucket = Math.max(LEAST_BYTES, 2 ** Math.ceil(Math.log2(bytes)));
  return Math.min(bucket, XMTP_LIMITS.maxBlobBytes - BLOB_OVERHEAD_BYTES);
}

/**
 * Pads a GroupInfo by an extension for private use, which every other implementation ignores (RFC 9420 §13.5), under the
 * member's signature and inside of the AEAD, where the service cannot tell it from the rest. `make` exports the GroupInfo
 * with extensions; it is called three times as a rule, five at most. Without room for padding the GroupInfo stays as it is.
 */
export async function padGroupInfo(make: (padding: readonly Extension[]) => Promise<Uint8Array>): Promise<Uint8Array> {
  let groupInfo = await make([]);
  const wanted = paddedBytes(groupInfo.length + 8);
  let length = wanted - groupInfo.length;
  for (let correction = 0; correction < MAX_CORRECTIONS && groupInfo.length !== wanted && length >= 0; correction++) {
    groupInfo = await make([{ type: GROUP_INFO_PADDING, data: new Uint8Array(length) }]);
    length += wanted - groupInfo.length;
  }
  return groupInfo;
}
