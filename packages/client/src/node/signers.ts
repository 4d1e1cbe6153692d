import { argumentInvalid, fromHex, optional, requireBytes } from "@latchkey/mls";
import { localWallet, type WalletSigner } from "@latchkey/xmtp";
import { requireAccount } from "./arguments.ts";
import type { MessageAccount } from "./options.ts";

/** A viem account, or anything that signs texts like one, as the owner of an inbox. Throws ARGUMENT_INVALID. */
export function walletSigner(account: MessageAccount): WalletSigner {
  const { address } = requireAccount(account, "account");
  return {
    identifier: address.toLowerCase(),
    async signMessage(text) {
      const signature: unknown = await account.signMessage({ message: text });
      if (typeof signature !== "string" || !/^0x([0-9a-f]{2})+$/i.test(signature)) {
        throw argumentInvalid("account", "one whose `signMessage` returns hex digits behind `0x`");
      }
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
  const key = optional(requireBytes(32))(privateKey, "privateKey");
  try {
    return localWallet(key);
  } catch (cause) {
    throw argumentInvalid("privateKey", "32 bytes, not zero and below the order of the curve", cause);
  }
}
