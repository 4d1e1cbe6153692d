export { LatchkeyError, DecodeError, ValidationError, CryptoError, StateError, UnsupportedError } from "./errors.ts";
export type { LatchkeyErrorOptions } from "./errors.ts";
export { MLS_LIMITS } from "./limits.ts";
export { utf8, toHex, fromHex, equalBytes, compareBytes, constantTimeEqual, concatBytes, bytesKey } from "./bytes.ts";
export { Reader, decodeExact } from "./codec/reader.ts";
export { Writer, encode } from "./codec/writer.ts";
export { CIPHER_SUITE } from "./crypto/provider.ts";
export type { CipherSuite, CryptoProvider, KeyPair, SignatureCheck } from "./crypto/provider.ts";
export {
  HpkeContext,
  deriveHpkeKeyPair,
  generateHpkeKeyPair,
  hpkeSetupSender,
  hpkeSetupReceiver,
  hpkeSeal,
  hpkeOpen,
  encodeHpkeCiphertext,
  decodeHpkeCiphertext,
} from "./crypto/hpke.ts";
export type { HpkeCiphertext } from "./crypto/hpke.ts";
export { expandWithLabel, deriveSecret, signWithLabel, labelledCheck, encryptWithLabel, decryptWithLabel, keyPackageRef } from "./crypto/labels.ts";
