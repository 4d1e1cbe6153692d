import { requireBytes } from "@latchkey/mls";
import { decodeWith, encodeContent as encodeWithCodec, type ContentCodec } from "@latchkey/xmtp";
import { requireCodec } from "./arguments.ts";

/**
 * Reads `content` of a message by a codec; undefined for content of another type or major version, and for compressed
 * content.
 *
 * @throws ARGUMENT_INVALID; DECODE for content that is malformed; what the codec throws.
 */
export function decodeContent<T>(codec: ContentCodec<T>, content: Uint8Array): { readonly value: T } | undefined {
  return decodeWith(requireCodec(codec, "codec"), requireBytes()(content, "content"));
}

/** Serialized EncodedContent of a value, for content that carries other content. Throws ARGUMENT_INVALID and as the codec. */
export function encodeContent<T>(codec: ContentCodec<T>, value: T): Uint8Array {
  return encodeWithCodec(requireCodec(codec, "codec"), value);
}
