import { create, toBinary } from "@bufbuild/protobuf";
import { DecodeError, type Credential, type LeafNode } from "@latchkey/mls";
import { isInboxId } from "./identity/identifier.ts";
import { decodeProto } from "./protobuf.ts";
import { MlsCredentialSchema } from "./proto.ts";

/** The MLS credential of an installation: a basic credential that names its inbox. */
export function encodeMlsCredential(inboxId: string): Credential {
  if (!isInboxId(inboxId)) throw new DecodeError("an inbox id must be 64 lower-case hex digits");
  return { kind: "basic", identity: toBinary(MlsCredentialSchema, create(MlsCredentialSchema, { inboxId })) };
}

/** The text in place of the inbox id, whatever it is; throws DecodeError when it is not an XMTP credential. */
export function credentialText(credential: Credential): string {
  if (credential.kind !== "basic") throw new DecodeError("an XMTP credential is a basic one");
  return decodeProto(MlsCredentialSchema, credential.identity).inboxId;
}

/** The inbox id that a credential names; throws DecodeError when it is not an XMTP credential. */
export function decodeMlsCredential(credential: Credential): string {
  const inboxId = credentialText(credential);
  if (!isInboxId(inboxId)) throw new DecodeError("a credential does not hold an inbox id of 64 lower-case hex digits");
  return inboxId;
}

/** The inbox id that a leaf's credential names; undefined when it names none. Whether it is true is another question. */
export function leafInboxId(leaf: Pick<LeafNode, "credential">): string | undefined {
  try {
    return decodeMlsCredential(leaf.credential);
  } catch (cause) {
    if (!(cause instanceof DecodeError)) throw cause;
    return undefined;
  }
}
