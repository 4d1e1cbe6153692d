import type { EdwardsPoint } from "@noble/curves/abstract/edwards.js";
import { ed25519 } from "@noble/curves/ed25519.js";
import { ed448 } from "@noble/curves/ed448.js";
import { sha512 } from "@noble/hashes/sha2.js";
import { shake256 } from "@noble/hashes/sha3.js";
import { concatBytes, toHex, utf8 } from "../bytes.ts";

/** A signature, and whether every provider must take it. */
export interface EdgeSignature {
  readonly name: string;
  readonly suite: number;
  readonly publicKey: Uint8Array;
  readonly message: Uint8Array;
  readonly signature: Uint8Array;
  readonly isGood: boolean;
}

/** Parameters of a curve for the cases. */
interface Curve {
  readonly name: string;
  readonly suite: number;
  readonly Point: typeof ed25519.Point;
  /** A point of the order `cofactor`. */
  readonly torsion: EdwardsPoint;
  readonly cofactor: number;
  /** The hash that k of RFC 8032 §5.1.7 and §5.2.7 is made of. */
  readonly digest: (r: Uint8Array, publicKey: Uint8Array, message: Uint8Array) => Uint8Array;
  /** Whether a signature whose equation holds only times the cofactor is taken. */
  readonly isCofactored: boolean;
}

function fromLittleEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${toHex(bytes.toReversed())}`);
}

function littleEndian(value: bigint, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => Number((value >> BigInt(8 * index)) & 0xffn));
}

const ED25519: Curve = {
  name: "Ed25519",
  suite: 1,
  Point: ed25519.Point,
  torsion: ed25519.Point.fromHex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
  cofactor: 8,
  digest: (r, publicKey, message) => sha512(concatBytes(r, publicKey, message)),
  isCofactored: false,
};

const ED448: Curve = {
  name: "Ed448",
  suite: 4,
  Point: ed448.Point,
  torsion: ed448.Point.fromBytes(new Uint8Array(57)),
  cofactor: 4,
  digest: (r, publicKey, message) => {
    const prefix = concatBytes(utf8("SigEd448"), Uint8Array.of(0, 0));
    return shake256(concatBytes(prefix, r, publicKey, message), { dkLen: 114 });
  },
  isCofactored: true,
};

/** k, reduced before it meets a point: on points of mixed order that makes a difference. */
function challenge({ Point, digest }: Curve, r: Uint8Array, publicKey: Uint8Array, message: Uint8Array): bigint {
  return fromLittleEndian(digest(r, publicKey, message)) % Point.Fn.ORDER;
}

const PRIVATE = 0x1234567890abcdefn;
const NONCE = 0xfedcba0987654321n;
const MESSAGE = utf8("edge");

/** The first message whose challenge, modulo the cofactor, the condition holds for. */
function messageWhere(curve: Curve, r: Uint8Array, publicKey: Uint8Array, holds: (k: number) => boolean): Uint8Array {
  for (let count = 0; ; count++) {
    const message = utf8(`edge ${count}`);
    if (holds(Number(challenge(curve, r, publicKey, message) % BigInt(curve.cofactor)))) return message;
  }
}

/** R ‖ S with S = nonce + k · privateKey. It fits R and A when both come from these scalars. */
function signed(curve: Curve, r: Uint8Array, publicKey: Uint8Array, message: Uint8Array, nonce = NONCE, key = PRIVATE) {
  const k = challenge(curve, r, publicKey, message);
  return concatBytes(r, littleEndian((nonce + k * key) % curve.Point.Fn.ORDER, r.length));
}

function withSignBit(point: Uint8Array): Uint8Array {
  return point.with(-1, (point.at(-1) ?? 0) | 0x80);
}

type Case = (
  text: string,
  isGood: boolean,
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
) => EdgeSignature;

function caseOf({ name, suite }: Curve): Case {
  return (text, isGood, publicKey, message, signature) => {
    return { name: `${name}, ${text}`, suite, publicKey, message, signature, isGood };
  };
}

/** An honest signature, and byte strings that are no signature for any verifier. */
function malformed(curve: Curve, a: Uint8Array, r: Uint8Array): EdgeSignature[] {
  const make = caseOf(curve);
  const { length } = r;
  const honest = signed(curve, r, a, MESSAGE);
  const tooLarge = littleEndian(fromLittleEndian(honest.subarray(length)) + curve.Point.Fn.ORDER, length);
  // On neither curve has a point this y.
  const offCurve = littleEndian(2n, length);
  return [
    make("honest", true, a, MESSAGE, honest),
    make("another message", false, a, utf8("other"), honest),
    make("S + group order", false, a, MESSAGE, concatBytes(r, tooLarge)),
    make("one byte short", false, a, MESSAGE, honest.subarray(1)),
    make("one byte long", false, a, MESSAGE, concatBytes(honest, Uint8Array.of(0))),
    make("all zero", false, a, MESSAGE, new Uint8Array(2 * length)),
    make("a key of another length", false, a.subarray(1), MESSAGE, honest),
    make("A not on the curve", false, offCurve, MESSAGE, honest),
    make("R not on the curve", false, a, MESSAGE, signed(curve, offCurve, a, MESSAGE)),
  ];
}

/** A or R is the point of small order with that index; signatures of anything by anybody, could it be so. */
function smallOrder(curve: Curve, a: Uint8Array, r: Uint8Array, index: number): EdgeSignature[] {
  const make = caseOf(curve);
  const point = curve.torsion.multiplyUnsafe(BigInt(index)).toBytes();
  return [point, withSignBit(point)].flatMap((small, flips) => {
    const text = `of small order ${index}${flips === 0 ? "" : ", sign bit set"}`;
    const message = messageWhere(curve, r, small, (k) => (k * index) % curve.cofactor === 0);
    return [
      make(`A ${text}`, false, small, message, signed(curve, r, small, message, NONCE, 0n)),
      make(`R ${text}`, false, a, MESSAGE, signed(curve, small, a, MESSAGE, 0n)),
    ];
  });
}

/** A or R is off its subgroup by the point of small order with that index. */
function mixedOrder(curve: Curve, a: Uint8Array, r: Uint8Array, index: number): EdgeSignature[] {
  const make = caseOf(curve);
  const { Point, torsion, cofactor, isCofactored } = curve;
  const mixedA = Point.BASE.multiply(PRIVATE).add(torsion).toBytes();
  const mixedR = Point.BASE.multiply(NONCE)
    .add(torsion.multiplyUnsafe(BigInt(index)))
    .toBytes();
  const matching = messageWhere(curve, mixedR, mixedA, (k) => (k + index) % cofactor === 0);
  const differing = messageWhere(curve, r, mixedA, (k) => k === index);
  const harmless = messageWhere(curve, r, mixedA, (k) => k === 0);
  const text = `of mixed order ${index}`;
  return [
    make(`A ${text}, equation holds`, true, mixedA, harmless, signed(curve, r, mixedA, harmless)),
    make(`A and R ${text}, equation holds`, true, mixedA, matching, signed(curve, mixedR, mixedA, matching)),
    make(`A ${text}, holds times cofactor`, isCofactored, mixedA, differing, signed(curve, r, mixedA, differing)),
    make(`R ${text}, holds times cofactor`, isCofactored, a, MESSAGE, signed(curve, mixedR, a, MESSAGE)),
  ];
}

/** A or R has a y coordinate that is not reduced. */
function unreduced(curve: Curve, a: Uint8Array, r: Uint8Array, y: bigint): EdgeSignature[] {
  const make = caseOf(curve);
  const point = littleEndian(curve.Point.Fp.ORDER + y, r.length);
  const message = messageWhere(curve, r, point, (k) => k === 0);
  return [
    make(`A with y = p + ${y.toString()}`, false, point, message, signed(curve, r, point, message, NONCE, 0n)),
    make(`R with y = p + ${y.toString()}`, false, a, MESSAGE, signed(curve, point, a, MESSAGE, 0n)),
  ];
}

/** Every line of the table of `mayBeEdDsa`, for one curve. */
function casesOf(curve: Curve): EdgeSignature[] {
  const a = curve.Point.BASE.multiply(PRIVATE).toBytes();
  const r = curve.Point.BASE.multiply(NONCE).toBytes();
  const indices = Array.from({ length: curve.cofactor }, (_, index) => index);
  return [
    ...malformed(curve, a, r),
    ...indices.flatMap((index) => smallOrder(curve, a, r, index)),
    ...indices.slice(1).flatMap((index) => mixedOrder(curve, a, r, index)),
    ...[0n, 1n].flatMap((y) => unreduced(curve, a, r, y)),
  ];
}

/** EdDSA signatures on which libraries disagree, with the verdict of `mayBeEdDsa`'s table. */
export const EDGE_EDDSA: readonly EdgeSignature[] = [ED25519, ED448].flatMap(casesOf);
