import { create, toBinary } from "@bufbuild/protobuf";
import { DecodeError } from "@latchkey/mls";
import { JoinError } from "../errors.ts";
import { XMTP_LIMITS } from "../limits.ts";
import { decodeProto } from "../protobuf.ts";
import { ExternalInvitePayloadSchema, type ExternalInvitePayload } from "../proto.ts";
import { isExternalGroupId } from "./policy.ts";
import { readServicePointer, servicePointerInit, type ServicePointer } from "./service-pointer.ts";

/** What an invite says: where its slot is, which one, and the key that opens it. Secret: it lets its holder in. */
export interface InvitePayload {
  /** Absent: the application knows the service itself. */
  readonly servicePointer: ServicePointer | undefined;
  readonly externalGroupId: Uint8Array;
  /** 32 bytes; secret. */
  readonly symmetricKey: Uint8Array;
}

function malformed(rule: string, message: string, cause?: unknown): JoinError {
  return new JoinError("INVITE_MALFORMED", message, { rule, cause });
}

function checkSecrets(externalGroupId: Uint8Array, symmetricKey: Uint8Array | undefined): Uint8Array {
  if (!isExternalGroupId(externalGroupId)) {
    throw malformed("InvalidExternalGroupIdLength", "the invite's slot id must have 4 to 64 bytes");
  }
  if (symmetricKey === undefined) throw malformed("MissingSymmetricKey", "the invite holds no key");
  if (symmetricKey.length !== XMTP_LIMITS.inviteKeyBytes) {
    throw malformed("InvalidSymmetricKeyLength", `the invite's key has ${symmetricKey.length} bytes, not 32`);
  }
  return symmetricKey;
}

function readPointer(message: Parameters<typeof readServicePointer>[0]): ServicePointer {
  try {
    return readServicePointer(message);
  } catch (cause) {
    const rule = cause instanceof DecodeError ? cause.rule : undefined;
    throw malformed(rule ?? "InvalidServicePointer", "the invite's service pointer is empty or no https URL", cause);
  }
}

/** Protobuf bytes of an invite (XIP-82); throws JoinError `INVITE_MALFORMED` for wrong lengths. */
export function encodeInvitePayload(payload: InvitePayload): Uint8Array {
  const { externalGroupId, servicePointer } = payload;
  const material = checkSecrets(externalGroupId, payload.symmetricKey);
  const value = {
    externalGroupId,
    symmetricKey: { material },
    ...(servicePointer && { servicePointer: servicePointerInit(servicePointer) }),
  };
  const message = create(ExternalInvitePayloadSchema, { version: { case: "v1", value } });
  readInvite(message);
  return toBinary(ExternalInvitePayloadSchema, message);
}

function readInvite({ version }: ExternalInvitePayload): InvitePayload {
  if (version.case !== "v1")
    throw malformed("UnsupportedVersion", "the invite is of a version this build does not know");
  const { servicePointer, externalGroupId, symmetricKey } = version.value;
  const pointer = servicePointer === undefined ? undefined : readPointer(servicePointer);
  return {
    servicePointer: pointer,
    externalGroupId,
    symmetricKey: checkSecrets(externalGroupId, symmetricKey?.material),
  };
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
  let message: ExternalInvitePayload;
  try {
    message = decodeProto(ExternalInvitePayloadSchema, bytes);
  } catch (cause) {
    throw malformed("InvalidProtobuf", "the bytes are not an invite; was the link copied whole?", cause);
  }
  return readInvite(message);
}
