import { encode, fromHex, Reader, toHex } from "@latchkey/mls";
import { readContent } from "@latchkey/xmtp";
import type { MessageRecord } from "../store/records.ts";
import { CLIENT_LIMITS } from "../limits.ts";

const HASH_BYTES = 32;

/** A message as one device brings it to another, and when it is to disappear (0 for never). */
export interface BroughtMessage {
  readonly message: Omit<MessageRecord, "broughtBy">;
  readonly expiresAtNs: bigint;
}

/** Bytes of one message of the history. */
export function encodeBrought({ message, expiresAtNs }: BroughtMessage): Uint8Array {
  return encode(message, (writer) => {
    writer.opaque(message.groupId);
    writer.u64(message.id);
    writer.bytes(fromHex(message.messageId));
    writer.bytes(fromHex(message.senderInboxId));
    writer.bytes(fromHex(message.senderInstallationId));
    writer.u64(message.sentAtNs);
    writer.u64(expiresAtNs);
    writer.opaque(message.content);
  });
}

/**
 * Messages of a part, as far as they can be read: text and type are those of the content, whatever the other device makes of
 * it. A message that is malformed ends the part.
 */
export function decodeHistory(bytes: Uint8Array): BroughtMessage[] {
  const found: BroughtMessage[] = [];
  const reader = new Reader(bytes);
  try {
    while (reader.remaining > 0) found.push(decodeBrought(reader));
  } catch {
    // A device of one's own that is broken or hostile brings less, and stops nothing.
  }
  return found;
}

/** Positions of logs and times are below 2^63. */
function readInt64(reader: Reader): bigint {
  const value = reader.u64();
  if (value >= 1n << 63n) throw new RangeError("a number of 63 bits was expected");
  return value;
}

function decodeBrought(reader: Reader): BroughtMessage {
  const groupId = reader.opaque(CLIENT_LIMITS.maxGroupIdBytes).slice();
  const id = readInt64(reader);
  const [messageId, senderInboxId, senderInstallationId] = [HASH_BYTES, HASH_BYTES, HASH_BYTES].map((length) =>
    toHex(reader.bytes(length)),
  ) as [string, string, string];
  const [sentAtNs, expiresAtNs] = [readInt64(reader), readInt64(reader)];
  const { content, contentType, text, fallback } = readContent(reader.opaque().slice());
  const sender = { senderInboxId, senderInstallationId };
  const message = { groupId, id, messageId, ...sender, sentAtNs, contentType, text: text ?? fallback, content };
  return { message, expiresAtNs };
}
