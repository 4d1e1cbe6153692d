import { equalBytes, fromHex, utf8 } from "../bytes.ts";
import { CURVES, type Curve, type KemCurve, type SignatureCurve } from "../crypto/curves.ts";
import type { HashName } from "../crypto/suites.ts";
import type { KeyAgreement, Signatures } from "./backend.ts";
import { nobleKeyAgreement, nobleKeys, nobleSignatures } from "./noble-curves.ts";
import { subtleKeyAgreement, subtleSignatures } from "./subtle-curves.ts";

/**
 * Signatures by WebCrypto where it passes a trial, made once, before the first use; by @noble otherwise, and always for
 * Ed448. Where WebCrypto answers with an error, @noble decides: browsers differ in the keys that they accept.
 */
export function signaturesOn(curve: SignatureCurve, hash: HashName, subtle: SubtleCrypto | undefined): Signatures {
  const noble = nobleSignatures(curve);
  if (subtle === undefined || curve === "ed448") return noble;
  const native = subtleSignatures(subtle, curve, hash);
  const choose = chooserOf(native, noble, () => signsAlike(curve, native, noble));
  return {
    sign: (privateKey, message) => choose((backend) => backend.sign(privateKey, message)),
    verify: (publicKey, message, signature) => choose((backend) => backend.verify(publicKey, message, signature)),
  };
}

/** As `signaturesOn`, for Diffie-Hellman; always by @noble for X448. */
export function keyAgreementOn(curve: KemCurve, subtle: SubtleCrypto | undefined): KeyAgreement {
  const noble = nobleKeyAgreement(curve);
  if (subtle === undefined || curve === "x448") return noble;
  const native = subtleKeyAgreement(subtle, curve);
  const choose = chooserOf(native, noble, () => agreesAlike(curve, native, noble));
  return { dh: (privateKey, publicKey) => choose((backend) => backend.dh(privateKey, publicKey)) };
}

type Chooser<Backend> = <Result>(call: (backend: Backend) => Promise<Result>) => Promise<Result>;

function chooserOf<Backend>(native: Backend, noble: Backend, trial: () => Promise<boolean>): Chooser<Backend> {
  let isTrusted: Promise<boolean> | undefined;
  return async (call) => {
    // A missing algorithm is an error as well.
    isTrusted ??= trial().catch(() => false);
    if (!(await isTrusted)) return call(noble);
    try {
      return await call(native);
    } catch {
      return call(noble);
    }
  };
}

const MESSAGE = utf8("trial");

/** A signature of MESSAGE by the trial key that is good only after multiplying the equation by the cofactor. */
const COFACTORED_ONLY = fromHex(
  "a45aa6bb10e6d6b65d2f20807f6da6346f490b45594062715e4669de16c025fb" +
    "41897dabee465492a0ef05661bcf7fc6656fe719068a3c605bdcde80b8fa6001",
);

/** A private key for the trials, the same every time; it is in the range of every curve. */
function trialKey(curve: Curve, last: number): Uint8Array {
  const key = new Uint8Array(CURVES[curve].privateKeyLength).fill(1);
  key[key.length - 1] = last;
  return key;
}

async function signsAlike(curve: SignatureCurve, native: Signatures, noble: Signatures): Promise<boolean> {
  const privateKey = trialKey(curve, 1);
  const publicKey = nobleKeys(curve).publicKey(privateKey);
  const [made, signature] = await Promise.all([native.sign(privateKey, MESSAGE), noble.sign(privateKey, MESSAGE)]);
  return (
    (await noble.verify(publicKey, MESSAGE, made)) &&
    (await native.verify(publicKey, MESSAGE, signature)) &&
    !(await native.verify(publicKey, utf8("other"), signature)) &&
    !(curve === "ed25519" && (await native.verify(publicKey, MESSAGE, COFACTORED_ONLY)))
  );
}

async function agreesAlike(curve: KemCurve, native: KeyAgreement, noble: KeyAgreement): Promise<boolean> {
  const privateKey = trialKey(curve, 1);
  const publicKey = nobleKeys(curve).publicKey(trialKey(curve, 2));
  const [shared, expected] = await Promise.all([native.dh(privateKey, publicKey), noble.dh(privateKey, publicKey)]);
  return equalBytes(shared, expected);
}
