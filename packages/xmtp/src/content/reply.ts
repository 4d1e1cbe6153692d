import { DecodeError } from "@latchkey/mls";
import type { ContentCodec } from "./codec.ts";

/** An answer to an earlier message. */
export interface Reply {
  /** Id of that message, in hex. */
  readonly reference: string;
  /** Inbox of its sender, where the author of the reply stated it. */
  readonly referenceInboxId?: string;
  /** Type of the answer itself, as in `xmtp.org/text:1.0`. */
  readonly contentType: string;
  /** The answer itself: serialized EncodedContent, as `encodeContent` gives it. */
  readonly content: Uint8Array;
}

/** A reply (content type `xmtp.org/reply:1.0`): the answer is content of its own type. */
export const replyCodec: ContentCodec<Reply> = {
  type: "xmtp.org/reply:1.0",
  isShown: true,
  encode: ({ reference, referenceInboxId, contentType, content }) => ({
    body: content,
    parameters: {
      contentType,
      reference,
      ...(referenceInboxId !== undefined && { referenceInboxId }),
    },
  }),
  decode: ({ body, parameters = {} }) => {
    const { reference, contentType, referenceInboxId } = parameters;
    if (reference === undefined || contentType === undefined) {
      throw new DecodeError("a reply names the message that it answers and the type of the answer");
    }
    return { reference, contentType, content: body, ...(referenceInboxId !== undefined && { referenceInboxId }) };
  },
  fallback: () => "Replied to an earlier message",
  shouldPush: () => true,
};
