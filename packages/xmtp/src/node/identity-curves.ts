import { hash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { WasmSecp256k1 } from "@solar-republic/wasm-secp256k1/headless";
import { concatBytes, equalBytes, utf8 } from "@latchkey/mls";
import sodium from "libsodium-wrappers-sumo";
import type { Ed25519phCheck, IdentityCurves } from "../identity/identity-curves.ts";

/** The flag 1 of `dom2` says Ed25519ph (RFC 8032 §2). */
const DOM2 = concatBytes(utf8("SigEd25519 no Ed25519 collisions"), Uint8Array.of(1));

const SECP256K1_WASM = new URL("secp256k1.wasm", import.meta.resolve("@solar-republic/wasm-secp256k1/headless"));

/** What fails to be computed does not hold here; the rule judges it again. */
function orUndefined<T>(compute: () => T): T | undefined {
  try {
    return compute();
  } catch {
    return undefined;
  }
}

/**
 * R = S·B − k·A, as bytes. libsodium refuses an S of 0, and an A that is not canonical or outside of the prime-order group; an
 * S from the group order on is refused here.
 */
function verifyEd25519ph({ publicKey, message, context, signature }: Ed25519phCheck): boolean {
  if (publicKey.length !== 32 || signature.length !== 64) return false;
  const [r, s] = [signature.subarray(0, 32), signature.subarray(32)];
  const isReduced = equalBytes(sodium.crypto_core_ed25519_scalar_reduce(concatBytes(s, new Uint8Array(32))), s);
  if (!isReduced) return false;
  const digest = hash("sha512", message, "buffer");
  const domain = concatBytes(DOM2, Uint8Array.of(context.length), context);
  const k = sodium.crypto_core_ed25519_scalar_reduce(
    hash("sha512", concatBytes(domain, r, publicKey, digest), "buffer"),
  );
  const expected = sodium.crypto_core_ed25519_sub(
    sodium.crypto_scalarmult_ed25519_base_noclamp(s),
    sodium.crypto_scalarmult_ed25519_noclamp(k, publicKey),
  );
  return equalBytes(expected, r);
}

async function load(): Promise<IdentityCurves> {
  const [secp256k1] = await Promise.all([WasmSecp256k1(await readFile(SECP256K1_WASM)), sodium.ready]);
  return {
    recoverSecp256k1: (digest, signature, parity) =>
      orUndefined(() => secp256k1.recover(signature, digest, parity, true)),
    verifyEd25519ph: (check) => orUndefined(() => verifyEd25519ph(check)) ?? false,
  };
}

let loaded: Promise<IdentityCurves> | undefined;

/**
 * libsecp256k1 and libsodium in WebAssembly: 0.3 ms for each operation once warm. They take some 60 ms to load, once in a
 * thread. Their refusals are no verdicts: see `overruledByRule`.
 */
export function loadIdentityCurves(): Promise<IdentityCurves> {
  return (loaded ??= load());
}
