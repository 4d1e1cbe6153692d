import crypto from "node:crypto";
import type { Encapsulated } from "../crypto/provider.ts";
import { CryptoError } from "../errors.ts";
import { view } from "./random.ts";

function encapsulate(publicKey: Uint8Array): Encapsulated {
  try {
    const key = crypto.createPublicKey({ key: publicKey, format: "raw-public", asymmetricKeyType: "ml-kem-768" });
    const { ciphertext, sharedKey } = crypto.encapsulate(key);
    return { ciphertext: view(ciphertext), sharedSecret: view(sharedKey) };
  } catch (cause) {
    throw new CryptoError("the bytes are not an ML-KEM-768 public key", { cause });
  }
}

/** ML-KEM-768 by OpenSSL, from Node 24.7 on; undefined before. */
export const encapsulateMlKem768 = "encapsulate" in crypto ? encapsulate : undefined;
