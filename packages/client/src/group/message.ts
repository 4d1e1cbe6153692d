import { toHex, type LeafNode } from "@latchkey/mls";
import { decodeMessageContent, decodeMlsCredential } from "@latchkey/xmtp";
import type { MessageSender } from "../identity/identity-context.ts";
import type { ClientContext } from "./client-context.ts";
import type { MessageRecord } from "../store/records.ts";
import type { Envelope } from "../transport/transport.ts";

/** Bytes of what makes two messages of the same content differ. */
const IDEMPOTENCY_KEY_BYTES = 16;

/** What makes a message differ from another one of the same content. */
export function newIdempotencyKey({ crypto }: Pick<ClientContext, "crypto">): string {
  return toHex(crypto.randomBytes(IDEMPOTENCY_KEY_BYTES));
}

/** The sender that a leaf names; throws DecodeError when its credential is none of XMTP's. */
export function senderOf(leaf: LeafNode): MessageSender {
  return { inboxId: decodeMlsCredential(leaf.credential), installationId: toHex(leaf.signatureKey) };
}

/** A message as it stands in the log; throws DecodeError when its plaintext is malformed. */
export function messageRecord(
  { groupId, mls }: { readonly groupId: Uint8Array; readonly mls: { readonly groupId: Uint8Array } },
  envelope: Envelope,
  sender: MessageSender,
  plaintext: Uint8Array,
): MessageRecord {
  const { messageId, contentType, text, fallback, content } = decodeMessageContent(mls.groupId, plaintext);
  return {
    groupId,
    id: envelope.id,
    messageId: toHex(messageId),
    senderInboxId: sender.inboxId,
    senderInstallationId: sender.installationId,
    sentAtNs: envelope.createdNs,
    contentType,
    text: text ?? fallback,
    content,
    broughtBy: undefined,
  };
}
