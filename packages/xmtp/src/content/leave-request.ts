import type { ContentCodec } from "./codec.ts";

/** A member's request to be removed from the group (`xmtp.org/leave_request:1.0`); a super admin's client removes it. */
export const leaveRequestCodec: ContentCodec<undefined> = {
  type: "xmtp.org/leave_request:1.0",
  isShown: true,
  encode: () => ({ body: new Uint8Array(0) }),
  decode: () => undefined,
  fallback: () => undefined,
  shouldPush: () => true,
};
