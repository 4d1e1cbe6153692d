import { concatBytes, toHex, utf8 } from "@latchkey/mls";
import { p256 } from "@noble/curves/nist.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { IdentityError } from "../errors.ts";
import { readClientData } from "./client-data.ts";
import type { RootIdentifier } from "./identifier.ts";

/** The parts of a passkey's signature as an identity update carries them. */
export interface PasskeySignature {
  readonly publicKey: Uint8Array;
  readonly signature: Uint8Array;
  readonly authenticatorData: Uint8Array;
  readonly clientDataJson: Uint8Array;
}

function badSignature(message: string, cause?: unknown): IdentityError {
  return new IdentityError("IDENTITY_BAD_SIGNATURE", message, { cause });
}

/**
 * A P-256 point in one of the forms of SEC 1: compressed or uncompressed; or compact, which is x alone and means the lower
 * y. Throws for anything else, and for points that are not on the curve.
 */
function readPoint(bytes: Uint8Array) {
  const { Point } = p256;
  if (bytes[0] !== 0x05 || bytes.length !== 33) return Point.fromBytes(bytes);
  const even = Point.fromBytes(concatBytes(Uint8Array.of(0x02), bytes.subarray(1)));
  const odd = even.negate();
  return even.toAffine().y < odd.toAffine().y ? even : odd;
}

/** Base64url without padding (RFC 4648 §5). */
function base64Url(bytes: Uint8Array): string {
  const binary = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/**
 * Checks a passkey's signature over the text of an update (WebAuthn Level 3 §7.2), about 3 ms. As on XMTP's network the
 * challenge must be the text, and P-256 with SHA-256 must hold for authenticator data and client data, in strict DER with
 * low or high s. Type, origin, flags and counter are not looked at. The identifier is the key as it was encoded.
 *
 * Returns the signature as r and s, 64 bytes, for finding replays. Throws IdentityError `IDENTITY_BAD_SIGNATURE`.
 */
export function verifyPasskey(
  text: string,
  passkey: PasskeySignature,
): { signer: RootIdentifier; compact: Uint8Array } {
  const { publicKey, signature, authenticatorData, clientDataJson } = passkey;
  const clientData = readClientData(clientDataJson);
  if (clientData?.challenge !== base64Url(utf8(text))) {
    throw badSignature("a passkey signed another challenge than the update's text");
  }
  const message = concatBytes(authenticatorData, sha256(clientDataJson));
  let compact;
  try {
    compact = p256.Signature.fromBytes(signature, "der").toBytes("compact");
    const key = readPoint(publicKey).toBytes(false);
    if (!p256.verify(compact, message, key, { lowS: false })) throw badSignature("the equation does not hold");
  } catch (cause) {
    throw badSignature("a passkey's signature does not fit the update's text", cause);
  }
  return { signer: { kind: "passkey", value: toHex(publicKey) }, compact };
}
