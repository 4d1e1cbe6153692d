import { decodeExact, type Reader } from "../codec/reader.ts";
import { encode, type Writer } from "../codec/writer.ts";
import { DecodeError } from "../errors.ts";
import { MLS_LIMITS } from "../limits.ts";

/** Extension (RFC 9420 §13): a 16-bit type and its opaque data. */
export interface Extension {
  readonly type: number;
  readonly data: Uint8Array;
}

/** Extension types of RFC 9420 §17.3 and of the extensions draft that the engine itself knows. */
export const EXTENSION_TYPE = {
  applicationId: 0x0001,
  ratchetTree: 0x0002,
  requiredCapabilities: 0x0003,
  externalPub: 0x0004,
  externalSenders: 0x0005,
  appDataDictionary: 0x0006,
  lastResort: 0x000a,
} as const;

export function encodeExtensions(writer: Writer, extensions: readonly Extension[]): void {
  writer.vector(extensions, (inner, extension) => {
    inner.u16(extension.type);
    inner.opaque(extension.data);
  });
}

/** Throws DecodeError when a type occurs twice (RFC 9420 §13.4). */
export function decodeExtensions(reader: Reader): Extension[] {
  const extensions = reader.vector(
    (inner): Extension => ({ type: inner.u16(), data: inner.opaque() }),
    MLS_LIMITS.maxExtensions,
  );
  if (extensions.length > 1 && new Set(extensions.map((extension) => extension.type)).size !== extensions.length) {
    throw new DecodeError("an extension list holds the same type twice");
  }
  return extensions;
}

/** The data of the extension of that type, if present. */
export function findExtension(extensions: readonly Extension[], type: number): Uint8Array | undefined {
  return extensions.find((extension) => extension.type === type)?.data;
}

/**
 * The list with any extension of that type dropped and the new one appended at the end: the order is part of the
 * GroupContext bytes, so every member has to build it the same way.
 */
export function replaceExtension(extensions: readonly Extension[], extension: Extension): Extension[] {
  return [...extensions.filter((other) => other.type !== extension.type), extension];
}

/** RequiredCapabilities (RFC 9420 §11.1). */
export interface RequiredCapabilities {
  readonly extensionTypes: readonly number[];
  readonly proposalTypes: readonly number[];
  readonly credentialTypes: readonly number[];
}

/** Data of a `required_capabilities` extension. */
export function encodeRequiredCapabilities(value: RequiredCapabilities): Uint8Array {
  return encode(value, (writer, { extensionTypes, proposalTypes, credentialTypes }) => {
    for (const list of [extensionTypes, proposalTypes, credentialTypes]) {
      writer.vector(list, (inner, type) => inner.u16(type));
    }
  });
}

/** Reads the data of a `required_capabilities` extension; throws DecodeError. */
export function decodeRequiredCapabilities(data: Uint8Array): RequiredCapabilities {
  const list = (reader: Reader) => reader.vector((inner) => inner.u16(), MLS_LIMITS.maxCapabilities);
  return decodeExact(data, (reader) => ({
    extensionTypes: list(reader),
    proposalTypes: list(reader),
    credentialTypes: list(reader),
  }));
}

/** Data of an `external_pub` extension: one HPKE public key (RFC 9420 §12.4.3.2). */
export function encodeExternalPub(publicKey: Uint8Array): Uint8Array {
  return encode(publicKey, (writer, key) => writer.opaque(key));
}

export function decodeExternalPub(data: Uint8Array): Uint8Array {
  return decodeExact(data, (reader) => reader.opaque());
}
