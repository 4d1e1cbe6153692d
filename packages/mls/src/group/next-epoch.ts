import type { CipherSuite } from "../crypto/provider.ts";
import { ValidationError } from "../errors.ts";
import type { Extension } from "../messages/extension.ts";
import type { AuthenticatedContent, FramedContent, FramingWireFormat } from "../messages/framing.ts";
import { groupContextBytes, type GroupContext } from "../messages/group-context.ts";
import { deriveEpochSecrets, deriveJoinerSecret, type EpochSecrets } from "../schedule/key-schedule.ts";
import { SecretTree } from "../schedule/secret-tree.ts";
import { computeConfirmationTag, confirmedTranscriptHash, interimTranscriptHash } from "../schedule/transcript.ts";
import type { LeafIndex } from "../tree/math.ts";
import type { EpochKeys } from "./epoch-keys.ts";
import type { EpochState } from "./epoch-state.ts";

const MAX_EPOCH = 2n ** 64n - 1n;

/** Inputs of the key schedule for the epoch that a commit starts (RFC 9420 §8). */
export interface EpochInput {
  readonly suite: CipherSuite;
  /** GroupContext of the new epoch but for its confirmed transcript hash. */
  readonly provisional: GroupContext;
  readonly interimTranscriptHash: Uint8Array;
  readonly wireFormat: FramingWireFormat;
  readonly content: FramedContent;
  readonly signature: Uint8Array;
  readonly initSecret: Uint8Array;
  readonly commitSecret: Uint8Array;
  readonly pskSecret: Uint8Array;
}

/** The new epoch as the key schedule gives it. */
export interface NextEpoch {
  readonly context: GroupContext;
  readonly contextBytes: Uint8Array;
  readonly joinerSecret: Uint8Array;
  readonly secrets: EpochSecrets;
  readonly confirmationTag: Uint8Array;
}

/**
 * The GroupContext of the next epoch but for its confirmed transcript hash: that is still the old one (RFC 9420
 * §12.4.1).
 */
export function nextContext(
  context: GroupContext,
  treeHash: Uint8Array,
  extensions: readonly Extension[],
): GroupContext {
  if (context.epoch >= MAX_EPOCH) throw new ValidationError("epoch", "the group has used up its epoch numbers");
  return { ...context, epoch: context.epoch + 1n, treeHash, extensions };
}

/** Runs transcript and key schedule of a commit (RFC 9420 §8, §8.2). */
export function deriveNextEpoch(input: EpochInput): NextEpoch {
  const { suite } = input;
  const message: AuthenticatedContent = {
    wireFormat: input.wireFormat,
    content: input.content,
    auth: { signature: input.signature, confirmationTag: undefined },
  };
  const confirmed = confirmedTranscriptHash(suite, input.interimTranscriptHash, message);
  const context: GroupContext = { ...input.provisional, confirmedTranscriptHash: confirmed };
  const contextBytes = groupContextBytes(context);
  const joinerSecret = deriveJoinerSecret(suite, input.initSecret, input.commitSecret, contextBytes);
  const secrets = deriveEpochSecrets(suite, joinerSecret, input.pskSecret, contextBytes);
  const confirmationTag = computeConfirmationTag(suite, secrets.confirmation, confirmed);
  return { context, contextBytes, joinerSecret, secrets, confirmationTag };
}

/** The head of an epoch. */
export function epochStateOf(
  suite: CipherSuite,
  epoch: Omit<NextEpoch, "joinerSecret">,
  ownLeafIndex: LeafIndex,
  leafCount: number,
): EpochState {
  const { context, contextBytes, confirmationTag, secrets } = epoch;
  return {
    context,
    contextBytes,
    confirmationTag,
    interimTranscriptHash: interimTranscriptHash(suite, context.confirmedTranscriptHash, confirmationTag),
    secrets,
    ownLeafIndex,
    leafCount,
    active: true,
    reinit: undefined,
  };
}

/** The receiving keys of an epoch that just began. */
export function freshEpoch(suite: CipherSuite, head: EpochState): EpochKeys {
  return {
    number: head.context.epoch,
    contextBytes: head.contextBytes,
    senderDataSecret: head.secrets.senderData,
    resumptionSecret: head.secrets.resumption,
    ownLeafIndex: head.ownLeafIndex,
    secretTree: SecretTree.fromEncryptionSecret(suite, head.leafCount, head.secrets.encryption),
    replaced: new Map(),
  };
}
