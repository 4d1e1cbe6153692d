import { fromHex } from "@latchkey/mls";
import { localWallet, type WalletSigner } from "@latchkey/xmtp";
import { clientError } from "../errors.ts";

/** The part of a viem `LocalAccount` that is needed. */
export interface MessageAccount {
  readonly address: string;
  signMessage(options: { message: string }): Promise<`0x${string}`>;
}

/** A viem account, or anything that signs texts like one, as the owner of an inbox. */
export function walletSigner(account: MessageAccount): WalletSigner {
  return {
    identifier: account.address.toLowerCase(),
    async signMessage(text) {
      const signature = await account.signMessage({ message: text });
      return fromHex(signature.slice(2));
    },
  };
}

/**
 * A wallet whose 32-byte key is held here, fresh unless given: for bots, tools and tests.
 *
 * @throws ARGUMENT_INVALID for bytes that are no private key of secp256k1.
 */
export function generatedSigner(privateKey?: Uint8Array): WalletSigner {
  try {
    return localWallet(privateKey);
  } catch (cause) {
    const message = "a private key has 32 bytes, is not zero and below the order of the curve";
    throw clientError("ARGUMENT_INVALID", message, { data: { argument: "privateKey" }, cause });
  }
}
