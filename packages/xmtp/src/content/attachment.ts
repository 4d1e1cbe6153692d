import { DecodeError, optional, requireBytes, requireFields, requireText } from "@latchkey/mls";
import type { ContentCodec } from "./codec.ts";

/** A small file. */
export interface Attachment {
  /** As its sender states it; never a path to write to without a check. */
  readonly filename?: string;
  /** Media type, as its sender states it. */
  readonly mimeType: string;
  readonly content: Uint8Array;
}

/** Checks a value that an application gives as an attachment; throws ARGUMENT_INVALID. */
export const requireAttachment = requireFields<Attachment>({
  filename: optional(requireText),
  mimeType: requireText,
  content: requireBytes(),
});

/** A file within a message (content type `xmtp.org/attachment:1.0`). Files above 1 MB travel as remote attachments. */
export const attachmentCodec: ContentCodec<Attachment> = {
  type: "xmtp.org/attachment:1.0",
  isShown: true,
  encode: (value) => {
    const { filename, mimeType, content } = requireAttachment(value, "value");
    return { body: content, parameters: { mimeType, ...(filename !== undefined && { filename }) } };
  },
  decode: ({ body, parameters = {} }) => {
    const { filename, mimeType } = parameters;
    if (mimeType === undefined) throw new DecodeError("an attachment does not name its media type");
    return { mimeType, content: body, ...(filename !== undefined && { filename }) };
  },
  fallback: ({ filename = "this content" }) => `Can't display ${filename}. This app doesn't support attachments.`,
  shouldPush: () => true,
};
