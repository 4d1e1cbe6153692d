import {
  compareBytes,
  decodeMlsMessage,
  equalBytes,
  groupContextBytes,
  LatchkeyError,
  type CipherSuite,
} from "@latchkey/mls";
import { sha256 } from "@noble/hashes/sha2.js";
import { JoinError } from "../errors.ts";
import { XMTP_LIMITS } from "../limits.ts";
import { groupStateHash, unwrapGroupInfo, type GroupInfoBlob, type UnwrappedGroupInfo } from "./blob.ts";
import { readGroupInfoHints } from "./group-info-hints.ts";

/** Why a blob of the slot was dropped. */
export interface RejectedCandidate {
  readonly code: string;
  readonly rule: string | undefined;
}

/** A blob that opens and is of the state that it claims. */
export interface Candidate extends UnwrappedGroupInfo {
  /** The group that its GroupInfo is of. */
  readonly groupId: Uint8Array;
  /** How far its signer says to have read the log, as in `GroupInfoHints`; 0 when it does not say. Not verified either. */
  readonly logCursor: bigint;
}

/** Blobs worth trying, best first, and the faults of the others. */
export interface CandidateSelection {
  readonly candidates: readonly Candidate[];
  readonly rejected: readonly RejectedCandidate[];
}

/** The order of trying (XIP-82): epoch descending, then `group_state_hash` ascending. */
export function compareCandidates(a: GroupInfoBlob, b: GroupInfoBlob): number {
  if (a.epoch !== b.epoch) return a.epoch > b.epoch ? -1 : 1;
  return compareBytes(a.groupStateHash, b.groupStateHash);
}

/** Of blobs of one state the one first whose signer has read furthest: fewest commits stand in its way. */
function compareOpened(a: Candidate, b: Candidate): number {
  const order = compareCandidates(a, b);
  if (order !== 0 || a.logCursor === b.logCursor) return order;
  return a.logCursor > b.logCursor ? -1 : 1;
}

/**
 * Checks that a blob is of the state it claims: same epoch, same hash of the GroupContext. A key holder can lie about
 * both. Throws JoinError `INVITE_NO_CANDIDATE` with `rule` `EpochMismatch` or `GroupStateHashMismatch`.
 */
export function checkConsistency(
  blob: GroupInfoBlob,
  context: { readonly epoch: bigint; readonly bytes: Uint8Array },
): void {
  if (blob.epoch !== context.epoch) {
    throw new JoinError("INVITE_NO_CANDIDATE", "a blob claims another epoch than its GroupInfo has", {
      rule: "EpochMismatch",
    });
  }
  if (!equalBytes(blob.groupStateHash, groupStateHash({ hash: sha256 }, context.bytes))) {
    throw new JoinError("INVITE_NO_CANDIDATE", "a blob claims another group state than its GroupInfo has", {
      rule: "GroupStateHashMismatch",
    });
  }
}

function openCandidate(blob: Uint8Array, key: Uint8Array, suite: CipherSuite, nowNs: bigint): Candidate {
  const candidate = unwrapGroupInfo(blob, key, { suite, nowNs });
  const message = decodeMlsMessage(candidate.groupInfo);
  if (message.wireFormat !== "group_info") {
    throw new JoinError("INVITE_NO_CANDIDATE", "a blob holds another message than a GroupInfo", {
      rule: "NotGroupInfo",
    });
  }
  const { context, extensions } = message.message;
  checkConsistency(candidate, { epoch: context.epoch, bytes: groupContextBytes(context) });
  return { ...candidate, groupId: context.groupId, logCursor: readGroupInfoHints(extensions).logCursor ?? 0n };
}

/**
 * Opens the blobs of a slot and sorts the usable ones into the order of trying (XIP-82, join steps 2 to 5). Blobs come
 * newest last; of too many only the newest `XMTP_LIMITS.maxCandidates` are looked at. GroupInfos are decoded, not
 * verified. Never throws for a bad blob: it is listed under `rejected`.
 */
export function selectCandidates(options: {
  suite: CipherSuite;
  blobs: readonly Uint8Array[];
  /** The invite's key; secret. */
  key: Uint8Array;
  nowNs: bigint;
}): CandidateSelection {
  const { suite, key, nowNs } = options;
  const candidates: Candidate[] = [];
  const rejected: RejectedCandidate[] = [];
  for (const blob of options.blobs.slice(-XMTP_LIMITS.maxCandidates)) {
    try {
      candidates.push(openCandidate(blob, key, suite, nowNs));
    } catch (error) {
      // Whatever a blob makes fail, it must not keep the others from being looked at.
      const { code, rule } = error instanceof LatchkeyError ? error : { code: "DEFECT", rule: undefined };
      rejected.push({ code, rule });
    }
  }
  return { candidates: candidates.sort(compareOpened), rejected };
}
