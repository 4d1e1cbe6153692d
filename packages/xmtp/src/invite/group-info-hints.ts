import { encode, findExtension, Reader, type Extension } from "@latchkey/mls";
import { XMTP_LIMITS } from "../limits.ts";
import { LOG_CURSOR_HINT } from "../protocol.ts";

/**
 * Hints of a member for those who join by its GroupInfo, beyond the standards: extensions for private use. Other
 * implementations ignore them (RFC 9420 §12.4.3.1). The member's signature and the blob's AEAD cover them.
 */
export interface GroupInfoHints {
  /**
   * Id of an envelope of the group's log: the member has dealt with all of the log up to it, and the group was in this
   * epoch then. No commit before it ends this epoch, whatever it claims. Undefined when it was not said.
   */
  readonly logCursor: bigint | undefined;
}

const U64_BYTES = 8;

/** The extensions for a GroupInfo. */
export function encodeGroupInfoHints({ logCursor }: GroupInfoHints): Extension[] {
  if (logCursor === undefined || logCursor <= 0n) return [];
  return [{ type: LOG_CURSOR_HINT, data: encode(logCursor, (writer, id) => writer.u64(id)) }];
}

/** Reads the extensions of a GroupInfo; hints that make no sense are no hints. */
export function readGroupInfoHints(extensions: readonly Extension[]): GroupInfoHints {
  const data = findExtension(extensions, LOG_CURSOR_HINT);
  const logCursor = data?.length === U64_BYTES ? new Reader(data).u64() : 0n;
  const isId = logCursor > 0n && logCursor <= XMTP_LIMITS.maxInt64;
  return { logCursor: isId ? logCursor : undefined };
}
