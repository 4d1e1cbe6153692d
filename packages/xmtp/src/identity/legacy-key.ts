import { fromBinary } from "@bufbuild/protobuf";
import { concatBytes, toHex } from "@latchkey/mls";
import { secp256k1 } from "@noble/curves/secp256k1.js";
import { IdentityError } from "../errors.ts";
import { UnsignedPublicKeySchema, type LegacyDelegatedSignature, type SignedPublicKey } from "../proto.ts";
import { ethereumAddress, recoverEip191 } from "./eip191.ts";
import type { RootIdentifier } from "./identifier.ts";
import type { IdentityCurves } from "./identity-curves.ts";

function badSignature(message: string, cause?: unknown): IdentityError {
  return new IdentityError("IDENTITY_BAD_SIGNATURE", message, { cause });
}

/** The text by which a wallet admitted a key of the V2 protocol. */
function admissionText(keyBytes: Uint8Array): string {
  return `XMTP : Create Identity\n${toHex(keyBytes)}\n\nFor more info: https://xmtp.org/signatures/`;
}

/** The address of a serialized V2 key, the wallet that admitted it, and that wallet's signature. */
function readKey({ keyBytes, signature }: SignedPublicKey, curves: IdentityCurves | undefined) {
  const union = signature?.union;
  if (union?.case === undefined) throw badSignature("a V2 key has no signature of a wallet");
  const { bytes, recovery } = union.value;
  const admission = recoverEip191(admissionText(keyBytes), concatBytes(bytes, Uint8Array.of(recovery & 0xff)), curves);
  try {
    const key = fromBinary(UnsignedPublicKeySchema, keyBytes).union.value?.bytes ?? new Uint8Array(0);
    const address = ethereumAddress(secp256k1.Point.fromBytes(key).toBytes(false));
    return { address, wallet: admission.signer, walletSignature: admission.normalized };
  } catch (cause) {
    throw badSignature("a V2 key cannot be read", cause);
  }
}

/**
 * Checks the signature of a V2 key over the text of an update: the key signed the text by EIP-191, and a wallet signed the
 * key. Returns the wallet and its signature, 65 bytes, by which replays are found. Throws IdentityError
 * `IDENTITY_BAD_SIGNATURE`.
 */
export function verifyLegacyKey(
  text: string,
  { delegatedKey, signature }: LegacyDelegatedSignature,
  curves?: IdentityCurves,
): { signer: RootIdentifier; walletSignature: Uint8Array } {
  if (delegatedKey === undefined || signature === undefined) throw badSignature("a V2 key or its signature is missing");
  const { address, wallet, walletSignature } = readKey(delegatedKey, curves);
  if (recoverEip191(text, signature.bytes, curves).signer.value !== address) {
    throw badSignature("a V2 key's signature does not fit the update's text");
  }
  return { signer: wallet, walletSignature };
}
