import { secp256k1 } from "@noble/curves/secp256k1.js";
import { verifyEd25519ph } from "./ed25519-rule.ts";

/** An Ed25519ph signature over a message with a context of at most 255 bytes (RFC 8032 §5.1). */
export interface Ed25519phCheck {
  readonly publicKey: Uint8Array;
  readonly message: Uint8Array;
  readonly context: Uint8Array;
  readonly signature: Uint8Array;
}

/** The operations of identity signatures that cost time. */
export interface IdentityCurves {
  /**
   * The secp256k1 key that signed a hash of 32 bytes, 65 bytes uncompressed; undefined where there is none. `signature` has
   * r and s, both below the group order and not 0, s in the lower half.
   */
  recoverSecp256k1(hash: Uint8Array, signature: Uint8Array, parity: 0 | 1): Uint8Array | undefined;
  /** Whether the signature holds by the rule of `verifyEd25519ph`. */
  verifyEd25519ph(check: Ed25519phCheck): boolean;
}

/** The rule: what every other implementation is held against. 1 to 2 ms for each operation. */
export const RULE_CURVES: IdentityCurves = {
  recoverSecp256k1(hash, signature, parity) {
    const { r, s } = secp256k1.Signature.fromBytes(signature, "compact");
    try {
      return new secp256k1.Signature(r, s, parity).recoverPublicKey(hash).toBytes(false);
    } catch {
      return undefined;
    }
  },
  verifyEd25519ph: ({ publicKey, message, context, signature }) =>
    verifyEd25519ph(publicKey, message, context, signature),
};

/** Refusals of a fast implementation that the rule overrules, behind which it is asked no more. */
const MAX_OVERRULED = 16;

/**
 * A fast implementation whose acceptance counts, and whose refusals are judged again by the rule: libraries refuse keys of
 * small or mixed order, which the rule takes. One log of such keys costs little more than the rule alone.
 */
export function overruledByRule(fast: IdentityCurves): IdentityCurves {
  let overruled = 0;
  const first = <T>(isHeld: (result: T) => boolean, ask: (curves: IdentityCurves) => T): T => {
    if (overruled >= MAX_OVERRULED) return ask(RULE_CURVES);
    const result = ask(fast);
    if (isHeld(result)) return result;
    const verdict = ask(RULE_CURVES);
    if (isHeld(verdict)) overruled++;
    return verdict;
  };
  return {
    recoverSecp256k1: (...signed) =>
      first(
        (key) => key !== undefined,
        (curves) => curves.recoverSecp256k1(...signed),
      ),
    verifyEd25519ph: (check) =>
      first(
        (holds) => holds,
        (curves) => curves.verifyEd25519ph(check),
      ),
  };
}
