import type { ContentCodec } from "./codec.ts";

/** A statement that everything before it was read (`xmtp.org/readReceipt:1.0`); its time is that of the message. */
export const readReceiptCodec: ContentCodec<undefined> = {
  type: "xmtp.org/readReceipt:1.0",
  isShown: true,
  encode: () => ({ body: new Uint8Array(0) }),
  decode: () => undefined,
  fallback: () => undefined,
  shouldPush: () => false,
};
