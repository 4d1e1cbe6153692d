import type { CryptoProvider } from "../crypto/provider.ts";
import { providerOfSuites } from "../crypto/suites.ts";
import { randomBytes } from "./random.ts";
import { OpenSslSuite } from "./suite.ts";

/** Node's CryptoProvider, on OpenSSL: all seven cipher suites of RFC 9420 §17.1. */
export const nodeCrypto: CryptoProvider = providerOfSuites(
  (id, parameters) => new OpenSslSuite(id, parameters),
  randomBytes,
);
