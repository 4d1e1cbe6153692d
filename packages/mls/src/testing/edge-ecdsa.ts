import { p256, p384, p521 } from "@noble/curves/nist.js";
import { concatBytes, fromHex, utf8 } from "../bytes.ts";
import type { EdgeSignature } from "./edge-eddsa.ts";

const CURVES = [
  { name: "P-256", suite: 2, curve: p256 },
  { name: "P-384", suite: 7, curve: p384 },
  { name: "P-521", suite: 5, curve: p521 },
] as const;

function length(content: number): Uint8Array {
  return content < 0x80 ? Uint8Array.of(content) : Uint8Array.of(0x81, content);
}

function element(tag: number, ...contents: readonly Uint8Array[]): Uint8Array {
  const content = concatBytes(...contents);
  return concatBytes(Uint8Array.of(tag), length(content.length), content);
}

function unsigned(value: bigint): Uint8Array {
  const digits = value.toString(16);
  return fromHex(digits.padStart(2 * Math.ceil(digits.length / 2), "0"));
}

function integer(value: bigint): Uint8Array {
  const digits = unsigned(value);
  return element(0x02, (digits[0] ?? 0) >= 0x80 ? concatBytes(Uint8Array.of(0), digits) : digits);
}

function encoded(r: bigint, s: bigint): Uint8Array {
  return element(0x30, integer(r), integer(s));
}

/** A message and its signature, whose r needs a zero in front to be positive: without it, it is negative. */
function sampleOf({ curve }: (typeof CURVES)[number], privateKey: Uint8Array) {
  for (let count = 0; ; count++) {
    const message = utf8(`edge ${count}`);
    const { r, s } = curve.Signature.fromBytes(curve.sign(message, privateKey, { lowS: true }));
    if ((unsigned(r)[0] ?? 0) >= 0x80) return { message, r, s };
  }
}

/** One curve's cases: either S is good, and one encoding of each. */
function casesOf(entry: (typeof CURVES)[number]): EdgeSignature[] {
  const { name, suite, curve } = entry;
  const n = curve.Point.Fn.ORDER;
  const privateKey = new Uint8Array(curve.lengths.secretKey ?? 0).fill(1);
  const point = curve.getPublicKey(privateKey, false);
  const { message, r, s } = sampleOf(entry, privateKey);
  const honest = encoded(r, s);
  const content = concatBytes(integer(r), integer(s));
  const zero = Uint8Array.of(0);
  const otherLength = Uint8Array.of(0x30, ...(content.length < 0x80 ? [0x81] : []), content.length);
  const ofSignature = (text: string, isGood: boolean, signature: Uint8Array): EdgeSignature => ({
    name: `${name}, ${text}`,
    suite,
    publicKey: point,
    message,
    signature,
    isGood,
  });
  const ofKey = (text: string, publicKey: Uint8Array): EdgeSignature => ({
    name: `${name}, ${text}`,
    suite,
    publicKey,
    message,
    signature: honest,
    isGood: false,
  });
  const changed = (index: number, value: number): Uint8Array => point.with(index, value);
  return [
    ofSignature("low S", true, honest),
    ofSignature("high S", true, encoded(r, n - s)),
    ofSignature("negative r", false, element(0x30, element(0x02, unsigned(r)), integer(s))),
    ofSignature(
      "r with a zero too many",
      false,
      element(0x30, element(0x02, zero, integer(r).subarray(2)), integer(s)),
    ),
    ofSignature(
      "s with a zero too many",
      false,
      element(0x30, integer(r), element(0x02, zero, integer(s).subarray(2))),
    ),
    ofSignature("r = 0", false, encoded(0n, s)),
    ofSignature("s = 0", false, encoded(r, 0n)),
    ofSignature("r + order", false, encoded(r + n, s)),
    ofSignature("s + order", false, encoded(r, s + n)),
    ofSignature("r = order", false, encoded(n, s)),
    ofSignature("no digits", false, element(0x30, element(0x02), integer(s))),
    ofSignature("a byte behind the end", false, concatBytes(honest, zero)),
    ofSignature("a byte behind s", false, element(0x30, content, zero)),
    ofSignature("a third integer", false, element(0x30, content, integer(1n))),
    ofSignature("only r", false, element(0x30, integer(r))),
    ofSignature("cut short", false, honest.subarray(0, -1)),
    ofSignature(
      "a longer length than needed",
      false,
      concatBytes(Uint8Array.of(0x30, 0x82, 0, content.length), content),
    ),
    ofSignature("a length in the other of its two forms", false, concatBytes(otherLength, content)),
    ofSignature("BER's open end", false, concatBytes(Uint8Array.of(0x30, 0x80), content, zero, zero)),
    ofSignature("a set", false, honest.with(0, 0x31)),
    ofSignature("raw r and s", false, curve.sign(message, privateKey)),
    ofSignature("no bytes", false, new Uint8Array(0)),
    ofKey("a compressed key", curve.getPublicKey(privateKey, true)),
    ofKey("a hybrid key", changed(0, 0x06 | ((point.at(-1) ?? 0) & 1))),
    ofKey("a key not on the curve", changed(point.length - 1, (point.at(-1) ?? 0) ^ 1)),
    ofKey("the point at infinity", zero),
    ofKey("a key of zeros", new Uint8Array(point.length).with(0, 0x04)),
    ofKey("no key", new Uint8Array(0)),
  ];
}

/** ECDSA signatures and keys in every form that some library takes, for each curve. */
export const EDGE_ECDSA: readonly EdgeSignature[] = CURVES.flatMap(casesOf);
