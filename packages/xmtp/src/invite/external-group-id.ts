import { XMTP_LIMITS } from "../limits.ts";

/** True for an id of a length that XIP-82 allows and this build stores. */
export function isExternalGroupId(id: Uint8Array): boolean {
  return id.length >= XMTP_LIMITS.minExternalGroupIdBytes && id.length <= XMTP_LIMITS.maxExternalGroupIdBytes;
}
