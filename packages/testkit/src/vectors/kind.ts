import type { CipherSuite, CryptoProvider } from "@latchkey/mls";
import { numberField, type Fields } from "./fields.ts";

/** One of the formats in `test-vectors.md` of mlswg/mls-implementations. */
export interface VectorKind {
  /** Names of its official files, without `.json`. */
  readonly files: readonly string[];
  /** Fields that together only cases of this kind have: what a file under another name is recognised by. */
  readonly shape: readonly string[];
  /** Checks everything the format asks of a verifier; throws when one case fails, UnsupportedError when it cannot be run. */
  verify(vector: Fields, crypto: CryptoProvider): void | Promise<void>;
}

/** The cipher suite of a case; throws UnsupportedError for one that the provider does not carry. */
export function suiteOf(vector: Fields, crypto: CryptoProvider): CipherSuite {
  return crypto.suite(numberField(vector, "cipher_suite"));
}
