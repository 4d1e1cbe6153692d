import { concatBytes, toHex, utf8 } from "@latchkey/mls";
import { ed25519, ed25519ph } from "@noble/curves/ed25519.js";
import { sha512 } from "@noble/hashes/sha2.js";
import { seed } from "./inboxes.ts";
import { add, created, INSTALLATION, installation, type Probe } from "./probe-kit.ts";

const { Point } = ed25519;
const { Fn } = Point;
type EdwardsPoint = InstanceType<typeof Point>;

const P = 2n ** 255n - 19n;
const CONTEXT = "IDENTITY UPDATE SIGNATURE";
/** Of order 8. */
const TORSION = Point.fromBytes(littleEndian(0x7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7n));
const SECRET = 0x1234567890abcdef1234567890abcdefn;

function littleEndian(value: bigint, length = 32): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => Number((value >> BigInt(8 * index)) & 0xffn));
}

function number(bytes: Uint8Array): bigint {
  return bytes.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
}

function challenge(r: Uint8Array, publicKey: Uint8Array, text: string): bigint {
  const domain = concatBytes(utf8("SigEd25519 no Ed25519 collisions"), Uint8Array.of(1, CONTEXT.length), utf8(CONTEXT));
  return Fn.create(number(sha512(concatBytes(domain, r, publicKey, sha512(utf8(text))))));
}

/** A valid addition of an installation key by a signature that is found by trying nonces. */
function found(publicKey: Uint8Array, attempt: (text: string, nonce: bigint) => Uint8Array | undefined) {
  const sign = (text: string) => {
    for (let nonce = 2n; ; nonce++) {
      const bytes = attempt(text, nonce);
      if (bytes !== undefined) return installation(publicKey, bytes);
    }
  };
  return [created(add({ kind: "installation", value: toHex(publicKey) }, sign))];
}

function signature(r: Uint8Array, s: bigint): Uint8Array {
  return concatBytes(r, littleEndian(s));
}

/** Signs for SECRET plus a torsion point; the cofactorless equation holds when k is a multiple of the torsion's order. */
function mixedKey(torsion: EdwardsPoint, holds: boolean): Probe {
  const publicKey = Point.BASE.multiply(SECRET).add(torsion).toBytes();
  const log = found(publicKey, (text, nonce) => {
    const r = Point.BASE.multiply(nonce).toBytes();
    const k = challenge(r, publicKey, text);
    const equation = torsion.multiplyUnsafe(k).is0();
    return equation === holds ? signature(r, Fn.create(nonce + k * SECRET)) : undefined;
  });
  return {
    title: `Ed25519 mixed-order key, equation ${holds ? "holds" : "holds times the cofactor only"}`,
    log,
    holds,
  };
}

/** Any S does under a key of small order when R is computed for it. */
function smallKey(publicKey: Uint8Array, title: string): Probe {
  const point = Point.fromBytes(publicKey, true);
  const log = found(publicKey, (text, nonce) => {
    for (let multiple = 0n; multiple < 8n; multiple++) {
      const r = Point.BASE.multiply(nonce).add(TORSION.multiplyUnsafe(multiple)).toBytes();
      const minus = point.multiplyUnsafe(challenge(r, publicKey, text)).negate();
      if (TORSION.multiplyUnsafe(multiple).equals(minus)) return signature(r, nonce);
    }
    return undefined;
  });
  return { title: `Ed25519 key ${title}, equation holds`, log, holds: true };
}

/** An honest key; R and S as given. */
function honestKey(title: string, holds: boolean, forge: (text: string) => Uint8Array): Probe {
  const publicKey = Point.BASE.multiply(SECRET).toBytes();
  return { title: `Ed25519 ${title}`, log: found(publicKey, forge), holds };
}

/** R of small order: S = k · secret + what R is not. */
function fixedR(r: Uint8Array) {
  return (text: string): Uint8Array =>
    signature(r, Fn.create(challenge(r, Point.BASE.multiply(SECRET).toBytes(), text) * SECRET));
}

const signBit = (bytes: Uint8Array): Uint8Array => bytes.map((byte, index) => (index === 31 ? byte | 0x80 : byte));

/** Additions of an installation key, at every border of Ed25519ph. */
export function ed25519Probes(): Probe[] {
  const { publicKey, id } = INSTALLATION;
  const honest = (title: string, holds: boolean, bytes: (text: string) => Uint8Array): Probe => ({
    title: `Ed25519 ${title}`,
    log: [created(add({ kind: "installation", value: id }, (text) => installation(publicKey, bytes(text))))],
    holds,
  });
  const sign = (text: string) => INSTALLATION.sign(text);
  return [
    honest("honest", true, sign),
    honest("another text", false, (text) => sign(`${text} `)),
    honest("another context", false, (text) =>
      ed25519ph.sign(utf8(text), INSTALLATION.privateKey, { context: utf8("PUBLIC SIGNATURE CONTEXT") }),
    ),
    honest("no context", false, (text) => ed25519ph.sign(utf8(text), INSTALLATION.privateKey)),
    honest("without prehash", false, (text) => ed25519.sign(utf8(text), INSTALLATION.privateKey)),
    honest("another key", false, (text) =>
      ed25519ph.sign(utf8(text), seed(77), { context: utf8("IDENTITY UPDATE SIGNATURE") }),
    ),
    honest("S plus the group order", false, (text) => {
      const bytes = sign(text);
      return signature(bytes.subarray(0, 32), number(bytes.subarray(32)) + Fn.ORDER);
    }),
    honest("63 bytes", false, (text) => sign(text).subarray(0, 63)),
    honest("65 bytes", false, (text) => concatBytes(sign(text), Uint8Array.of(0))),
    ...[1n, 2n, 4n].flatMap((times) => [true, false].map((holds) => mixedKey(TORSION.multiplyUnsafe(times), holds))),
    honestKey("R of mixed order", false, (text) => {
      const r = Point.BASE.multiply(3n).add(TORSION).toBytes();
      return signature(r, Fn.create(3n + challenge(r, Point.BASE.multiply(SECRET).toBytes(), text) * SECRET));
    }),
    honestKey("R of small order, equation holds", true, fixedR(Point.ZERO.toBytes())),
    honestKey("R the neutral element with its sign bit", false, fixedR(signBit(Point.ZERO.toBytes()))),
    honestKey("R the neutral element, y plus the field order", false, fixedR(littleEndian(P + 1n))),
    honestKey("R of order 8", false, fixedR(TORSION.toBytes())),
    ...[0n, 1n, 2n, 3n, 4n].map((times) =>
      smallKey(TORSION.multiplyUnsafe(times).toBytes(), `of small order ${times}`),
    ),
    smallKey(signBit(Point.ZERO.toBytes()), "the neutral element with its sign bit"),
    smallKey(littleEndian(P + 1n), "the neutral element, y plus the field order"),
    smallKey(signBit(littleEndian(P + 1n)), "the neutral element, y plus the field order, with its sign bit"),
    smallKey(littleEndian(P), "of order 4, y plus the field order"),
    smallKey(littleEndian(P - 1n), "of order 2"),
    smallKey(signBit(littleEndian(P - 1n)), "of order 2 with its sign bit"),
    {
      title: "Ed25519 key that is no point",
      log: [
        created(
          add({ kind: "installation", value: "02".repeat(32) }, (text) =>
            installation(new Uint8Array(32).fill(2), sign(text)),
          ),
        ),
      ],
      holds: false,
    },
  ];
}
