import type { Reader } from "../codec/reader.ts";
import type { Writer } from "../codec/writer.ts";
import { DecodeError } from "../errors.ts";

/** Credential (RFC 9420 §5.3). */
export type Credential =
  | { readonly kind: "basic"; readonly identity: Uint8Array }
  | { readonly kind: "x509"; readonly certificates: readonly Uint8Array[] };

/** Credential types of RFC 9420 §17.5. */
export const CREDENTIAL_TYPE = { basic: 1, x509: 2 } as const;

export function encodeCredential(writer: Writer, credential: Credential): void {
  writer.u16(CREDENTIAL_TYPE[credential.kind]);
  if (credential.kind === "basic") writer.opaque(credential.identity);
  else writer.vector(credential.certificates, (inner, certificate) => inner.opaque(certificate));
}

/** Throws DecodeError for a type other than basic and x509: the format of such a credential is not known. */
export function decodeCredential(reader: Reader): Credential {
  const type = reader.u16();
  if (type === CREDENTIAL_TYPE.basic) return { kind: "basic", identity: reader.opaque() };
  if (type === CREDENTIAL_TYPE.x509) return { kind: "x509", certificates: reader.vector((inner) => inner.opaque()) };
  throw new DecodeError(`credential type ${type} is unknown`);
}
