import { randomBytes } from "node:crypto";
import { CIPHER_SUITE, type CipherSuite, type CryptoProvider } from "../crypto/provider.ts";
import { UnsupportedError } from "../errors.ts";
import { X25519Ed25519Suite } from "./suite.ts";

const suites = new Map<number, CipherSuite>(
  [
    new X25519Ed25519Suite(CIPHER_SUITE.MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519, "aes-128-gcm"),
    new X25519Ed25519Suite(CIPHER_SUITE.MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519, "chacha20-poly1305"),
  ].map((suite) => [suite.id, suite]),
);

/** Node's CryptoProvider, on OpenSSL: cipher suites 1 and 3. */
export const nodeCrypto: CryptoProvider = {
  suite(id) {
    const suite = suites.get(id);
    if (suite === undefined) {
      throw new UnsupportedError(`cipher suite ${id} is not carried by this provider`, { data: { cipherSuite: id } });
    }
    return suite;
  },
  supports: (id) => suites.has(id),
  randomBytes(length) {
    const bytes = randomBytes(length);
    return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
  },
};
