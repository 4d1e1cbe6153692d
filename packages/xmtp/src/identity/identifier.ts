import { fromHex, toHex, utf8 } from "@latchkey/mls";
import { sha256 } from "@noble/hashes/sha2.js";
import { IdentityError } from "../errors.ts";
import { IdentifierKind, type MemberIdentifier } from "../proto.ts";

/**
 * A member of an inbox: a wallet, a passkey or an installation; `value` is hex without prefix for the latter two.
 *
 * A wallet's value is `0x` and 40 lower-case hex digits wherever it was signed for. As the object of a revocation or of a
 * change of recovery it is any text: XMTP's network compares texts, and one that nobody can sign for matches nobody.
 */
export interface Identifier {
  readonly kind: "ethereum" | "passkey" | "installation";
  readonly value: string;
}

/** An identifier that can own an inbox. */
export type RootIdentifier = Identifier & { readonly kind: "ethereum" | "passkey" };

const INBOX_ID = /^[0-9a-f]{64}$/;
const ETHEREUM_ADDRESS = /^0x[0-9a-f]{40}$/;

/** True for 64 lower-case hex digits. */
export function isInboxId(text: string): boolean {
  return INBOX_ID.test(text);
}

/** `kind:value`: equal exactly for equal identifiers. */
export function identifierKey(identifier: Identifier): string {
  return `${identifier.kind}:${identifier.value}`;
}

export function sameIdentifier(a: Identifier, b: Identifier): boolean {
  return a.kind === b.kind && a.value === b.value;
}

/** Lower-cases and checks a wallet address; throws IdentityError `IDENTITY_MALFORMED`. */
export function ethereumIdentifier(address: string): RootIdentifier {
  const value = address.toLowerCase();
  if (!ETHEREUM_ADDRESS.test(value)) {
    throw new IdentityError("IDENTITY_MALFORMED", "a wallet address must be 0x and 40 hex digits");
  }
  return { kind: "ethereum", value };
}

/** The installation with that 32-byte Ed25519 public key; throws IdentityError `IDENTITY_MALFORMED`. */
export function installationIdentifier(publicKey: Uint8Array): Identifier {
  if (publicKey.length !== 32) {
    throw new IdentityError("IDENTITY_MALFORMED", `an installation key has 32 bytes, not ${publicKey.length}`);
  }
  return { kind: "installation", value: toHex(publicKey) };
}

/**
 * A root identifier as the wire gives it: text and kind, where every kind but passkey means Ethereum. Throws IdentityError
 * `IDENTITY_MALFORMED` for a passkey that is not hex.
 */
export function rootIdentifier(text: string, kind: IdentifierKind): RootIdentifier {
  if (kind !== IdentifierKind.PASSKEY) return { kind: "ethereum", value: text };
  if (!/^([0-9a-fA-F]{2})*$/.test(text)) {
    throw new IdentityError("IDENTITY_MALFORMED", "a passkey identifier must be the hex of its public key");
  }
  return { kind: "passkey", value: text.toLowerCase() };
}

/** Reads a MemberIdentifier; throws IdentityError `IDENTITY_MALFORMED` when it is absent or unknown. */
export function memberIdentifier(message: MemberIdentifier | undefined): Identifier {
  const kind = message?.kind;
  switch (kind?.case) {
    case "ethereumAddress":
      return { kind: "ethereum", value: kind.value };
    case "installationPublicKey":
      return { kind: "installation", value: toHex(kind.value) };
    case "passkey":
      return { kind: "passkey", value: toHex(kind.value.key) };
    default:
      throw new IdentityError("IDENTITY_MALFORMED", "a member identifier is missing or of an unknown kind");
  }
}

/** The MemberIdentifier fields of an identifier, for building messages. */
export function memberIdentifierInit(identifier: Identifier) {
  switch (identifier.kind) {
    case "ethereum":
      return { kind: { case: "ethereumAddress" as const, value: identifier.value } };
    case "installation":
      return { kind: { case: "installationPublicKey" as const, value: fromHex(identifier.value) } };
    case "passkey":
      return { kind: { case: "passkey" as const, value: { key: fromHex(identifier.value) } } };
  }
}

/**
 * The inbox id that an identifier and a nonce (u64) give: hex of SHA-256 over the identifier's text and the decimal
 * nonce (XIP-46). Wallet addresses are lower-cased first.
 */
export function deriveInboxId(identifier: string, nonce: bigint): string {
  if (nonce < 0n || nonce >= 1n << 64n) {
    throw new IdentityError("IDENTITY_MALFORMED", "an inbox nonce must be an unsigned 64-bit number");
  }
  return toHex(sha256(utf8(`${identifier.toLowerCase()}${nonce}`)));
}
