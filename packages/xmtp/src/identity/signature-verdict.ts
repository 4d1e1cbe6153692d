import { decodeUtf8, toHex, utf8 } from "@latchkey/mls";
import { sha256 } from "@noble/hashes/sha2.js";
import type { Identifier } from "./identifier.ts";
import type { SignatureKind, VerifiedSignature } from "./signature.ts";

/** Changes whenever a rule of `verifySignature` changes: earlier verdicts are then verified again. */
const RULES_VERSION = 1;

/** Verdict on the signatures of one identity update; "refused" when one of them does not hold. */
export type SignatureVerdict = readonly VerifiedSignature[] | "refused";

const KINDS: Readonly<Record<SignatureKind, true>> = {
  erc_191: true,
  erc_6492: true,
  installation_key: true,
  delegated_erc_191: true,
  passkey: true,
};
const MEMBER_KINDS: Readonly<Record<Identifier["kind"], true>> = { ethereum: true, passkey: true, installation: true };

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function decodeSignature(value: unknown): VerifiedSignature | undefined {
  if (!isObject(value) || !isObject(value["signer"])) return undefined;
  const { kind, seen, chainId } = value;
  const { kind: signerKind, value: name } = value["signer"];
  if (typeof kind !== "string" || !Object.hasOwn(KINDS, kind)) return undefined;
  if (typeof signerKind !== "string" || !Object.hasOwn(MEMBER_KINDS, signerKind)) return undefined;
  if (typeof name !== "string" || typeof seen !== "string") return undefined;
  if (chainId !== undefined && (typeof chainId !== "string" || !/^\d{1,20}$/.test(chainId))) return undefined;
  return {
    signer: { kind: signerKind as Identifier["kind"], value: name },
    kind: kind as SignatureKind,
    seen,
    chainId: chainId === undefined ? undefined : BigInt(chainId),
  };
}

/** A verdict as bytes to be kept; it names the serialized update that it was given for by its SHA-256. */
export function encodeSignatureVerdict(update: Uint8Array, verdict: SignatureVerdict): Uint8Array {
  const signatures =
    verdict === "refused" ? verdict : verdict.map((one) => ({ ...one, chainId: one.chainId?.toString() }));
  return utf8(JSON.stringify({ rules: RULES_VERSION, update: toHex(sha256(update)), signatures }));
}

/** The verdict in bytes that were kept; undefined when it is of other rules, for another update, or unreadable. */
export function decodeSignatureVerdict(update: Uint8Array, kept: Uint8Array): SignatureVerdict | undefined {
  let value: unknown;
  try {
    value = JSON.parse(decodeUtf8(kept));
  } catch {
    return undefined;
  }
  if (!isObject(value) || value["rules"] !== RULES_VERSION || value["update"] !== toHex(sha256(update))) {
    return undefined;
  }
  const { signatures } = value;
  if (signatures === "refused") return signatures;
  if (!Array.isArray(signatures)) return undefined;
  const decoded = signatures.map(decodeSignature);
  return decoded.every((one) => one !== undefined) ? decoded : undefined;
}
