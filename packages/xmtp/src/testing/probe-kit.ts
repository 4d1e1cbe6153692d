import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { concatBytes, toHex, utf8 } from "@latchkey/mls";
import { p256 } from "@noble/curves/nist.js";
import { secp256k1 } from "@noble/curves/secp256k1.js";
import { sha256 } from "@noble/hashes/sha2.js";
import {
  IdentifierKind,
  IdentityUpdateSchema,
  SignatureSchema,
  type IdentityUpdate,
  type Signature,
} from "../proto.ts";
import { seed, TEST_TIME_NS } from "./inboxes.ts";
import { IdentityError } from "../errors.ts";
import { eip191Hash, ethereumAddress } from "../identity/eip191.ts";
import { deriveInboxId, memberIdentifierInit, type Identifier } from "../identity/identifier.ts";
import { InstallationKey } from "../identity/installation-key.ts";
import { identityUpdateText } from "../identity/signature-text.ts";

/**
 * Identity logs at the borders of the rules, with the verdict of XMTP's native library on each: interop scenario 4.2 asks
 * it, and the tests of this package hold our verdict against the same list.
 */
export interface Probe {
  readonly title: string;
  readonly log: readonly IdentityUpdate[];
  /** Whether the whole log is valid. */
  readonly holds: boolean;
}

type ActionInit = NonNullable<MessageInitShape<typeof IdentityUpdateSchema>["actions"]>[number];
/** An action, unsigned for the text of the update, and signed. */
export type Act = (text: string | undefined) => ActionInit;
export type Sign = (text: string) => Signature;

function textOf(unsigned: IdentityUpdate): string {
  try {
    return identityUpdateText(unsigned);
  } catch (error) {
    if (error instanceof IdentityError) return "an update without a text, which nobody can sign";
    throw error;
  }
}

/** An update whose actions are signed over its text. */
export function update(inboxId: string, acts: readonly Act[], clientTimestampNs = TEST_TIME_NS): IdentityUpdate {
  const header = { inboxId, clientTimestampNs };
  const unsigned = create(IdentityUpdateSchema, { ...header, actions: acts.map((act) => act(undefined)) });
  const text = textOf(unsigned);
  return create(IdentityUpdateSchema, { ...header, actions: acts.map((act) => act(text)) });
}

export const WALLET_KEY = seed(501);
export const WALLET: Identifier & { kind: "ethereum" } = {
  kind: "ethereum",
  value: ethereumAddress(secp256k1.getPublicKey(WALLET_KEY, false)),
};
export const NONCE = 1n;
export const INBOX = deriveInboxId(WALLET.value, NONCE);
export const INSTALLATION = new InstallationKey(seed(502));

/** r, s and v of a wallet, 65 bytes. */
export function walletBytes(text: string, key = WALLET_KEY): Uint8Array {
  const signature = secp256k1.sign(eip191Hash(text), key, { prehash: false, format: "recovered" });
  return concatBytes(signature.subarray(1), Uint8Array.of(27 + (signature[0] ?? 0)));
}

export function wallet(bytes: Uint8Array): Signature {
  return create(SignatureSchema, { signature: { case: "erc191", value: { bytes } } });
}

export const byWallet: Sign = (text) => wallet(walletBytes(text));

export function installation(publicKey: Uint8Array, bytes: Uint8Array): Signature {
  return create(SignatureSchema, { signature: { case: "installationKey", value: { bytes, publicKey } } });
}

export const byInstallation: Sign = (text) => installation(INSTALLATION.publicKey, INSTALLATION.sign(text));

export function createInbox(
  by: Sign,
  owner: Identifier = WALLET,
  options: { nonce?: bigint; text?: string } = {},
): Act {
  const initial = {
    initialIdentifier: options.text ?? owner.value,
    initialIdentifierKind: owner.kind === "passkey" ? IdentifierKind.PASSKEY : IdentifierKind.ETHEREUM,
    nonce: options.nonce ?? NONCE,
  };
  return (text) => ({
    kind: {
      case: "createInbox",
      value: { ...initial, ...(text !== undefined && { initialIdentifierSignature: by(text) }) },
    },
  });
}

export function add(member: Identifier, added: Sign, existing: Sign = byWallet): Act {
  const newMemberIdentifier = memberIdentifierInit(member);
  return (text) => ({
    kind: {
      case: "add",
      value: {
        newMemberIdentifier,
        ...(text !== undefined && { existingMemberSignature: existing(text), newMemberSignature: added(text) }),
      },
    },
  });
}

export function revoke(member: Identifier, by: Sign = byWallet): Act {
  const memberToRevoke = memberIdentifierInit(member);
  return (text) => ({
    kind: {
      case: "revoke",
      value: { memberToRevoke, ...(text !== undefined && { recoveryIdentifierSignature: by(text) }) },
    },
  });
}

export function changeRecovery(
  newRecoveryIdentifier: string,
  kind: IdentifierKind = IdentifierKind.ETHEREUM,
  by: Sign = byWallet,
): Act {
  const value = { newRecoveryIdentifier, newRecoveryIdentifierKind: kind };
  return (text) => ({
    kind: {
      case: "changeRecoveryAddress",
      value: { ...value, ...(text !== undefined && { existingRecoveryIdentifierSignature: by(text) }) },
    },
  });
}

export const addInstallation = add({ kind: "installation", value: INSTALLATION.id }, byInstallation);

/** The first update of the wallet's inbox, further actions in it. */
export function created(...acts: Act[]): IdentityUpdate {
  return update(INBOX, [createInbox(byWallet), ...acts]);
}

/** The signed text of a passkey and its encoding, with room for every deviation. */
export interface PasskeyForm {
  readonly publicKey?: Uint8Array;
  readonly clientData?: (challenge: string) => string | Uint8Array;
  readonly authenticatorData?: Uint8Array;
  readonly signature?: (compact: Uint8Array) => Uint8Array;
}

export const PASSKEY_KEY = seed(503);
export const PASSKEY_POINT = p256.Point.BASE.multiply(p256.Point.Fn.fromBytes(PASSKEY_KEY));
export const PASSKEY: Identifier = { kind: "passkey", value: toHex(PASSKEY_POINT.toBytes(false)) };

export function usualClientData(challenge: string): string {
  return `{"type":"webauthn.get","challenge":"${challenge}","origin":"https://example.org","crossOrigin":false}`;
}

export function byPasskey(form: PasskeyForm = {}): Sign {
  const { publicKey = PASSKEY_POINT.toBytes(false), clientData = usualClientData } = form;
  const authenticatorData = form.authenticatorData ?? new Uint8Array(37).fill(5);
  return (text) => {
    const data = clientData(Buffer.from(text).toString("base64url"));
    const clientDataJson = typeof data === "string" ? utf8(data) : data;
    const message = concatBytes(authenticatorData, sha256(clientDataJson));
    const compact = p256.sign(message, PASSKEY_KEY, { lowS: true });
    const der = p256.Signature.fromBytes(compact, "compact").toBytes("der");
    const signature = form.signature?.(compact) ?? der;
    const value = { publicKey, signature, authenticatorData, clientDataJson };
    return create(SignatureSchema, { signature: { case: "passkey", value } });
  };
}
