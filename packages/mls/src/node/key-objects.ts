import { createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";
import { concatBytes, fromHex } from "../bytes.ts";
import { CURVES, type Curve } from "../crypto/curves.ts";
import { view } from "./random.ts";

/** How raw keys of RFC 9420 become keys of OpenSSL and back. The bytes have the sizes of their curve. */
export interface KeyObjects {
  readonly importPrivate: (curve: Curve, key: Uint8Array) => KeyObject;
  readonly importPublic: (curve: Curve, key: Uint8Array) => KeyObject;
  readonly exportPrivate: (curve: Curve, key: KeyObject) => Uint8Array;
  /** Of a public key, or of the public half of a private key. */
  readonly exportPublic: (curve: Curve, key: KeyObject) => Uint8Array;
}

/** By Node's raw formats, which early releases of Node 24 lack. */
export const RAW_KEYS: KeyObjects = {
  importPrivate: (curve, key) => {
    const { keyType, namedCurve } = CURVES[curve];
    return createPrivateKey({ key, format: "raw-private", asymmetricKeyType: keyType, namedCurve });
  },
  importPublic: (curve, key) => {
    const { keyType, namedCurve } = CURVES[curve];
    return createPublicKey({ key, format: "raw-public", asymmetricKeyType: keyType, namedCurve });
  },
  exportPrivate: (_curve, key) => view(key.export({ format: "raw-private" })),
  exportPublic: (_curve, key) => view(createPublicKey(key).export({ format: "raw-public" })),
};

/**
 * What stands before the raw key in DER: SubjectPublicKeyInfo, and PKCS #8 without the public key (RFC 5915, RFC 5958,
 * RFC 8410).
 */
const DER_PREFIXES: Readonly<Record<Curve, { readonly spki: string; readonly pkcs8: string }>> = {
  x25519: { spki: "302a300506032b656e032100", pkcs8: "302e020100300506032b656e04220420" },
  x448: { spki: "3042300506032b656f033900", pkcs8: "3046020100300506032b656f043a0438" },
  ed25519: { spki: "302a300506032b6570032100", pkcs8: "302e020100300506032b657004220420" },
  ed448: { spki: "3043300506032b6571033a00", pkcs8: "3047020100300506032b6571043b0439" },
  p256: {
    spki: "3059301306072a8648ce3d020106082a8648ce3d030107034200",
    pkcs8: "3041020100301306072a8648ce3d020106082a8648ce3d030107042730250201010420",
  },
  p384: {
    spki: "3076301006072a8648ce3d020106052b81040022036200",
    pkcs8: "304e020100301006072a8648ce3d020106052b81040022043730350201010430",
  },
  p521: {
    spki: "30819b301006072a8648ce3d020106052b8104002303818600",
    pkcs8: "3060020100301006072a8648ce3d020106052b81040023044930470201010442",
  },
};

/** By DER and JWK, which every Node.js has. Importing takes twice as long. */
export const ENCODED_KEYS: KeyObjects = {
  importPrivate: (curve, key) => {
    const der = concatBytes(fromHex(DER_PREFIXES[curve].pkcs8), key);
    return createPrivateKey({ key: Buffer.from(der), format: "der", type: "pkcs8" });
  },
  importPublic: (curve, key) => {
    const der = concatBytes(fromHex(DER_PREFIXES[curve].spki), key);
    return createPublicKey({ key: Buffer.from(der), format: "der", type: "spki" });
  },
  exportPrivate: (_curve, key) => view(Buffer.from(key.export({ format: "jwk" }).d ?? "", "base64url")),
  exportPublic: (curve, key) => {
    const der = createPublicKey(key).export({ format: "der", type: "spki" });
    return view(der.subarray(der.length - CURVES[curve].publicKeyLength));
  },
};

function hasRawFormats(): boolean {
  try {
    RAW_KEYS.importPublic("x25519", new Uint8Array(32).fill(9));
    return true;
  } catch {
    return false;
  }
}

/** The quicker of the two that this Node.js has. */
export const keyObjects: KeyObjects = hasRawFormats() ? RAW_KEYS : ENCODED_KEYS;
