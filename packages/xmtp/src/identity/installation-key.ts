import { toHex, utf8 } from "@latchkey/mls";
import { ed25519ph } from "@noble/curves/ed25519.js";
import { IdentityError } from "../errors.ts";
import { RULE_CURVES, type IdentityCurves } from "./identity-curves.ts";

const CONTEXT = utf8("IDENTITY UPDATE SIGNATURE");

/**
 * The Ed25519 key of an installation, as it signs identity updates: Ed25519ph (RFC 8032 §5.1) with the context
 * "IDENTITY UPDATE SIGNATURE". The same key signs its MLS leaf, there as plain Ed25519.
 */
export class InstallationKey {
  /** 32-byte seed; secret. */
  readonly privateKey: Uint8Array;
  /** 32 bytes. */
  readonly publicKey: Uint8Array;

  /** Throws IdentityError `IDENTITY_MALFORMED` unless the seed has 32 bytes. */
  constructor(privateKey: Uint8Array) {
    if (privateKey.length !== 32) {
      throw new IdentityError("IDENTITY_MALFORMED", `an installation seed has 32 bytes, not ${privateKey.length}`);
    }
    this.privateKey = privateKey;
    this.publicKey = ed25519ph.getPublicKey(privateKey);
  }

  /** Installation id: the public key in hex. */
  get id(): string {
    return toHex(this.publicKey);
  }

  /** 64 bytes over the UTF-8 text. */
  sign(text: string): Uint8Array {
    return ed25519ph.sign(utf8(text), this.privateKey, { context: CONTEXT });
  }

  /** By the rule of `verifyEd25519ph`; false for a wrong signature as well as for malformed bytes. */
  static verify(
    publicKey: Uint8Array,
    text: string,
    signature: Uint8Array,
    curves: IdentityCurves = RULE_CURVES,
  ): boolean {
    return curves.verifyEd25519ph({ publicKey, message: utf8(text), context: CONTEXT, signature });
  }
}
