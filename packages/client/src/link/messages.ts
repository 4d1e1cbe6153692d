import { encode, fromHex, Reader, toHex } from "@latchkey/mls";
import { END_REASONS, notAsAgreed, type EndReason } from "./link-errors.ts";

/** Who signs the addition: a wallet of the inbox, or the old installation, by way of a new address of the new device. */
export type LinkForm = "wallet" | "new-address";
const FORMS: readonly LinkForm[] = ["wallet", "new-address"];

const HASH_BYTES = 32;
const ADDRESS_BYTES = 20;
const ED25519_SIGNATURE_BYTES = 64;
const WALLET_SIGNATURE_BYTES = 65;

/** Old to new: what to sign. */
export interface Offer {
  readonly kind: "offer";
  readonly inboxId: string;
  readonly form: LinkForm;
  /** Stands in the text that is signed. */
  readonly timestampNs: bigint;
  /** The old device publishes nothing after this time of the node. */
  readonly deadlineNs: bigint;
}

/** New to old: its key, and its signatures over the text. */
export interface Answer {
  readonly kind: "answer";
  /** 32 bytes. */
  readonly installationKey: Uint8Array;
  /** 64 bytes. */
  readonly installationSignature: Uint8Array;
  /** Address and signature (65 bytes) of the new device's own wallet, in the form `new-address`. */
  readonly wallet: { readonly address: string; readonly signature: Uint8Array } | undefined;
}

/** Old to new: the new device is in `added` of `total` groups. */
export interface Added {
  readonly kind: "added";
  /** Of the old device, 32 bytes. */
  readonly installationKey: Uint8Array;
  readonly added: number;
  readonly total: number;
}

/** New to old: it has opened its groups, and takes what was written before. */
export interface Ready {
  readonly kind: "ready";
}

/** Old to new: messages, as `encodeHistory` writes them; an empty part is the last one. */
export interface Part {
  readonly kind: "part";
  readonly messages: Uint8Array;
}

/** New to old: one more part is on its disk. */
export interface Acknowledgement {
  readonly kind: "ack";
}

/** Either way: the link ends here. */
export interface Ended {
  readonly kind: "ended";
  readonly reason: EndReason;
}

export type LinkMessage = Offer | Answer | Added | Ready | Part | Acknowledgement | Ended;

const KINDS: readonly LinkMessage["kind"][] = ["offer", "answer", "added", "ended", "ready", "part", "ack"];

/** The bytes of a message, before they are sealed. */
export function encodeLinkMessage(message: LinkMessage): Uint8Array {
  return encode(message, (writer) => {
    writer.u8(KINDS.indexOf(message.kind));
    switch (message.kind) {
      case "offer":
        writer.bytes(fromHex(message.inboxId));
        writer.u8(FORMS.indexOf(message.form));
        writer.u64(message.timestampNs);
        writer.u64(message.deadlineNs);
        break;
      case "answer":
        writer.bytes(message.installationKey);
        writer.bytes(message.installationSignature);
        writer.u8(message.wallet === undefined ? 0 : 1);
        if (message.wallet !== undefined) {
          writer.bytes(fromHex(message.wallet.address.slice(2)));
          writer.bytes(message.wallet.signature);
        }
        break;
      case "added":
        writer.bytes(message.installationKey);
        writer.u32(message.added);
        writer.u32(message.total);
        break;
      case "ended":
        writer.u8(END_REASONS.indexOf(message.reason));
        break;
      case "part":
        writer.bytes(message.messages);
        break;
      case "ready":
      case "ack":
        break;
    }
  });
}

/** Reads a message. Throws LINK_FAILED for bytes that are none: the other device is of another version, or hostile. */
export function decodeLinkMessage(bytes: Uint8Array): LinkMessage {
  let message: LinkMessage | undefined;
  try {
    const reader = new Reader(bytes);
    message = decode(reader);
    reader.finish();
  } catch (error) {
    throw notAsAgreed(error);
  }
  if (message === undefined) throw notAsAgreed();
  return message;
}

function decode(reader: Reader): LinkMessage | undefined {
  const kind = KINDS[reader.u8()];
  switch (kind) {
    case "offer": {
      const inboxId = toHex(reader.bytes(HASH_BYTES));
      const form = FORMS[reader.u8()];
      const [timestampNs, deadlineNs] = [reader.u64(), reader.u64()];
      return form === undefined ? undefined : { kind, inboxId, form, timestampNs, deadlineNs };
    }
    case "answer": {
      const installationKey = reader.bytes(HASH_BYTES).slice();
      const installationSignature = reader.bytes(ED25519_SIGNATURE_BYTES).slice();
      return { kind, installationKey, installationSignature, wallet: reader.u8() === 0 ? undefined : walletOf(reader) };
    }
    case "added":
      return { kind, installationKey: reader.bytes(HASH_BYTES).slice(), added: reader.u32(), total: reader.u32() };
    case "ended": {
      const reason = END_REASONS[reader.u8()];
      return reason === undefined ? undefined : { kind, reason };
    }
    case "part":
      return { kind, messages: reader.bytes(reader.remaining).slice() };
    case "ready":
    case "ack":
      return { kind };
    case undefined:
      return undefined;
  }
}

function walletOf(reader: Reader): NonNullable<Answer["wallet"]> {
  const address = `0x${toHex(reader.bytes(ADDRESS_BYTES))}`;
  return { address, signature: reader.bytes(WALLET_SIGNATURE_BYTES).slice() };
}
