import { DecodeError, decodeUtf8, requireText, utf8 } from "@latchkey/mls";
import type { ContentCodec } from "./codec.ts";

/** Plain text (content type `xmtp.org/text:1.0`). */
export const textCodec: ContentCodec<string> = {
  type: "xmtp.org/text:1.0",
  isShown: true,
  encode: (text) => ({ body: utf8(requireText(text, "value")), parameters: { encoding: "UTF-8" } }),
  decode: ({ body }) => {
    try {
      return decodeUtf8(body);
    } catch (cause) {
      throw new DecodeError("a text message is not UTF-8", { cause });
    }
  },
  fallback: () => undefined,
  shouldPush: () => true,
};
