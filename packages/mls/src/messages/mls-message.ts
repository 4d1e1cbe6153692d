import { decodeExact, Reader } from "../codec/reader.ts";
import { encode, type Writer } from "../codec/writer.ts";
import { DecodeError } from "../errors.ts";
import { decodeContentKind, decodeSender, WIRE_FORMAT, type ContentKind, type Sender } from "./framing.ts";
import { decodeGroupInfo, encodeGroupInfo, type GroupInfo } from "./group-info.ts";
import { decodeKeyPackage, encodeKeyPackage, PROTOCOL_VERSION_MLS10, type KeyPackage } from "./key-package.ts";
import { decodePrivateMessage, encodePrivateMessage, type PrivateMessage } from "./private-message.ts";
import { decodePublicMessage, encodePublicMessage, type PublicMessage } from "./public-message.ts";
import { decodeWelcome, encodeWelcome, type Welcome } from "./welcome.ts";

/** MLSMessage (RFC 9420 §6). */
export type MlsMessage =
  | { readonly wireFormat: "public_message"; readonly message: PublicMessage }
  | { readonly wireFormat: "private_message"; readonly message: PrivateMessage }
  | { readonly wireFormat: "welcome"; readonly message: Welcome }
  | { readonly wireFormat: "group_info"; readonly message: GroupInfo }
  | { readonly wireFormat: "key_package"; readonly message: KeyPackage };

export type WireFormat = MlsMessage["wireFormat"];

function encodeBody(writer: Writer, value: MlsMessage): void {
  switch (value.wireFormat) {
    case "public_message":
      encodePublicMessage(writer, value.message);
      break;
    case "private_message":
      encodePrivateMessage(writer, value.message);
      break;
    case "welcome":
      encodeWelcome(writer, value.message);
      break;
    case "group_info":
      encodeGroupInfo(writer, value.message);
      break;
    case "key_package":
      encodeKeyPackage(writer, value.message);
      break;
  }
}

/** The TLS encoding of an MLSMessage. */
export function encodeMlsMessage(value: MlsMessage): Uint8Array {
  return encode(value, (writer) => {
    writer.u16(PROTOCOL_VERSION_MLS10);
    writer.u16(WIRE_FORMAT[value.wireFormat]);
    encodeBody(writer, value);
  });
}

function decodeWireFormat(reader: Reader): WireFormat {
  const version = reader.u16();
  if (version !== PROTOCOL_VERSION_MLS10) throw new DecodeError(`protocol version ${version} is not mls10`);
  const value = reader.u16();
  for (const name of Object.keys(WIRE_FORMAT) as WireFormat[]) if (WIRE_FORMAT[name] === value) return name;
  throw new DecodeError(`wire format ${value} is unknown`);
}

/** Decodes one MLSMessage; throws DecodeError, also for trailing bytes. */
export function decodeMlsMessage(bytes: Uint8Array): MlsMessage {
  return decodeExact(bytes, (reader): MlsMessage => {
    const wireFormat = decodeWireFormat(reader);
    switch (wireFormat) {
      case "public_message":
        return { wireFormat, message: decodePublicMessage(reader) };
      case "private_message":
        return { wireFormat, message: decodePrivateMessage(reader) };
      case "welcome":
        return { wireFormat, message: decodeWelcome(reader) };
      case "group_info":
        return { wireFormat, message: decodeGroupInfo(reader) };
      case "key_package":
        return { wireFormat, message: decodeKeyPackageOf(PROTOCOL_VERSION_MLS10, reader) };
    }
  });
}

/** A KeyPackage is of the version of the MLSMessage around it (RFC 9420 §10). */
function decodeKeyPackageOf(version: number, reader: Reader): KeyPackage {
  const keyPackage = decodeKeyPackage(reader);
  if (keyPackage.version === version) return keyPackage;
  throw new DecodeError(`a key package of version ${keyPackage.version} stands in a message of version ${version}`);
}

/** The part of a message that is readable without a key: its group, epoch and kind. */
export interface MessageHeader {
  readonly wireFormat: WireFormat;
  readonly groupId: Uint8Array | undefined;
  readonly epoch: bigint | undefined;
  readonly contentKind: ContentKind | undefined;
  /** Known for PublicMessages only: the sender of a PrivateMessage is encrypted. */
  readonly sender: Sender | undefined;
}

/**
 * Reads the header of an MLSMessage and nothing behind it, in constant time: for delivery nodes and for finding out
 * which commit of an epoch came first. Throws DecodeError when the header is malformed; the rest is not looked at.
 */
export function peekMlsMessage(bytes: Uint8Array): MessageHeader {
  const reader = new Reader(bytes);
  const wireFormat = decodeWireFormat(reader);
  const unknown = { epoch: undefined, contentKind: undefined, sender: undefined };
  if (wireFormat === "group_info") {
    reader.u16();
    reader.u16();
    return { ...unknown, wireFormat, groupId: reader.opaque(), epoch: reader.u64() };
  }
  if (wireFormat !== "public_message" && wireFormat !== "private_message") {
    return { ...unknown, wireFormat, groupId: undefined };
  }
  const groupId = reader.opaque();
  const epoch = reader.u64();
  if (wireFormat === "private_message") {
    return { wireFormat, groupId, epoch, contentKind: decodeContentKind(reader), sender: undefined };
  }
  const sender = decodeSender(reader);
  reader.opaque();
  return { wireFormat, groupId, epoch, contentKind: decodeContentKind(reader), sender };
}
