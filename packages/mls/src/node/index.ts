import { randomBytes } from "node:crypto";
import type { CipherSuite, CryptoProvider } from "../crypto/provider.ts";
import { UnsupportedError } from "../errors.ts";
import { SUITES } from "./parameters.ts";
import { OpenSslSuite } from "./suite.ts";

const suites = new Map<number, CipherSuite>(
  Object.entries(SUITES).map(([id, parameters]) => [Number(id), new OpenSslSuite(Number(id), parameters)]),
);

/** Node's CryptoProvider, on OpenSSL: all seven cipher suites of RFC 9420 §17.1. */
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
