import { randomBytes } from "node:crypto";
import { create, toBinary } from "@bufbuild/protobuf";
import { EncryptedGroupInfoBlobSchema } from "@latchkey/xmtp/proto";

/** A blob as the service sees it; fields left out are made up. */
export interface BlobFields {
  readonly nonce?: Uint8Array;
  readonly ciphertext?: Uint8Array;
  readonly epoch?: bigint;
  readonly digest?: Uint8Array | undefined;
  readonly expiresAtNs?: bigint;
}

/** A blob that no key opens: a service cannot tell. */
export function testBlob(fields: BlobFields = {}): Uint8Array {
  const digest = "digest" in fields ? fields.digest : randomBytes(32);
  const value = {
    nonce: fields.nonce ?? randomBytes(12),
    ciphertext: fields.ciphertext ?? randomBytes(300),
    epoch: fields.epoch ?? 7n,
    expiresAtNs: fields.expiresAtNs ?? 0n,
    ...(digest === undefined ? {} : { groupStateHash: { digest } }),
  };
  const blob = create(EncryptedGroupInfoBlobSchema, { version: { case: "v1", value } });
  return toBinary(EncryptedGroupInfoBlobSchema, blob);
}

/** The state that a look-up asks for. */
export interface BlobMatch {
  readonly epoch: bigint;
  /** `group_state_hash`, 32 bytes. */
  readonly digest: Uint8Array;
}

/** The right that an upload shows: 32 bytes each. */
export interface UploadRight {
  readonly credential: Uint8Array;
  /** Takes the place of `credential` from this upload on. */
  readonly next?: Uint8Array;
}

/** The clock of the service that is looked at. */
export interface ServiceClock {
  /** Milliseconds since 1970. */
  nowMs(): number;
  /** Resolves when so many milliseconds have passed. */
  pass(ms: number): Promise<void>;
}

/** A slot of the service that is looked at. Refused look-ups reject with an error whose `code` is that of the service. */
export interface SlotUnderTest {
  readonly clock: ServiceClock;
  /** Another slot of the same service; a fresh one unless an id is given in hex. */
  other(id?: string): SlotUnderTest;
  /** `stored`, `present`, or the code of the refusal. */
  put(blob: Uint8Array, right?: UploadRight): Promise<string>;
  /** Blobs in hex, in their order; none when there are none. */
  blobs(match?: BlobMatch): Promise<string[]>;
  has(match: BlobMatch): Promise<boolean>;
}
