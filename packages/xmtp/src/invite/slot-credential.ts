import { utf8, type CipherSuite } from "@latchkey/mls";

const INFO = utf8("latchkey slot write 1");
const BYTES = 32;

/**
 * What admits to writing the slot of an invite, 32 bytes, secret: whoever holds the link has it, and it says nothing of the
 * key. HKDF of the invite's key with the slot's id as salt; see "Write credentials" in `docs/invite-slots.md`.
 */
export function slotCredential(
  suite: Pick<CipherSuite, "hkdfExtract" | "hkdfExpand">,
  symmetricKey: Uint8Array,
  externalGroupId: Uint8Array,
): Uint8Array {
  return suite.hkdfExpand(suite.hkdfExtract(externalGroupId, symmetricKey), INFO, BYTES);
}
