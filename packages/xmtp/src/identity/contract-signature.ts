import { IdentityError } from "../errors.ts";
import type { SmartContractWalletSignature } from "../proto.ts";
import { eip191Hash } from "./eip191.ts";
import type { VerifiedSignature } from "./signature.ts";
import { toHex } from "@latchkey/mls";

/** Question to a node about the signature of a smart-contract wallet (ERC-1271, ERC-6492). */
export interface ContractSignature {
  /** `eip155:<chain>:<address>` (CAIP-10). */
  readonly accountId: string;
  readonly blockNumber: bigint;
  readonly signature: Uint8Array;
  /** EIP-191 hash of the update's text, 32 bytes. */
  readonly hash: Uint8Array;
  /** The verified signature, once a node has confirmed it. */
  readonly verified: VerifiedSignature;
}

const ACCOUNT_ID = /^eip155:(\d{1,32}):((?:0x)?[0-9a-fA-F]{40})$/;

/**
 * The question about a smart-contract wallet's signature over the text of an update. Throws IdentityError
 * `IDENTITY_BAD_SIGNATURE` when it names no account of an EIP-155 chain.
 */
export function contractSignature(text: string, message: SmartContractWalletSignature): ContractSignature {
  const { accountId, blockNumber, signature } = message;
  const [, chain = "", address = ""] = ACCOUNT_ID.exec(accountId) ?? [];
  const chainId = BigInt(chain);
  if (address === "" || chainId >= 1n << 64n) {
    throw new IdentityError("IDENTITY_BAD_SIGNATURE", "a smart-contract wallet names no account of an EIP-155 chain");
  }
  const signer = { kind: "ethereum" as const, value: address.toLowerCase() };
  const verified: VerifiedSignature = { signer, kind: "erc_6492", seen: toHex(signature), chainId };
  return { accountId, blockNumber, signature, hash: eip191Hash(text), verified };
}
