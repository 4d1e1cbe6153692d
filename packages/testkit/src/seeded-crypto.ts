import type { CipherSuite, CryptoProvider } from "@latchkey/mls";
import { nodeCrypto } from "@latchkey/mls/node";

type Methods = Record<string, unknown>;

/** The suite's own fields, and its methods bound to it: its private fields are not to be had by a Proxy. */
function boundMembers(suite: CipherSuite): Methods {
  const members: Methods = {};
  let from: unknown = suite;
  while (from instanceof Object && from !== Object.prototype) {
    for (const name of Object.getOwnPropertyNames(from)) {
      const value: unknown = Reflect.get(suite, name);
      members[name] ??= typeof value === "function" ? (value.bind(suite) as unknown) : value;
    }
    from = Object.getPrototypeOf(from) as unknown;
  }
  return members;
}

/**
 * Node's primitives with keys and nonces from `randomBytes`, so that what broke something is made again by the same
 * source; nothing runs on the thread pool, whose order no seed decides. For EdDSA suites, whose signatures are
 * deterministic.
 */
export function seededCrypto(randomBytes: (length: number) => Uint8Array): CryptoProvider {
  const suites = new Map<number, CipherSuite>();
  const seeded = (id: number): CipherSuite => {
    const suite = nodeCrypto.suite(id);
    const replaced: Partial<CipherSuite> = {
      randomBytes,
      // OpenSSL draws its own random bytes for it.
      encapsulateMlKem768: undefined,
      generateSignatureKeyPair: async () => {
        const privateKey = randomBytes(suite.hpkePrivateKeyLength);
        return { privateKey, publicKey: await suite.signaturePublicKey(privateKey) };
      },
      async verifyBatch(checks) {
        const verdicts: boolean[] = [];
        for (const check of checks) verdicts.push(await suite.verify(check));
        return verdicts;
      },
    };
    return { ...boundMembers(suite), ...replaced } as unknown as CipherSuite;
  };
  return {
    randomBytes,
    supports: (id) => nodeCrypto.supports(id),
    suite: (id) => {
      const known = suites.get(id) ?? seeded(id);
      suites.set(id, known);
      return known;
    },
  };
}
