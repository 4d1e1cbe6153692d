import { concatBytes, toHex, utf8 } from "@latchkey/mls";
import { secp256k1 } from "@noble/curves/secp256k1.js";
import { keccak_256 } from "@noble/hashes/sha3.js";
import { IdentityError } from "../errors.ts";
import { ethereumIdentifier, type RootIdentifier } from "./identifier.ts";
import { RULE_CURVES, type IdentityCurves } from "./identity-curves.ts";

/** What signs for a wallet: any EIP-191 `personal_sign`. */
export interface WalletSigner {
  /** `0x` and 40 hex digits, lower case. */
  readonly identifier: string;
  /** 65 bytes: r, s, v. */
  signMessage(text: string): Promise<Uint8Array>;
}

/** The EIP-191 hash of a text, 32 bytes. */
export function eip191Hash(text: string): Uint8Array {
  const bytes = utf8(text);
  return keccak_256(concatBytes(utf8(`\u0019Ethereum Signed Message:\n${bytes.length}`), bytes));
}

/** The address of an uncompressed secp256k1 public key (65 bytes). */
export function ethereumAddress(publicKey: Uint8Array): string {
  return `0x${toHex(keccak_256(publicKey.subarray(1)).subarray(12))}`;
}

function badSignature(message: string, cause?: unknown): IdentityError {
  return new IdentityError("IDENTITY_BAD_SIGNATURE", message, { cause });
}

/** The parity of y that v names: 27 and 28 of wallets, bare 0 and 1, and from 35 on as EIP-155 counts. */
function parityOf(v: number): 0 | 1 | undefined {
  if (v === 0 || v === 27) return 0;
  if (v === 1 || v === 28) return 1;
  if (v < 35) return undefined;
  return v % 2 === 1 ? 0 : 1;
}

/**
 * Recovers who signed a text by EIP-191, as XMTP's network does. A high s is replaced by its low mirror image and v stays
 * as it is: the signature with v turned as well, as a wallet would mirror it, is somebody else's. `normalized` has 65
 * bytes, v as it came, and is what replays are found by. Throws IdentityError `IDENTITY_BAD_SIGNATURE`.
 */
export function recoverEip191(
  text: string,
  signature: Uint8Array,
  curves: IdentityCurves = RULE_CURVES,
): { signer: RootIdentifier; normalized: Uint8Array } {
  if (signature.length !== 65) throw badSignature(`a wallet signature has 65 bytes, not ${signature.length}`);
  const v = signature[64] ?? 0;
  const parity = parityOf(v);
  if (parity === undefined) throw badSignature(`a wallet signature ends with v = ${v}; it must be 27 or 28`);
  const low = lowSignature(signature.subarray(0, 64));
  const publicKey = curves.recoverSecp256k1(eip191Hash(text), low, parity);
  if (publicKey === undefined) throw badSignature("no wallet key can be recovered from a signature");
  return { signer: ethereumIdentifier(ethereumAddress(publicKey)), normalized: concatBytes(low, Uint8Array.of(v)) };
}

/** r and s, a high s replaced by its low mirror image. */
function lowSignature(bytes: Uint8Array): Uint8Array {
  try {
    const { r, s } = secp256k1.Signature.fromBytes(bytes, "compact");
    const low = new secp256k1.Signature(r, s);
    return low.hasHighS() ? new secp256k1.Signature(r, secp256k1.Point.Fn.neg(s)).toBytes("compact") : bytes;
  } catch (cause) {
    throw badSignature("r or s of a wallet signature is 0 or not below the group order", cause);
  }
}

/**
 * A wallet whose key is held here: for tools, tests and bots. The key has 32 bytes; fresh when none is given. Throws
 * IdentityError `IDENTITY_MALFORMED` for bytes that are no secp256k1 key.
 */
export function localWallet(privateKey: Uint8Array = secp256k1.utils.randomSecretKey()): WalletSigner {
  if (!secp256k1.utils.isValidSecretKey(privateKey)) {
    throw new IdentityError("IDENTITY_MALFORMED", "a wallet's key is 32 bytes, above 0 and below the group order");
  }
  const identifier = ethereumAddress(secp256k1.getPublicKey(privateKey, false));
  return {
    identifier,
    async signMessage(text) {
      const signature = secp256k1.sign(eip191Hash(text), privateKey, { prehash: false, format: "recovered" });
      // The library puts the recovery bit first, wallets put v last.
      return concatBytes(signature.subarray(1), Uint8Array.of(27 + (signature[0] ?? 0)));
    },
  };
}
