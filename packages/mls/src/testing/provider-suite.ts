import { concatBytes, equalBytes, toHex, utf8 } from "../bytes.ts";
import { CryptoError, LatchkeyError } from "../errors.ts";
import { deriveHpkeKeyPair, hpkeOpen, hpkeSeal, hpkeSetupReceiver } from "../crypto/hpke.ts";
import { CIPHER_SUITE, type CipherSuite, type CryptoProvider } from "../crypto/provider.ts";
import { EDGE_ECDSA } from "./edge-ecdsa.ts";
import { EDGE_EDDSA } from "./edge-eddsa.ts";
import {
  HKDF_VECTORS,
  HMAC_VECTORS,
  HPKE_VECTORS,
  KEY_AGREEMENT_VECTORS,
  SIGNATURE_VECTORS,
} from "./published-vectors.ts";

/** One thing that must hold. `run` throws when it does not; it uses no test framework, so that it runs in browsers. */
export interface ProviderCase {
  readonly name: string;
  readonly run: () => Promise<void>;
}

const SUITES = Object.values(CIPHER_SUITE);
const EMPTY = new Uint8Array(0);
const INFO = utf8("info");
const AAD = utf8("additional data");

function expectTrue(fact: string, condition: boolean): void {
  if (!condition) throw new Error(`expected that ${fact}`);
}

function expectBytes(name: string, actual: Uint8Array, expected: Uint8Array): void {
  if (!equalBytes(actual, expected)) throw new Error(`${name} is ${toHex(actual)}, not ${toHex(expected)}`);
}

/** Bytes that look like nothing in particular, the same every time. */
function pattern(length: number, start = 1): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (start + 167 * index) & 0xff);
}

/** Outcome of a call, to compare two providers: its bytes, or the class and code of its error. */
async function outcomeOf(call: () => Uint8Array | Promise<Uint8Array>): Promise<string> {
  try {
    return toHex(await call());
  } catch (error) {
    return error instanceof LatchkeyError ? `${error.name} ${error.code}` : `unexpected ${String(error)}`;
  }
}

async function expectCryptoError(name: string, call: () => Uint8Array | Promise<Uint8Array>): Promise<void> {
  const outcome = await outcomeOf(call);
  if (outcome !== `${CryptoError.name} CRYPTO`) throw new Error(`${name} came to ${outcome}, not to a CryptoError`);
}

function publishedCases(provider: CryptoProvider): ProviderCase[] {
  const signatures = SIGNATURE_VECTORS.map((vector) => ({
    name: `signature of ${vector.source}`,
    run: async () => {
      const suite = provider.suite(vector.suite);
      expectBytes("the public key", await suite.signaturePublicKey(vector.privateKey), vector.publicKey);
      expectTrue("the signature is good", await suite.verify(vector));
      const own = await suite.sign(vector.privateKey, vector.message);
      if (vector.isOnlyOne) expectBytes("the signature", own, vector.signature);
      expectTrue("an own signature is good", await suite.verify({ ...vector, signature: own }));
    },
  }));
  const agreements = KEY_AGREEMENT_VECTORS.map(({ source, suite, privateKey, publicKey, shared }) => ({
    name: `shared secret of ${source}`,
    run: async () => expectBytes("it", await provider.suite(suite).dh(privateKey, publicKey), shared),
  }));
  const hpke = HPKE_VECTORS.map((vector) => ({
    name: `HPKE of ${vector.source}`,
    run: async () => {
      const suite = provider.suite(vector.suite);
      const keys = await deriveHpkeKeyPair(suite, vector.keyMaterial);
      expectBytes("the private key", keys.privateKey, vector.privateKey);
      expectBytes("the public key", keys.publicKey, vector.publicKey);
      const context = await hpkeSetupReceiver(suite, vector.kemOutput, keys, vector.info);
      for (const { additionalData, plaintext, ciphertext } of vector.messages) {
        expectBytes("a plaintext", context.open(additionalData, ciphertext), plaintext);
      }
      for (const { context: label, value } of vector.exports)
        expectBytes("an export", context.export(label, 32), value);
    },
  }));
  const macs = HMAC_VECTORS.map(({ source, suite, key, data, mac }) => ({
    name: `HMAC of ${source}, ${8 * mac.length} bits`,
    run: async () => expectBytes("it", provider.suite(suite).hmac(key, data), mac),
  }));
  const derivations = HKDF_VECTORS.map((vector) => ({
    name: `HKDF of ${vector.source}`,
    run: async () => {
      const suite = provider.suite(vector.suite);
      const key = suite.hkdfExtract(vector.salt, vector.inputKeyMaterial);
      expectBytes("the pseudorandom key", key, vector.pseudoRandomKey);
      expectBytes("the output", suite.hkdfExpand(key, vector.info, vector.output.length), vector.output);
    },
  }));
  return [...signatures, ...agreements, ...hpke, ...macs, ...derivations];
}

function edgeCases(provider: CryptoProvider): ProviderCase[] {
  return [...EDGE_EDDSA, ...EDGE_ECDSA].map((edge) => ({
    name: `${edge.isGood ? "takes" : "refuses"} ${edge.name}`,
    run: async () => {
      const suite = provider.suite(edge.suite);
      expectTrue(`verify says ${edge.isGood}`, (await suite.verify(edge)) === edge.isGood);
      const [alone] = await suite.verifyBatch([edge]);
      const [first, second] = await suite.verifyBatch([edge, edge]);
      expectTrue(
        "verifyBatch says the same",
        [alone, first, second].every((verdict) => verdict === edge.isGood),
      );
    },
  }));
}

/** The u coordinates that every X25519 private key takes to zero (RFC 7748 §6.1), and those of X448. */
const LOW_ORDER: readonly { suite: number; name: string; publicKey: Uint8Array }[] = [1, 4].flatMap((suite) => {
  const length = suite === 1 ? 32 : 56;
  const fieldOrder = suite === 1 ? 2n ** 255n - 19n : 2n ** 448n - 2n ** 224n - 1n;
  const named = { "0": 0n, "1": 1n, "p - 1": fieldOrder - 1n, p: fieldOrder, "p + 1": fieldOrder + 1n };
  const ofOrder8 = {
    "of order 8": 325606250916557431795983626356110631294008115727848805560023387167927233504n,
    "of order 8, the other": 39382357235489614581723060781553021112529911719440698176882885853963445705823n,
  };
  return Object.entries(suite === 1 ? { ...named, ...ofOrder8 } : named).map(([name, u]) => ({
    ...{ suite, name },
    publicKey: Uint8Array.from({ length }, (_, index) => Number((u >> BigInt(8 * index)) & 0xffn)),
  }));
});

function keyAgreementCases(provider: CryptoProvider): ProviderCase[] {
  const lowOrder = LOW_ORDER.map(({ suite, name, publicKey }) => ({
    name: `suite ${suite}: refuses a key agreement with the point ${name}, whose result is zero`,
    run: async () => {
      const { hpkePrivateKeyLength } = provider.suite(suite);
      await expectCryptoError("it", () => provider.suite(suite).dh(pattern(hpkePrivateKeyLength), publicKey));
    },
  }));
  const perSuite = SUITES.map((id) => ({
    name: `suite ${id}: key agreement refuses malformed keys with a CryptoError`,
    run: async () => {
      const suite = provider.suite(id);
      const { privateKey, publicKey } = await deriveHpkeKeyPair(suite, pattern(32));
      const isNist = suite.scalarRange !== undefined;
      const publicKeys = [EMPTY, publicKey.subarray(1), concatBytes(publicKey, EMPTY, Uint8Array.of(0))];
      if (isNist) {
        const half = suite.hpkePrivateKeyLength;
        const parity = (publicKey.at(-1) ?? 0) & 1;
        publicKeys.push(concatBytes(Uint8Array.of(2 + parity), publicKey.subarray(1, 1 + half)));
        publicKeys.push(publicKey.with(0, 6 + parity), publicKey.with(-1, (publicKey.at(-1) ?? 0) ^ 1));
        publicKeys.push(
          Uint8Array.of(0),
          new Uint8Array(publicKey.length),
          new Uint8Array(publicKey.length).with(0, 4),
        );
      }
      for (const bad of publicKeys) await expectCryptoError("a bad public key", () => suite.dh(privateKey, bad));
      for (const bad of badPrivateKeys(suite)) {
        await expectCryptoError("dh with a bad private key", () => suite.dh(bad, publicKey));
        await expectCryptoError("the public key of a bad private key", () => suite.dhPublicKey(bad));
        if (isNist) await expectCryptoError("signing with a bad private key", () => suite.sign(bad, INFO));
      }
    },
  }));
  return [...lowOrder, ...perSuite];
}

/** Of wrong sizes; for NIST curves also zero, the order and above, and values that are no scalar. */
function badPrivateKeys({ hpkePrivateKeyLength: length, scalarRange }: CipherSuite): Uint8Array[] {
  const long = pattern(length + 1);
  if (scalarRange === undefined) return [EMPTY, long, pattern(length - 1)];
  const bytesOf = (scalar: bigint) =>
    Uint8Array.from({ length }, (_, index) => Number((scalar >> BigInt(8 * (length - 1 - index))) & 0xffn));
  const { order } = scalarRange;
  return [EMPTY, long, bytesOf(0n), bytesOf(order), bytesOf(order + 1n), new Uint8Array(length).fill(0xff)];
}

function suiteCases(provider: CryptoProvider, id: number): ProviderCase[] {
  const suite = provider.suite(id);
  return [
    {
      name: `suite ${id}: a generated key pair signs, and nothing else verifies`,
      run: async () => {
        const { privateKey, publicKey } = await suite.generateSignatureKeyPair();
        const other = await suite.generateSignatureKeyPair();
        expectTrue("two key pairs differ", !equalBytes(privateKey, other.privateKey));
        expectBytes("the public key", await suite.signaturePublicKey(privateKey), publicKey);
        const message = pattern(1000);
        const signature = await suite.sign(privateKey, message);
        const changed = signature.with(-1, (signature.at(-1) ?? 0) ^ 1);
        const verdicts = await suite.verifyBatch([
          { publicKey, message, signature },
          { publicKey, message: pattern(999), signature },
          { publicKey: other.publicKey, message, signature },
          { publicKey, message, signature: changed },
          { publicKey, message, signature },
        ]);
        expectTrue("first and last verify", verdicts.join() === "true,false,false,false,true");
        expectTrue("no checks give no verdicts", (await suite.verifyBatch([])).length === 0);
      },
    },
    {
      name: `suite ${id}: an AEAD refuses changed, short and foreign ciphertexts, and keys of wrong sizes`,
      run: async () => {
        const [key, nonce] = [pattern(suite.aeadKeyLength), pattern(suite.aeadNonceLength)];
        const sealed = suite.aeadSeal(key, nonce, AAD, INFO);
        expectBytes("the plaintext", suite.aeadOpen(key, nonce, AAD, sealed), INFO);
        const open = (k: Uint8Array, n: Uint8Array, a: Uint8Array, c: Uint8Array) =>
          expectCryptoError("opening", () => suite.aeadOpen(k, n, a, c));
        for (const at of sealed.keys()) await open(key, nonce, AAD, sealed.with(at, (sealed[at] ?? 0) ^ 0x80));
        for (const end of sealed.keys()) await open(key, nonce, AAD, sealed.subarray(0, end));
        await open(pattern(key.length, 2), nonce, AAD, sealed);
        await open(key, pattern(nonce.length, 2), AAD, sealed);
        await open(key, nonce, INFO, sealed);
        await open(key.subarray(1), nonce, AAD, sealed);
        await open(key, nonce.subarray(1), AAD, sealed);
        await expectCryptoError("sealing with a short key", () => suite.aeadSeal(key.subarray(1), nonce, AAD, INFO));
        await expectCryptoError("sealing with a long nonce", () => suite.aeadSeal(key, pattern(16), AAD, INFO));
      },
    },
    {
      name: `suite ${id}: HKDF expands to 255 hashes and no further`,
      run: async () => {
        const longest = 255 * suite.hashLength;
        expectTrue("it is as long as asked", suite.hkdfExpand(INFO, AAD, longest).length === longest);
        expectTrue("it can be empty", suite.hkdfExpand(INFO, AAD, 0).length === 0);
        await expectCryptoError("one byte more", () => suite.hkdfExpand(INFO, AAD, longest + 1));
      },
    },
  ];
}

/** What every provider must do by itself. */
export function providerCases(provider: CryptoProvider): ProviderCase[] {
  const carried = {
    name: "carries the seven suites of RFC 9420 and says so; an unknown one is MLS_UNSUPPORTED",
    run: async () => {
      expectTrue(
        "it carries all",
        SUITES.every((id) => provider.supports(id) && provider.suite(id).id === id),
      );
      for (const id of [0, 8, 0x0a0a]) {
        expectTrue("it does not support it", !provider.supports(id));
        const outcome = await outcomeOf(() => provider.suite(id).randomBytes(1));
        expectTrue("the error is of its type", outcome === "UnsupportedError MLS_UNSUPPORTED");
      }
    },
  };
  const random = {
    name: "gives as many random bytes as asked, also more than WebCrypto gives at once",
    run: async () => {
      for (const source of [provider, provider.suite(1)]) {
        for (const length of [0, 1, 32, 65_536, 200_001]) {
          const bytes = source.randomBytes(length);
          expectTrue("the length is right", bytes.length === length);
          const tail = bytes.subarray(-32);
          expectTrue("the last 32 bytes are not all zero", length < 32 || tail.some((byte) => byte !== 0));
        }
      }
    },
  };
  return [
    carried,
    random,
    ...publishedCases(provider),
    ...edgeCases(provider),
    ...keyAgreementCases(provider),
    ...SUITES.flatMap((id) => suiteCases(provider, id)),
  ];
}

/** Around the block sizes of the hashes (64 and 128 bytes) and of AES and ChaCha20. */
const LENGTHS = [0, 1, 15, 16, 17, 31, 32, 55, 56, 63, 64, 65, 111, 112, 127, 128, 129, 1000, 70_000];

function symmetricCase(one: CipherSuite, other: CipherSuite): ProviderCase {
  return {
    name: `suite ${one.id}: equal numbers, hashes, MACs, derived keys and ciphertexts`,
    run: async () => {
      const both = <T>(read: (suite: CipherSuite) => T): [T, T] => [read(one), read(other)];
      const same = (name: string, read: (suite: CipherSuite) => Uint8Array) => expectBytes(name, ...both(read));
      const numbers = both((s) => [s.id, s.kemId, s.kdfId, s.aeadId, s.hashLength, s.aeadKeyLength, s.aeadNonceLength]);
      const sizes = both((s) => [s.hpkePublicKeyLength, s.hpkePrivateKeyLength, s.scalarRange?.order]);
      expectTrue("their numbers are the same", numbers[0].join() === numbers[1].join());
      expectTrue("their sizes are the same", sizes[0].join() === sizes[1].join());
      const [key, nonce] = [pattern(one.aeadKeyLength), pattern(one.aeadNonceLength)];
      for (const length of LENGTHS) {
        const data = pattern(length, 3);
        same(`the hash of ${length} bytes`, (suite) => suite.hash(data));
        same(`the MAC of ${length} bytes`, (suite) => suite.hmac(INFO, data));
        same(`the MAC under ${length} bytes`, (suite) => suite.hmac(data, INFO));
        same(`HKDF-Extract with ${length} bytes of salt`, (suite) => suite.hkdfExtract(data, INFO));
        same(`the ciphertext of ${length} bytes`, (suite) => suite.aeadSeal(key, nonce, AAD, data));
        same(`the tag of ${length} bytes`, (suite) => suite.aeadSeal(key, nonce, data, EMPTY));
        same(`HKDF-Expand to ${length} bytes`, (suite) => suite.hkdfExpand(key, INFO, Math.min(length, 1000)));
        expectBytes("the plaintext", other.aeadOpen(key, nonce, data, one.aeadSeal(key, nonce, data, data)), data);
      }
    },
  };
}

function asymmetricCases(one: CipherSuite, other: CipherSuite): ProviderCase[] {
  return [
    {
      name: `suite ${one.id}: what one signs, the other verifies`,
      run: async () => {
        const { privateKey, publicKey } = await one.generateSignatureKeyPair();
        expectBytes("the public key", await other.signaturePublicKey(privateKey), publicKey);
        for (const length of [0, 1, 200, 70_000]) {
          const message = pattern(length);
          const signature = await one.sign(privateKey, message);
          expectTrue(`the signature of ${length} bytes is good`, await other.verify({ publicKey, message, signature }));
        }
      },
    },
    {
      name: `suite ${one.id}: equal keys and shared secrets, also from a scalar without its leading zeros`,
      run: async () => {
        const own = await deriveHpkeKeyPair(one, utf8("own"));
        const peer = await deriveHpkeKeyPair(other, utf8("peer"));
        expectBytes("the public key", await other.dhPublicKey(own.privateKey), own.publicKey);
        const shared = await one.dh(own.privateKey, peer.publicKey);
        expectBytes("the other's secret", await other.dh(peer.privateKey, own.publicKey), shared);
        if (one.scalarRange === undefined) return;
        const small = Uint8Array.of(7);
        expectBytes("its public key", await one.dhPublicKey(small), await other.dhPublicKey(small));
        expectBytes("its secret", await one.dh(small, own.publicKey), await other.dh(small, own.publicKey));
      },
    },
    {
      name: `suite ${one.id}: what one encrypts with HPKE, the other decrypts`,
      run: async () => {
        const keys = await deriveHpkeKeyPair(other, utf8("receiver"));
        const sealed = await hpkeSeal(one, keys.publicKey, INFO, AAD, pattern(300));
        expectBytes("the plaintext", await hpkeOpen(other, keys, INFO, AAD, sealed), pattern(300));
      },
    },
  ];
}

/** What two providers must do alike: run it both ways round. */
export function agreementCases(one: CryptoProvider, other: CryptoProvider): ProviderCase[] {
  return SUITES.flatMap((id) => [
    symmetricCase(one.suite(id), other.suite(id)),
    ...asymmetricCases(one.suite(id), other.suite(id)),
  ]);
}
