/** Signing on one curve. Keys have the right size and range; ECDSA signatures are r ‖ s, each as long as a scalar. */
export interface Signatures {
  sign(privateKey: Uint8Array, message: Uint8Array): Promise<Uint8Array>;
  /** The key and signature have the right lengths; anything else may be wrong with them. */
  verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): Promise<boolean>;
}

/** Diffie-Hellman on one curve, with keys of the right size and range; rejects for a point that is not on it. */
export interface KeyAgreement {
  dh(privateKey: Uint8Array, publicKey: Uint8Array): Promise<Uint8Array>;
}

/** The keys of one curve. */
export interface Keys {
  randomPrivateKey(): Uint8Array;
  publicKey(privateKey: Uint8Array): Uint8Array;
}
