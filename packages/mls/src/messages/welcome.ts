import { decodeExact, type Reader } from "../codec/reader.ts";
import { encode, type Writer } from "../codec/writer.ts";
import { decodeHpkeCiphertext, encodeHpkeCiphertext, type HpkeCiphertext } from "../crypto/hpke.ts";
import { MLS_LIMITS } from "../limits.ts";
import { decodePreSharedKeyId, encodePreSharedKeyId, type PreSharedKeyId } from "./proposal.ts";

/** EncryptedGroupSecrets (RFC 9420 §12.4.3.1). */
export interface EncryptedGroupSecrets {
  /** KeyPackageRef of the recipient. */
  readonly newMember: Uint8Array;
  readonly encryptedGroupSecrets: HpkeCiphertext;
}

/** Welcome (RFC 9420 §12.4.3.1). */
export interface Welcome {
  readonly cipherSuite: number;
  readonly secrets: readonly EncryptedGroupSecrets[];
  readonly encryptedGroupInfo: Uint8Array;
}

/** GroupSecrets (RFC 9420 §12.4.3.1). */
export interface GroupSecrets {
  readonly joinerSecret: Uint8Array;
  readonly pathSecret: Uint8Array | undefined;
  readonly psks: readonly PreSharedKeyId[];
}

export function encodeWelcome(writer: Writer, welcome: Welcome): void {
  writer.u16(welcome.cipherSuite);
  writer.vector(welcome.secrets, (inner, item) => {
    inner.opaque(item.newMember);
    encodeHpkeCiphertext(inner, item.encryptedGroupSecrets);
  });
  writer.opaque(welcome.encryptedGroupInfo);
}

export function decodeWelcome(reader: Reader): Welcome {
  return {
    cipherSuite: reader.u16(),
    secrets: reader.vector(
      (inner) => ({ newMember: inner.opaque(), encryptedGroupSecrets: decodeHpkeCiphertext(inner) }),
      MLS_LIMITS.maxLeaves,
    ),
    encryptedGroupInfo: reader.opaque(),
  };
}

export function encodeGroupSecrets(secrets: GroupSecrets): Uint8Array {
  return encode(secrets, (writer, value) => {
    writer.opaque(value.joinerSecret);
    writer.optional(value.pathSecret, (inner, pathSecret) => inner.opaque(pathSecret));
    writer.vector(value.psks, encodePreSharedKeyId);
  });
}

export function decodeGroupSecrets(bytes: Uint8Array): GroupSecrets {
  return decodeExact(bytes, (reader) => ({
    joinerSecret: reader.opaque(),
    pathSecret: reader.optional((inner) => inner.opaque()),
    psks: reader.vector(decodePreSharedKeyId, MLS_LIMITS.maxProposals),
  }));
}
