import {
  check,
  DecodeError,
  decodeUtf8,
  fromHex,
  optional,
  requireBytes,
  requireFields,
  requireText,
  requireWholeNumber,
  toHex,
  utf8,
} from "@latchkey/mls";
import type { ContentCodec } from "./codec.ts";

/** Keys of an encrypted file. */
export interface AttachmentKeys {
  /** SHA-256 of the encrypted bytes, in hex. */
  readonly contentDigest: string;
  /** 32 bytes. */
  readonly secret: Uint8Array;
  /** 32 bytes. */
  readonly salt: Uint8Array;
  /** 12 bytes. */
  readonly nonce: Uint8Array;
}

/** A file that lies encrypted at an address of the application (XIP-17). */
export interface RemoteAttachment extends AttachmentKeys {
  /** An https address, as the sender states it. Fetching it shows the reader's address to its host. */
  readonly url: string;
  /** Length of the encrypted bytes, as the sender states it. */
  readonly contentLength?: number;
  readonly filename?: string;
}

const SCHEME = "https";

const KEY_CHECKS = {
  contentDigest: requireText,
  secret: requireBytes(32),
  salt: requireBytes(32),
  nonce: requireBytes(12),
};

const requireRemoteAttachment = requireFields<RemoteAttachment>({
  url: requireText,
  ...KEY_CHECKS,
  contentLength: optional(requireWholeNumber(0, Number.MAX_SAFE_INTEGER)),
  filename: optional(requireText),
});

const requireKeys = requireFields<AttachmentKeys>(KEY_CHECKS);

/** Checks the keys of a file, or a whole remote attachment; throws ARGUMENT_INVALID. */
export const requireAttachmentKeys = check("the keys of an attachment", (value, name) => {
  if (typeof value !== "object" || value === null) return undefined;
  const { contentDigest, secret, salt, nonce } = value as AttachmentKeys;
  return requireKeys({ contentDigest, secret, salt, nonce }, name);
});

function hexParameter(parameters: Readonly<Record<string, string>>, name: string, length: number): Uint8Array {
  const text = parameters[name] ?? "";
  if (!/^([0-9a-f]{2})+$/i.test(text) || text.length !== 2 * length) {
    throw new DecodeError(`a remote attachment needs ${length} bytes in hex as ${name}`);
  }
  return fromHex(text.toLowerCase());
}

function lengthOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const length = /^\d{1,15}$/.test(text) ? Number(text) : undefined;
  if (length === undefined) throw new DecodeError("the length of a remote attachment is no number");
  return length;
}

function urlOf(body: Uint8Array): string {
  let url: string;
  try {
    url = decodeUtf8(body);
  } catch (cause) {
    throw new DecodeError("the address of a remote attachment is not UTF-8", { cause });
  }
  if (URL.parse(url)?.protocol !== "https:") throw new DecodeError("a remote attachment lies at an https address");
  return url;
}

/** A file elsewhere, with its keys (content type `xmtp.org/remoteStaticAttachment:1.0`, XIP-17). */
export const remoteAttachmentCodec: ContentCodec<RemoteAttachment> = {
  type: "xmtp.org/remoteStaticAttachment:1.0",
  isShown: true,
  encode: (value) => {
    const { url, contentDigest, secret, salt, nonce, contentLength, filename } = requireRemoteAttachment(
      value,
      "value",
    );
    return {
      body: utf8(url),
      parameters: {
        contentDigest,
        secret: toHex(secret),
        salt: toHex(salt),
        nonce: toHex(nonce),
        scheme: SCHEME,
        ...(contentLength !== undefined && { contentLength: String(contentLength) }),
        ...(filename !== undefined && { filename }),
      },
    };
  },
  decode: ({ body, parameters = {} }) => {
    const { filename } = parameters;
    const contentLength = lengthOf(parameters["contentLength"]);
    return {
      url: urlOf(body),
      contentDigest: toHex(hexParameter(parameters, "contentDigest", 32)),
      secret: hexParameter(parameters, "secret", 32),
      salt: hexParameter(parameters, "salt", 32),
      nonce: hexParameter(parameters, "nonce", 12),
      ...(contentLength !== undefined && { contentLength }),
      ...(filename !== undefined && { filename }),
    };
  },
  fallback: ({ filename = "this content" }) =>
    `Can't display ${filename}. This app doesn't support remote attachments.`,
  shouldPush: () => true,
};
