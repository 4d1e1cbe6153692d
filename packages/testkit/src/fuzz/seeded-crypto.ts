import type { CipherSuite, CryptoProvider } from "@latchkey/mls";
import { nodeCrypto } from "@latchkey/mls/node";
import type { SeededRandom } from "../random.ts";

/**
 * Node's primitives with keys and nonces that follow from the seed, so that an input which broke something is made again
 * by the same seed. For EdDSA suites, whose signatures are deterministic.
 */
export function seededCrypto(random: SeededRandom): CryptoProvider {
  const randomBytes = (length: number) => Uint8Array.from({ length }, () => random.int(256));
  const suites = new Map<number, CipherSuite>();
  const seeded = (id: number): CipherSuite => {
    const suite = nodeCrypto.suite(id);
    const replaced: Partial<CipherSuite> = {
      randomBytes,
      generateSignatureKeyPair: async () => {
        const privateKey = randomBytes(suite.hpkePrivateKeyLength);
        return { privateKey, publicKey: await suite.signaturePublicKey(privateKey) };
      },
    };
    return new Proxy(suite, {
      get: (target, name) => {
        const own: unknown = Reflect.get(replaced, name);
        if (own !== undefined) return own;
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === "function" ? (value.bind(target) as unknown) : value;
      },
    });
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
