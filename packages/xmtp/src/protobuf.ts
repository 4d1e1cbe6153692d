import { fromBinary, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import { DecodeError } from "@latchkey/mls";

/** Decodes a protobuf message; throws DecodeError instead of the library's own errors. */
export function decodeProto<D extends DescMessage>(schema: D, bytes: Uint8Array): MessageShape<D> {
  try {
    return fromBinary(schema, bytes);
  } catch (cause) {
    throw new DecodeError(`the bytes are not a protobuf message ${schema.name}`, { cause });
  }
}

/** As `decodeProto`, with undefined for bytes that are not such a message. */
export function tryDecodeProto<D extends DescMessage>(schema: D, bytes: Uint8Array): MessageShape<D> | undefined {
  try {
    return fromBinary(schema, bytes);
  } catch {
    return undefined;
  }
}
