import { CryptoError, DecodeError, requireBytes, toHex } from "@latchkey/mls";
import { hkdf } from "@noble/hashes/hkdf.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { attachmentCodec, requireAttachment, type Attachment } from "./attachment.ts";
import { decodeWith, encodeContent } from "./message-content.ts";
import { requireAttachmentKeys, type AttachmentKeys } from "./remote-attachment.ts";

/** A file ready to be uploaded, with the keys for its readers. */
export interface EncryptedAttachment extends AttachmentKeys {
  /** The bytes to upload. */
  readonly payload: Uint8Array;
  /** Their length. */
  readonly contentLength: number;
  readonly filename?: string;
}

/** WebCrypto, which pages have that are served securely. */
function subtle(): SubtleCrypto {
  const { subtle: found } = crypto as Partial<Crypto>;
  if (found === undefined) {
    throw new CryptoError("attachments are encrypted by WebCrypto, which this page lacks; serve it over https");
  }
  return found;
}

/** HKDF-SHA-256 of the secret, with the salt and without info; AES-256-GCM (XIP-17). */
function fileKey({ secret, salt }: Pick<AttachmentKeys, "secret" | "salt">, use: "encrypt" | "decrypt") {
  const key = hkdf(sha256, secret, salt, undefined, 32);
  return subtle().importKey("raw", new Uint8Array(key), "AES-GCM", false, [use]);
}

/**
 * Encrypts a file with fresh keys (XIP-17). The application uploads `payload` to an https address of its choice and sends
 * the address with the rest by `remoteAttachmentCodec`. Holds the file in memory three times.
 *
 * @throws CRYPTO on a page without WebCrypto; ARGUMENT_INVALID for a value that is no attachment.
 */
export async function encryptAttachment(attachment: Attachment): Promise<EncryptedAttachment> {
  const file = requireAttachment(attachment, "attachment");
  const secret = crypto.getRandomValues(new Uint8Array(32));
  const salt = crypto.getRandomValues(new Uint8Array(32));
  const nonce = crypto.getRandomValues(new Uint8Array(12));
  const content = encodeContent(attachmentCodec, file);
  const key = await fileKey({ secret, salt }, "encrypt");
  const payload = new Uint8Array(await subtle().encrypt({ name: "AES-GCM", iv: nonce }, key, content.slice()));
  const { filename } = file;
  return {
    payload,
    contentLength: payload.length,
    contentDigest: toHex(sha256(payload)),
    secret,
    salt,
    nonce,
    ...(filename !== undefined && { filename }),
  };
}

/**
 * Opens the bytes at the address of a remote attachment (XIP-17).
 *
 * @throws CRYPTO for bytes other than those that were sent; DECODE for content that is no attachment; ARGUMENT_INVALID.
 */
export async function decryptAttachment(payload: Uint8Array, keys: AttachmentKeys): Promise<Attachment> {
  const sealed = requireBytes()(payload, "payload");
  const known = requireAttachmentKeys(keys, "keys");
  if (toHex(sha256(sealed)) !== known.contentDigest.toLowerCase()) {
    throw new CryptoError("the bytes of an attachment are not those that were sent: their digest differs");
  }
  const key = await fileKey(known, "decrypt");
  let content: ArrayBuffer;
  try {
    content = await subtle().decrypt({ name: "AES-GCM", iv: known.nonce.slice() }, key, sealed.slice());
  } catch (cause) {
    throw new CryptoError("an attachment did not open: its keys are for other bytes", { cause });
  }
  const opened = decodeWith(attachmentCodec, new Uint8Array(content));
  if (opened === undefined) throw new DecodeError("an encrypted file holds content of another type than a file");
  return opened.value;
}
