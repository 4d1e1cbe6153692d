import type { EdwardsCurve } from "./curves.ts";

/** Numbers of an Edwards curve, little-endian, each as long as an encoded point. */
interface EdwardsFacts {
  /** Length of a public key and of either half of a signature, in bytes. */
  readonly length: number;
  readonly fieldOrder: Uint8Array;
  readonly groupOrder: Uint8Array;
  /** The y coordinates of the points whose order divides the cofactor: 8 points on edwards25519, 4 on edwards448. */
  readonly smallOrder: readonly Uint8Array[];
}

function littleEndian(value: bigint, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => Number((value >> BigInt(8 * index)) & 0xffn));
}

function facts(length: number, field: bigint, group: bigint, ys: readonly bigint[]): EdwardsFacts {
  const smallOrder = ys.map((y) => littleEndian(y, length));
  return { length, fieldOrder: littleEndian(field, length), groupOrder: littleEndian(group, length), smallOrder };
}

const P_25519 = 2n ** 255n - 19n;
const P_448 = 2n ** 448n - 2n ** 224n - 1n;
/** One y of the points of order 8 of edwards25519; the other is its negative. */
const Y_OF_ORDER_8 = 0x7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7n;

const EDWARDS: Readonly<Record<EdwardsCurve, EdwardsFacts>> = {
  ed25519: facts(32, P_25519, 2n ** 252n + 27742317777372353535851937790883648493n, [
    0n,
    1n,
    P_25519 - 1n,
    Y_OF_ORDER_8,
    P_25519 - Y_OF_ORDER_8,
  ]),
  ed448: facts(57, P_448, 2n ** 446n - 0x8335dc163bb124b65129c96fde933d8d723a70aadc873d6d54a7bb0dn, [
    0n,
    1n,
    P_448 - 1n,
  ]),
};

/**
 * What every provider asks of an EdDSA key and signature before its library sees them. Versions of OpenSSL, of Node and
 * of browsers disagree exactly here, and members whose libraries disagree about a commit part for ever.
 *
 * | case                                                    | Ed25519 | Ed448   | decided by                     |
 * | ------------------------------------------------------- | ------- | ------- | ------------------------------ |
 * | key or signature of another length                      | refused | refused | here                           |
 * | S not below the group order                             | refused | refused | here (RFC 8032 §5.1.7, §5.2.7) |
 * | y of A or R not below the field order                   | refused | refused | here (RFC 8032 §5.1.3, §5.2.3) |
 * | A or R of small order, either sign bit                  | refused | refused | here (as WebCrypto and OpenMLS)|
 * | A of mixed order, equation holds                        | taken   | taken   | the equation                   |
 * | A or R of mixed order, equation holds times cofactor    | refused | taken   | the equation                   |
 *
 * The equation of Ed25519 is cofactorless and that of Ed448 cofactored, both as in OpenSSL, which computes the latter
 * on an isogenous curve where the torsion is gone.
 */
export function mayBeEdDsa(curve: EdwardsCurve, publicKey: Uint8Array, signature: Uint8Array): boolean {
  const facts = EDWARDS[curve];
  const { length, groupOrder } = facts;
  return (
    publicKey.length === length &&
    signature.length === 2 * length &&
    compareAt(signature, length, groupOrder, 0xff) < 0 &&
    mayBeLargeOrderPoint(facts, publicKey) &&
    mayBeLargeOrderPoint(facts, signature)
  );
}

/** Looks at the point that bytes begin with; its highest bit is the sign of x. */
function mayBeLargeOrderPoint({ fieldOrder, smallOrder }: EdwardsFacts, bytes: Uint8Array): boolean {
  if (compareAt(bytes, 0, fieldOrder, 0x7f) >= 0) return false;
  for (const y of smallOrder) if (compareAt(bytes, 0, y, 0x7f) === 0) return false;
  return true;
}

/**
 * Compares the little-endian number at an offset, its highest byte masked, with one of known length; both are public.
 * Nothing is copied: a join asks this of every leaf.
 */
function compareAt(bytes: Uint8Array, offset: number, number: Uint8Array, topMask: number): number {
  const top = number.length - 1;
  for (let at = top; at >= 0; at--) {
    const byte = (bytes[offset + at] ?? 0) & (at === top ? topMask : 0xff);
    const difference = byte - (number[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
