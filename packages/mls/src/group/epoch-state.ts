import { decodeExact } from "../codec/reader.ts";
import { encode } from "../codec/writer.ts";
import { DecodeError } from "../errors.ts";
import { MLS_LIMITS } from "../limits.ts";
import { decodeGroupContext, type GroupContext } from "../messages/group-context.ts";
import { decodeReInit, encodeReInit, type ReInit } from "../messages/proposal.ts";
import { EPOCH_SECRET_LABELS, type EpochSecrets } from "../schedule/key-schedule.ts";
import { asLeafIndex, type LeafIndex } from "../tree/math.ts";

/** The part of a group's state that is replaced as a whole with each epoch. */
export interface EpochState {
  readonly context: GroupContext;
  readonly contextBytes: Uint8Array;
  readonly confirmationTag: Uint8Array;
  readonly interimTranscriptHash: Uint8Array;
  readonly secrets: EpochSecrets;
  readonly ownLeafIndex: LeafIndex;
  readonly leafCount: number;
  /** False once this member was removed. */
  readonly active: boolean;
  /** The group that takes the place of this one, which ends with this epoch (RFC 9420 §11.2). */
  readonly reinit: ReInit | undefined;
}

const SECRET_NAMES = Object.keys(EPOCH_SECRET_LABELS) as (keyof EpochSecrets)[];

/** The encryption secret lives in the secret tree alone, where it is deleted as soon as it was used (RFC 9420 §9.2). */
const STORED_SECRETS = SECRET_NAMES.filter((name) => name !== "encryption");

export function encodeEpochState(head: EpochState): Uint8Array {
  return encode(head, (writer, value) => {
    writer.opaque(value.contextBytes);
    writer.opaque(value.confirmationTag);
    writer.opaque(value.interimTranscriptHash);
    for (const name of STORED_SECRETS) writer.opaque(value.secrets[name]);
    writer.u32(value.ownLeafIndex);
    writer.u32(value.leafCount);
    writer.u8(Number(value.active));
    writer.optional(value.reinit, encodeReInit);
  });
}

export function decodeEpochState(bytes: Uint8Array): EpochState {
  return decodeExact(bytes, (reader) => {
    const contextBytes = reader.opaque();
    const context = decodeExact(contextBytes, decodeGroupContext);
    const confirmationTag = reader.opaque();
    const interimTranscriptHash = reader.opaque();
    const secrets: Record<keyof EpochSecrets, Uint8Array> = {
      senderData: reader.opaque(),
      exporter: reader.opaque(),
      external: reader.opaque(),
      confirmation: reader.opaque(),
      membership: reader.opaque(),
      resumption: reader.opaque(),
      authentication: reader.opaque(),
      init: reader.opaque(),
      encryption: new Uint8Array(0),
    };
    const ownLeafIndex = asLeafIndex(reader.u32());
    const leafCount = reader.u32();
    if (leafCount === 0 || leafCount > MLS_LIMITS.maxLeaves || (leafCount & (leafCount - 1)) !== 0) {
      throw new DecodeError(`a stored leaf count is no power of two up to ${MLS_LIMITS.maxLeaves}`);
    }
    const active = reader.u8() === 1;
    const reinit = reader.optional(decodeReInit);
    return {
      context,
      contextBytes,
      confirmationTag,
      interimTranscriptHash,
      secrets,
      ownLeafIndex,
      leafCount,
      active,
      reinit,
    };
  });
}
