import crypto from "node:crypto";
import { concatBytes, fromHex } from "../bytes.ts";
import type { Encapsulated } from "../crypto/provider.ts";
import { CryptoError } from "../errors.ts";
import { view } from "./random.ts";

/** What stands before a key of 1184 bytes in DER (RFC 9935): early releases of Node 24 have no raw keys. */
const SPKI_PREFIX = fromHex("308204b2300b0609608648016503040402038204a100");

function encapsulate(publicKey: Uint8Array): Encapsulated {
  try {
    const der = Buffer.from(concatBytes(SPKI_PREFIX, publicKey));
    const key = crypto.createPublicKey({ key: der, format: "der", type: "spki" });
    const { ciphertext, sharedKey } = crypto.encapsulate(key);
    return { ciphertext: view(ciphertext), sharedSecret: view(sharedKey) };
  } catch (cause) {
    throw new CryptoError("the bytes are not an ML-KEM-768 public key", { cause });
  }
}

/** ML-KEM-768 by OpenSSL, from Node 24.7 on; undefined before. */
export const encapsulateMlKem768 = "encapsulate" in crypto ? encapsulate : undefined;
