import type { ContentCodec } from "./codec.ts";

/**
 * A join receipt, without content: a joiner that can read it knows that members follow. As XMTP's own silent types it
 * has no fallback, so that programs that do not know it show nothing.
 */
export const joinReceiptCodec: ContentCodec<undefined> = {
  type: "latchkey.link/joinReceipt:1.0",
  isShown: false,
  encode: () => ({ body: new Uint8Array(0) }),
  decode: () => undefined,
  fallback: () => undefined,
  shouldPush: () => false,
};
