import { create, toBinary } from "@bufbuild/protobuf";
import { concatBytes, encode, type CipherSuite } from "@latchkey/mls";
import { JoinError } from "../errors.ts";
import { XMTP_LIMITS } from "../limits.ts";
import { decodeProto } from "../protobuf.ts";
import { EncryptedGroupInfoBlobSchema, type EncryptedGroupInfoBlob } from "../proto.ts";
import { XMTP_CIPHER_SUITE } from "../protocol.ts";

const NONCE_BYTES = 12;
const DIGEST_BYTES = 32;

/** Header of a blob about its GroupInfo; the AEAD vouches for it once the blob is opened. */
export interface GroupInfoBlob {
  readonly epoch: bigint;
  /** SHA-256 of the TLS GroupContext, 32 bytes. */
  readonly groupStateHash: Uint8Array;
  /** 0 for never. */
  readonly expiresAtNs: bigint;
}

/** An opened blob. */
export interface UnwrappedGroupInfo extends GroupInfoBlob {
  /** MLSMessage(GroupInfo), not verified. */
  readonly groupInfo: Uint8Array;
}

/** 48 bytes: epoch, expiry and digest, in this order (XIP-82). */
function additionalData({ epoch, expiresAtNs, groupStateHash }: GroupInfoBlob): Uint8Array {
  const numbers = encode(undefined, (writer) => {
    writer.u64(epoch);
    writer.u64(expiresAtNs);
  });
  return concatBytes(numbers, groupStateHash);
}

/** The AEAD of XIP-82 is ChaCha20-Poly1305, as in the groups' own cipher suite. */
function checkSuite(suite: CipherSuite): void {
  if (suite.id !== XMTP_CIPHER_SUITE) {
    throw new JoinError("GROUP_UNSUPPORTED", `invites are defined for cipher suite 3, not ${suite.id}`);
  }
}

/** `group_state_hash` of XIP-82: the hash of the TLS GroupContext. A joiner can recompute it from the GroupInfo. */
export function groupStateHash(suite: Pick<CipherSuite, "hash">, contextBytes: Uint8Array): Uint8Array {
  return suite.hash(contextBytes);
}

/** Seals a GroupInfo for a slot: ChaCha20-Poly1305 under the invite's key with a fresh random nonce (XIP-82). */
export function wrapGroupInfo(options: {
  suite: CipherSuite;
  /** 32 bytes; secret. */
  key: Uint8Array;
  /** MLSMessage(GroupInfo). */
  groupInfo: Uint8Array;
  epoch: bigint;
  groupStateHash: Uint8Array;
  expiresAtNs: bigint;
}): Uint8Array {
  const { suite, key, groupInfo, epoch, expiresAtNs } = options;
  checkSuite(suite);
  const nonce = suite.randomBytes(NONCE_BYTES);
  const value = {
    nonce,
    ciphertext: suite.aeadSeal(key, nonce, additionalData(options), groupInfo),
    epoch,
    groupStateHash: { digest: options.groupStateHash },
    expiresAtNs,
  };
  const blob = create(EncryptedGroupInfoBlobSchema, { version: { case: "v1", value } });
  return toBinary(EncryptedGroupInfoBlobSchema, blob);
}

function refuse(rule: string, message: string, cause?: unknown): never {
  throw new JoinError("INVITE_NO_CANDIDATE", message, { rule, cause });
}

function decodeBlob(bytes: Uint8Array): EncryptedGroupInfoBlob["version"] {
  if (bytes.length > XMTP_LIMITS.maxBlobBytes) {
    refuse("TooLong", `a blob has ${bytes.length} bytes; the limit is ${XMTP_LIMITS.maxBlobBytes}`);
  }
  try {
    return decodeProto(EncryptedGroupInfoBlobSchema, bytes).version;
  } catch (cause) {
    return refuse("InvalidProtobuf", "a blob in the slot is no EncryptedGroupInfoBlob", cause);
  }
}

function readBlob(bytes: Uint8Array): GroupInfoBlob & { nonce: Uint8Array; ciphertext: Uint8Array } {
  const version = decodeBlob(bytes);
  if (version.case !== "v1") return refuse("UnsupportedVersion", "a blob is of a version this build does not know");
  const { nonce, ciphertext, epoch, groupStateHash: hash, expiresAtNs } = version.value;
  if (nonce.length !== NONCE_BYTES) refuse("InvalidNonceLength", `a blob's nonce has ${nonce.length} bytes, not 12`);
  if (hash === undefined) return refuse("MissingGroupStateHash", "a blob does not say which state it is of");
  const { digest } = hash;
  if (digest.length !== DIGEST_BYTES) refuse("InvalidGroupStateHashLength", "a blob's state hash has not 32 bytes");
  return { nonce, ciphertext, epoch, groupStateHash: digest, expiresAtNs };
}

/** Header of a blob without opening it: slot services hold no key. Throws JoinError `INVITE_NO_CANDIDATE`. */
export function peekBlob(bytes: Uint8Array): GroupInfoBlob {
  const { epoch, groupStateHash: digest, expiresAtNs } = readBlob(bytes);
  return { epoch, groupStateHash: digest, expiresAtNs };
}

/** Throws JoinError `INVITE_EXPIRED` when the blob's end has come by the given clock. */
export function checkBlobExpiry({ expiresAtNs }: GroupInfoBlob, nowNs: bigint): void {
  if (expiresAtNs !== 0n && nowNs >= expiresAtNs) {
    throw new JoinError("INVITE_EXPIRED", "the invite has expired; ask for a new one", { rule: "Expired" });
  }
}

/**
 * Opens a blob with the invite's key. Throws JoinError: `INVITE_NO_CANDIDATE` with `rule`, in this order of checks,
 * `TooLong`, `InvalidProtobuf`, `UnsupportedVersion`, `InvalidNonceLength`, `MissingGroupStateHash`,
 * `InvalidGroupStateHashLength`; `INVITE_EXPIRED` when a clock is given; `INVITE_NO_CANDIDATE` with `rule` `Unwrap`.
 */
export function unwrapGroupInfo(
  blob: Uint8Array,
  key: Uint8Array,
  options: { suite: CipherSuite; nowNs?: bigint },
): UnwrappedGroupInfo {
  checkSuite(options.suite);
  const { nonce, ciphertext, ...claims } = readBlob(blob);
  if (options.nowNs !== undefined) checkBlobExpiry(claims, options.nowNs);
  try {
    return { ...claims, groupInfo: options.suite.aeadOpen(key, nonce, additionalData(claims), ciphertext) };
  } catch (cause) {
    return refuse(
      "Unwrap",
      "a blob does not open with the invite's key: it is forged, altered or of another key",
      cause,
    );
  }
}
