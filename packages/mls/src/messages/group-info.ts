import type { Reader } from "../codec/reader.ts";
import { encode, type Writer } from "../codec/writer.ts";
import { labelledCheck, signWithLabel } from "../crypto/labels.ts";
import type { CipherSuite, SignatureCheck } from "../crypto/provider.ts";
import { asLeafIndex, type LeafIndex } from "../tree/math.ts";
import { decodeExtensions, encodeExtensions, type Extension } from "./extension.ts";
import { decodeGroupContext, encodeGroupContext, type GroupContext } from "./group-context.ts";

/** GroupInfo (RFC 9420 §12.4.3.1). */
export interface GroupInfo {
  readonly context: GroupContext;
  readonly extensions: readonly Extension[];
  readonly confirmationTag: Uint8Array;
  readonly signer: LeafIndex;
  readonly signature: Uint8Array;
}

function encodeUnsigned(writer: Writer, value: Omit<GroupInfo, "signature">): void {
  encodeGroupContext(writer, value.context);
  encodeExtensions(writer, value.extensions);
  writer.opaque(value.confirmationTag);
  writer.u32(value.signer);
}

export function encodeGroupInfo(writer: Writer, value: GroupInfo): void {
  encodeUnsigned(writer, value);
  writer.opaque(value.signature);
}

export function decodeGroupInfo(reader: Reader): GroupInfo {
  return {
    context: decodeGroupContext(reader),
    extensions: decodeExtensions(reader),
    confirmationTag: reader.opaque(),
    signer: asLeafIndex(reader.u32()),
    signature: reader.opaque(),
  };
}

/** Signs a GroupInfo as the member at `signer`. */
export async function signGroupInfo(
  suite: CipherSuite,
  privateKey: Uint8Array,
  value: Omit<GroupInfo, "signature">,
): Promise<GroupInfo> {
  const content = encode(value, encodeUnsigned);
  return { ...value, signature: await signWithLabel(suite, privateKey, "GroupInfoTBS", content) };
}

/** The check of a GroupInfo's signature against the signer's key. */
export function groupInfoCheck(groupInfo: GroupInfo, signatureKey: Uint8Array): SignatureCheck {
  return labelledCheck(signatureKey, "GroupInfoTBS", encode(groupInfo, encodeUnsigned), groupInfo.signature);
}
