import { toHex } from "@latchkey/mls";
import { IdentityError } from "../errors.ts";
import type { Signature } from "../proto.ts";
import { recoverEip191 } from "./eip191.ts";
import { installationIdentifier, type Identifier } from "./identifier.ts";
import type { IdentityCurves } from "./identity-curves.ts";
import { InstallationKey } from "./installation-key.ts";
import { verifyLegacyKey } from "./legacy-key.ts";
import { verifyPasskey } from "./passkey.ts";

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

/**
 * Checks one signature over the text of an update by the rules of XMTP's network: wallets (EIP-191), installation keys
 * (Ed25519ph), passkeys (P-256) and keys of the V2 protocol. Throws IdentityError `IDENTITY_BAD_SIGNATURE` for a signature
 * that does not hold, and `IDENTITY_UNSUPPORTED_SIGNATURE` for a smart-contract wallet, which only its chain can verify: see
 * `contractSignature`.
 */
export function verifySignature(
  text: string,
  message: Signature | undefined,
  curves?: IdentityCurves,
): VerifiedSignature {
  const signature = message?.signature;
  switch (signature?.case) {
    case "erc191": {
      const { signer, normalized } = recoverEip191(text, signature.value.bytes, curves);
      return { signer, kind: "erc_191", seen: toHex(normalized), chainId: undefined };
    }
    case "installationKey": {
      const { bytes, publicKey } = signature.value;
      const signer = installationIdentifier(publicKey);
      if (!InstallationKey.verify(publicKey, text, bytes, curves)) {
        throw new IdentityError("IDENTITY_BAD_SIGNATURE", "an installation's signature does not fit the update's text");
      }
      return { signer, kind: "installation_key", seen: toHex(bytes), chainId: undefined };
    }
    case "passkey": {
      const { signer, compact } = verifyPasskey(text, signature.value);
      return { signer, kind: "passkey", seen: toHex(compact), chainId: undefined };
    }
    case "delegatedErc191": {
      const { signer, walletSignature } = verifyLegacyKey(text, signature.value, curves);
      return { signer, kind: "delegated_erc_191", seen: toHex(walletSignature), chainId: undefined };
    }
    case "erc6492":
      throw new IdentityError(
        "IDENTITY_UNSUPPORTED_SIGNATURE",
        "a smart-contract wallet can only be verified on its chain",
      );
    default:
      throw new IdentityError("IDENTITY_MALFORMED", "a signature is missing or of an unknown kind");
  }
}
