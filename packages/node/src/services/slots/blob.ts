import { fromBinary } from "@bufbuild/protobuf";
import { EncryptedGroupInfoBlobSchema } from "@latchkey/xmtp/proto";
import { invalidRequest, NodeError } from "../../errors.ts";
import { scanProtobuf } from "../../price/protobuf-scan.ts";
import type { SlotBlob } from "../../storage/storage.ts";

/** Bytes of a blob's `group_state_hash`, SHA-256. */
export const DIGEST_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** Fields of a blob, with those that later versions add: version 1 has 8. */
const MAX_BLOB_FIELDS = 64;

/**
 * Reads the fields of a blob that the service needs, and checks the sizes of the others.
 * @throws NodeError `REQUEST_INVALID` for anything but a blob of version 1, `BLOB_EXPIRED`
 */
export function readBlob(bytes: Uint8Array, nowNs: bigint): SlotBlob {
  let version;
  scanProtobuf(EncryptedGroupInfoBlobSchema, bytes, MAX_BLOB_FIELDS);
  try {
    version = fromBinary(EncryptedGroupInfoBlobSchema, bytes).version;
  } catch {
    throw invalidRequest("the body is no EncryptedGroupInfoBlob");
  }
  if (version.case !== "v1") throw invalidRequest("the blob has no version this service knows");
  const { nonce, ciphertext, epoch, groupStateHash, expiresAtNs } = version.value;
  const digest = groupStateHash?.digest ?? new Uint8Array();
  if (nonce.length !== NONCE_BYTES) throw invalidRequest(`the nonce has ${nonce.length} bytes, not ${NONCE_BYTES}`);
  if (digest.length !== DIGEST_BYTES) {
    throw invalidRequest(`the group state hash has ${digest.length} bytes, not ${DIGEST_BYTES}`);
  }
  if (ciphertext.length < TAG_BYTES) throw invalidRequest("the ciphertext is shorter than its tag");
  if (expiresAtNs !== 0n && expiresAtNs <= nowNs) {
    throw new NodeError("BLOB_EXPIRED", "the blob has expired already; upload a fresh one");
  }
  return { epoch, digest, expiresAtNs, bytes };
}
