import { argumentInvalid } from "@latchkey/mls";
import { localWallet, type WalletSigner } from "@latchkey/xmtp";
import { HDKey } from "@scure/bip32";
import { generateMnemonic, mnemonicToSeedSync, validateMnemonic } from "@scure/bip39";
import { wordlist } from "@scure/bip39/wordlists/english";
import { walledNow } from "../public-calls.ts";

/** Where wallets derive the first account of Ethereum from words (BIP-44), so that any of them imports these. */
const PATH = "m/44'/60'/0'/0/0";

/** Bits of entropy of twelve words. */
const STRENGTH_BITS = 128;

/** Twelve fresh English words (BIP-39) of 128 bits. Whoever has them has the inbox: they are shown once, and kept on paper. */
export function newRecoveryWords(): string {
  return walledNow(() => generateMnemonic(wordlist, STRENGTH_BITS));
}

/**
 * The wallet of recovery words, at the path m/44'/60'/0'/0/0, as a signer. Upper case and any white space are taken.
 * Takes about 50 ms, in one piece.
 *
 * @throws ARGUMENT_INVALID, which says which word is not one, by its place and never by itself.
 */
export function recoverySigner(words: string): WalletSigner {
  return walledNow(() => walletOf(words));
}

function walletOf(words: string): WalletSigner {
  if (typeof words !== "string") throw argumentInvalid("words", "recovery words, a text");
  const list = words.normalize("NFKD").toLowerCase().trim().split(/\s+/);
  const wrong = list.findIndex((word) => !wordlist.includes(word));
  if (wrong >= 0) throw argumentInvalid("words", `recovery words; word ${wrong + 1} is not one of the list of BIP-39`);
  const phrase = list.join(" ");
  if (!validateMnemonic(phrase, wordlist)) {
    throw argumentInvalid("words", "12 to 24 recovery words in their order; one is missing, or two are mixed up");
  }
  const { privateKey } = HDKey.fromMasterSeed(mnemonicToSeedSync(phrase)).derive(PATH);
  if (privateKey === null) throw argumentInvalid("words", "recovery words that give a key");
  return localWallet(privateKey);
}
