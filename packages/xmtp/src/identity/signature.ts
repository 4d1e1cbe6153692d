import { toHex } from "@latchkey/mls";
import { IdentityError } from "../errors.ts";
import type { Signature } from "../proto.ts";
import { recoverEip191 } from "./eip191.ts";
import { installationIdentifier, type Identifier } from "./identifier.ts";
import { InstallationKey } from "./installation-key.ts";

export type SignatureKind = "erc_191" | "erc_6492" | "installation_key" | "delegated_erc_191" | "passkey";

/** A signature that was checked: who made it, and how. */
export interface VerifiedSignature {
  readonly signer: Identifier;
  readonly kind: SignatureKind;
  /** Hex of the signature in its only form, for finding replays. */
  readonly seen: string;
  /** Chain of a smart-contract wallet. */
  readonly chainId: bigint | undefined;
}

function unsupported(kind: SignatureKind, why: string): never {
  throw new IdentityError("IDENTITY_UNSUPPORTED_SIGNATURE", `a signature is of kind ${kind}: ${why}`, {
    data: { kind },
  });
}

/**
 * Checks one signature over the text of an update. Carried: wallets (EIP-191) and installation keys (Ed25519ph).
 * Smart-contract wallets need a chain to ask, passkeys and keys of the V2 protocol are not carried:
 * `IDENTITY_UNSUPPORTED_SIGNATURE`. Throws IdentityError `IDENTITY_BAD_SIGNATURE` for a signature that does not hold.
 */
export function verifySignature(text: string, message: Signature | undefined): VerifiedSignature {
  const signature = message?.signature;
  switch (signature?.case) {
    case "erc191": {
      const { signer, normalized } = recoverEip191(text, signature.value.bytes);
      return { signer, kind: "erc_191", seen: toHex(normalized), chainId: undefined };
    }
    case "installationKey": {
      const { bytes, publicKey } = signature.value;
      const signer = installationIdentifier(publicKey);
      if (!InstallationKey.verify(publicKey, text, bytes)) {
        throw new IdentityError("IDENTITY_BAD_SIGNATURE", "an installation's signature does not fit the update's text");
      }
      return { signer, kind: "installation_key", seen: toHex(bytes), chainId: undefined };
    }
    case "erc6492":
      return unsupported("erc_6492", "a smart-contract wallet can only be checked on its chain; use a key-held wallet");
    case "delegatedErc191":
      return unsupported("delegated_erc_191", "keys of the V2 protocol are not carried; sign with the wallet itself");
    case "passkey":
      return unsupported("passkey", "passkeys are not carried yet; sign with a wallet");
    default:
      throw new IdentityError("IDENTITY_MALFORMED", "a signature is missing or of an unknown kind");
  }
}
