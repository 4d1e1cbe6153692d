import { concatBytes, decodeUtf8, utf8 } from "@latchkey/mls";
import { JoinError } from "../errors.ts";
import { XMTP_LIMITS } from "../limits.ts";
import { isExternalGroupId } from "./external-group-id.ts";
import { isHttpsUrl, type ServicePointer } from "./service-pointer.ts";

/** What an invite says: where its slot is, which one, and the key that opens it. Secret: it lets its holder in. */
export interface InvitePayload {
  /** Absent: the application knows the service itself. */
  readonly servicePointer: ServicePointer | undefined;
  readonly externalGroupId: Uint8Array;
  /** 32 bytes; secret. */
  readonly symmetricKey: Uint8Array;
}

// The message is so small that it is written and read here by hand: a page that opens invites needs no protobuf library.
// ExternalInvitePayload { v1 = 1 { service_pointer = 1 { https_url = 1 | opaque = 2 }, external_group_id = 2,
// symmetric_key = 3 { material = 1 } } }

/** Wire type of a field with a length (protobuf, "Message Structure"). */
const LENGTH_DELIMITED = 2;
/** Bytes that a varint has at most. */
const MAX_VARINT_BYTES = 10;

function malformed(rule: string, message: string): JoinError {
  return new JoinError("INVITE_MALFORMED", message, { rule });
}

function notProtobuf(): JoinError {
  return malformed("InvalidProtobuf", "the bytes are not a valid invite; copy the whole link, or scan the code");
}

/** A field with a length; the last one of a number counts, as protobuf has it. */
interface Field {
  readonly number: number;
  readonly value: Uint8Array;
}

/** The fields of a message that have a length, in their order; others are passed by. */
function readFields(bytes: Uint8Array): Field[] {
  const fields: Field[] = [];
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let index = 0; index < MAX_VARINT_BYTES; index++) {
      const byte = bytes[at++];
      if (byte === undefined) throw notProtobuf();
      value += (byte & 0x7f) * 2 ** (7 * index);
      if (byte < 0x80) return value;
    }
    throw notProtobuf();
  };
  while (at < bytes.length) {
    const tag = varint();
    const [number, wireType] = [Math.floor(tag / 8), tag % 8];
    if (number === 0) throw notProtobuf();
    if (wireType === 0) varint();
    else if (wireType === 1) at += 8;
    else if (wireType === 5) at += 4;
    else if (wireType === LENGTH_DELIMITED) {
      const length = varint();
      fields.push({ number, value: bytes.slice(at, at + length) });
      at += length;
    } else throw notProtobuf();
    if (at > bytes.length) throw notProtobuf();
  }
  return fields;
}

function last(fields: readonly Field[], ...numbers: readonly number[]): Field | undefined {
  return fields.findLast(({ number }) => numbers.includes(number));
}

function writeField(number: number, value: Uint8Array): Uint8Array {
  const tag = number * 8 + LENGTH_DELIMITED;
  const { length } = value;
  const header = length < 0x80 ? [tag, length] : [tag, 0x80 | (length & 0x7f), length >> 7];
  return concatBytes(Uint8Array.from(header), value);
}

/** A protobuf string, which is UTF-8. */
function textOf(bytes: Uint8Array): string {
  try {
    return decodeUtf8(bytes);
  } catch {
    throw notProtobuf();
  }
}

function readPointer(bytes: Uint8Array): ServicePointer {
  const location = last(readFields(bytes), 1, 2);
  if (location === undefined) throw malformed("EmptyServicePointer", "the invite's service pointer is empty");
  if (location.number === 2) return { kind: "opaque", bytes: location.value };
  return checkedPointer({ kind: "https_url", url: textOf(location.value) });
}

function checkedPointer(pointer: ServicePointer): ServicePointer {
  if (pointer.kind === "opaque" || isHttpsUrl(pointer.url)) return pointer;
  throw malformed("InvalidHttpsUrl", "the invite's service pointer is not an https URL");
}

function checkedPayload(payload: InvitePayload): InvitePayload {
  const { servicePointer, externalGroupId, symmetricKey } = payload;
  if (servicePointer !== undefined) checkedPointer(servicePointer);
  if (!isExternalGroupId(externalGroupId)) {
    throw malformed("InvalidExternalGroupIdLength", "the invite's slot id must have 4 to 64 bytes");
  }
  if (symmetricKey.length !== XMTP_LIMITS.inviteKeyBytes) {
    throw malformed("InvalidSymmetricKeyLength", `the invite's key has ${symmetricKey.length} bytes, not 32`);
  }
  return payload;
}

/** Protobuf bytes of an invite (XIP-82); throws JoinError `INVITE_MALFORMED` for wrong lengths. */
export function encodeInvitePayload(payload: InvitePayload): Uint8Array {
  const { servicePointer: pointer, externalGroupId, symmetricKey } = checkedPayload(payload);
  const location =
    pointer && (pointer.kind === "opaque" ? writeField(2, pointer.bytes) : writeField(1, utf8(pointer.url)));
  return writeField(
    1,
    concatBytes(
      location === undefined ? new Uint8Array(0) : writeField(1, location),
      writeField(2, externalGroupId),
      writeField(3, writeField(1, symmetricKey)),
    ),
  );
}

/**
 * Reads an invite. Throws JoinError `INVITE_MALFORMED` whose `rule` is, in this order of checks, `TooLong`,
 * `InvalidProtobuf`, `UnsupportedVersion`, `EmptyServicePointer`, `InvalidHttpsUrl`, `InvalidExternalGroupIdLength`,
 * `MissingSymmetricKey` or `InvalidSymmetricKeyLength`.
 */
export function decodeInvitePayload(bytes: Uint8Array): InvitePayload {
  if (bytes.length > XMTP_LIMITS.maxInvitePayloadBytes) {
    throw malformed("TooLong", `an invite has at most ${XMTP_LIMITS.maxInvitePayloadBytes} bytes`);
  }
  const version = last(readFields(bytes), 1);
  if (version === undefined) {
    throw malformed("UnsupportedVersion", "the invite is of a version this build does not know; update it");
  }
  const fields = readFields(version.value);
  const pointer = last(fields, 1);
  const servicePointer = pointer === undefined ? undefined : readPointer(pointer.value);
  const externalGroupId = last(fields, 2)?.value ?? new Uint8Array(0);
  const key = last(fields, 3);
  if (isExternalGroupId(externalGroupId) && key === undefined) {
    throw malformed("MissingSymmetricKey", "the invite holds no key");
  }
  const symmetricKey = last(readFields(key?.value ?? new Uint8Array(0)), 1)?.value ?? new Uint8Array(0);
  return checkedPayload({ servicePointer, externalGroupId, symmetricKey });
}
