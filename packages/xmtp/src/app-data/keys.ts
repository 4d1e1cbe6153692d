import { DecodeError, fromHex, toHex, type Reader, type Writer } from "@latchkey/mls";
import { isInboxId } from "../identity/identifier.ts";

/** How a container's keys are written and ordered. */
export interface KeyCodec<K extends string | number> {
  write(writer: Writer, key: K): void;
  /** Throws DecodeError. */
  read(reader: Reader): K;
}

const INBOX_ID_VERSION = 0;

/** InboxId: a version byte 0 and 32 bytes; in memory 64 lower-case hex digits, which order the same way. */
export const INBOX_ID_KEY: KeyCodec<string> = {
  write(writer, inboxId) {
    if (!isInboxId(inboxId)) throw new DecodeError("an inbox id must be 64 lower-case hex digits");
    writer.u8(INBOX_ID_VERSION);
    writer.bytes(fromHex(inboxId));
  },
  read(reader) {
    const version = reader.u8();
    if (version !== INBOX_ID_VERSION) throw new DecodeError(`inbox id version ${version} is unknown`);
    return toHex(reader.bytes(32));
  },
};

/** ComponentId as a key: a varint, 4 bytes for every id of XMTP (in the dictionary itself it is a plain u16). */
export const COMPONENT_ID_KEY: KeyCodec<number> = {
  write: (writer, componentId) => writer.varint(componentId),
  read(reader) {
    const componentId = reader.varint();
    if (componentId > 0xffff) throw new DecodeError(`component id ${componentId} is above 65535`);
    return componentId;
  },
};

/** Any bytes as a key; in memory their hex, which orders the same way. */
export const BYTES_KEY: KeyCodec<string> = {
  write: (writer, key) => writer.opaque(fromHex(key)),
  read: (reader) => toHex(reader.opaque()),
};
