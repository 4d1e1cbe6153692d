import type { CryptoProvider } from "../crypto/provider.ts";
import { providerOfSuites } from "../crypto/suites.ts";
import { randomBytes } from "./random.ts";
import { WebSuite } from "./suite.ts";

/** A CryptoProvider on the given WebCrypto and on @noble; without WebCrypto, on @noble alone. */
export function createWebCrypto(subtle: SubtleCrypto | undefined): CryptoProvider {
  return providerOfSuites((id, parameters) => new WebSuite(id, parameters, subtle), randomBytes);
}

/**
 * The CryptoProvider of browsers, and of any runtime with WebCrypto: all seven cipher suites of RFC 9420 §17.1.
 *
 * Hashes, HMAC, HKDF and AEADs are @noble's, because they must be synchronous; signatures and Diffie-Hellman are
 * WebCrypto's where it has them and agrees with @noble in a trial, and @noble's otherwise: 448-bit curves always, and
 * everything on a page that is not served securely. Public keys are always derived by @noble, whose arithmetic does not
 * branch on secrets, but which no JavaScript engine promises to run in constant time.
 */
export const webCrypto: CryptoProvider = createWebCrypto((globalThis.crypto as Partial<Crypto>).subtle);
