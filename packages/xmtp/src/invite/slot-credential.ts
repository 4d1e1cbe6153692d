import { utf8, type CipherSuite } from "@latchkey/mls";

const INFO_V1 = utf8("latchkey slot write 1");
const INFO_V2 = "latchkey slot write 2 ";
const BYTES = 32;

/**
 * The secret from which the write credentials of an invite's slot are derived, 32 bytes: HKDF-Extract of the invite's key
 * with the slot's id as salt. It says nothing of the key, and admits to writing the slot at every service.
 */
export function slotWriteSecret(
  suite: Pick<CipherSuite, "hkdfExtract">,
  symmetricKey: Uint8Array,
  externalGroupId: Uint8Array,
): Uint8Array {
  return suite.hkdfExtract(externalGroupId, symmetricKey);
}

/**
 * The credential that admits to writing an invite's slot at the service of that origin, 32 bytes, secret; of no use at
 * another service. `origin` is that of `serviceOrigin`; see "Write credentials" in `docs/invite-slots.md`.
 */
export function slotCredential(
  suite: Pick<CipherSuite, "hkdfExpand">,
  writeSecret: Uint8Array,
  origin: string,
): Uint8Array {
  return suite.hkdfExpand(writeSecret, utf8(INFO_V2 + origin), BYTES);
}

/** The credential as version 0.1.0 derived it, 32 bytes, the same at every service: only for slots closed by it. */
export function slotCredentialV1(suite: Pick<CipherSuite, "hkdfExpand">, writeSecret: Uint8Array): Uint8Array {
  return suite.hkdfExpand(writeSecret, INFO_V1, BYTES);
}
