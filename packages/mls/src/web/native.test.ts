import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ed25519 } from "@noble/curves/ed25519.js";
import { utf8 } from "../bytes.ts";
import { deriveHpkeKeyPair } from "../crypto/hpke.ts";
import { CIPHER_SUITE, type CryptoProvider } from "../crypto/provider.ts";
import { EDGE_ECDSA } from "../testing/edge-ecdsa.ts";
import { EDGE_EDDSA } from "../testing/edge-eddsa.ts";
import { createWebCrypto } from "./index.ts";

type Method = (...args: never[]) => unknown;

/** This runtime's WebCrypto with some methods replaced, and a count of the calls of each. */
function changedSubtle(changes: Readonly<Record<string, Method>>): {
  subtle: SubtleCrypto;
  calls: Map<string, number>;
} {
  const calls = new Map<string, number>();
  const real = globalThis.crypto.subtle;
  const subtle = new Proxy(real, {
    get(target, name) {
      const own: unknown = Reflect.get(target, name, target);
      const method = changes[String(name)] ?? own;
      if (typeof method !== "function") return own;
      return (...args: unknown[]): unknown => {
        calls.set(String(name), (calls.get(String(name)) ?? 0) + 1);
        return Reflect.apply(method, target, args);
      };
    },
  });
  return { subtle, calls };
}

function refuse(): Promise<never> {
  return Promise.reject(new DOMException("not here", "NotSupportedError"));
}

async function signsAndAgrees(provider: CryptoProvider, id: number): Promise<void> {
  const suite = provider.suite(id);
  const { privateKey, publicKey } = await suite.generateSignatureKeyPair();
  const message = utf8("message");
  const signature = await suite.sign(privateKey, message);
  assert.equal(await suite.verify({ publicKey, message, signature }), true);
  assert.equal(await suite.verify({ publicKey, message: utf8("other"), signature }), false);
  const [own, peer] = [await deriveHpkeKeyPair(suite, utf8("own")), await deriveHpkeKeyPair(suite, utf8("peer"))];
  const shared = await suite.dh(own.privateKey, peer.publicKey);
  assert.deepEqual(await suite.dh(peer.privateKey, own.publicKey), shared);
}

describe("the provider of browsers", () => {
  test("uses WebCrypto for 25519 and NIST curves, and not for 448-bit ones", async () => {
    for (const id of Object.values(CIPHER_SUITE)) {
      const { subtle, calls } = changedSubtle({});
      await signsAndAgrees(createWebCrypto(subtle), id);
      const is448 = id === 4 || id === 6;
      assert.deepEqual(
        [...calls.keys()].sort(),
        is448 ? [] : ["deriveBits", "importKey", "sign", "verify"],
        `suite ${id}`,
      );
    }
  });

  test("asks once whether WebCrypto carries an algorithm, and does without it when it does not", async () => {
    for (const id of [1, 2, 5, 7]) {
      const { subtle, calls } = changedSubtle({ importKey: refuse });
      const provider = createWebCrypto(subtle);
      await signsAndAgrees(provider, id);
      const asked = calls.get("importKey");
      await signsAndAgrees(provider, id);
      assert.equal(calls.get("importKey"), asked, `suite ${id}`);
    }
  });

  test("does without a WebCrypto that verifies Ed25519 with the cofactored equation", async () => {
    const keys = new WeakMap<object, Uint8Array>();
    const { subtle } = changedSubtle({
      importKey: async (...args: Parameters<SubtleCrypto["importKey"]>) => {
        const key = await globalThis.crypto.subtle.importKey(...args);
        keys.set(key, args[1] as unknown as Uint8Array);
        return key;
      },
      verify: async (_: string, key: CryptoKey, signature: Uint8Array, message: Uint8Array) =>
        ed25519.verify(signature, message, keys.get(key) ?? new Uint8Array(32), { zip215: true }),
    });
    const suite = createWebCrypto(subtle).suite(1);
    const edges = EDGE_EDDSA.filter((edge) => edge.suite === 1);
    assert.deepEqual(
      await suite.verifyBatch(edges),
      edges.map(({ isGood }) => isGood),
    );
  });

  test("does without a WebCrypto that agrees on another secret", async () => {
    const { subtle } = changedSubtle({ deriveBits: async () => new ArrayBuffer(32) });
    for (const id of [1, 2]) await signsAndAgrees(createWebCrypto(subtle), id);
  });

  test("lets @noble decide what WebCrypto answers with an error after the trial", async () => {
    let isBroken = false;
    const { subtle: real } = globalThis.crypto;
    type Subtle = SubtleCrypto;
    const changes = {
      sign: (...args: Parameters<Subtle["sign"]>) => (isBroken ? refuse() : real.sign(...args)),
      verify: (...args: Parameters<Subtle["verify"]>) => (isBroken ? refuse() : real.verify(...args)),
      deriveBits: (...args: Parameters<Subtle["deriveBits"]>) => (isBroken ? refuse() : real.deriveBits(...args)),
    };
    for (const id of [1, 2]) {
      isBroken = false;
      const provider = createWebCrypto(changedSubtle(changes).subtle);
      await signsAndAgrees(provider, id);
      isBroken = true;
      await signsAndAgrees(provider, id);
      const edges = [...EDGE_EDDSA, ...EDGE_ECDSA].filter(({ suite }) => suite === id);
      assert.deepEqual(
        await provider.suite(id).verifyBatch(edges),
        edges.map(({ isGood }) => isGood),
      );
    }
  });

  test("takes no all-zero secret from a WebCrypto that gives one (RFC 9180 §7.1.4)", async () => {
    let isCareless = false;
    const { subtle: real } = globalThis.crypto;
    const { subtle } = changedSubtle({
      deriveBits: (...args: Parameters<SubtleCrypto["deriveBits"]>) =>
        isCareless ? new ArrayBuffer(32) : real.deriveBits(...args),
    });
    const suite = createWebCrypto(subtle).suite(1);
    const { privateKey, publicKey } = await deriveHpkeKeyPair(suite, utf8("own"));
    const shared = await suite.dh(privateKey, publicKey);
    isCareless = true;
    assert.deepEqual(await suite.dh(privateKey, publicKey), shared);
    await assert.rejects(suite.dh(privateKey, new Uint8Array(32)), { code: "CRYPTO" });
  });
});
