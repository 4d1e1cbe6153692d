import { fromBinary } from "@bufbuild/protobuf";
import {
  applyVerifiedUpdate,
  decodeSignatureVerdict,
  encodeSignatureVerdict,
  IdentityError,
  readIdentityUpdate,
  sizeWith,
  withVerifiedSignatures,
  type AssociationState,
  type SignatureVerdict,
  type UnverifiedIdentityUpdate,
} from "@latchkey/xmtp";
import { IdentityUpdateSchema } from "@latchkey/xmtp/proto";
import { CLIENT_LIMITS } from "../limits.ts";
import type { SignatureTurns } from "./signature-turns.ts";

/** An inbox after one update of its log. */
export interface KnownState {
  readonly sequenceId: bigint;
  readonly serverTimestampNs: bigint;
  readonly state: AssociationState;
}

/** One serialized update of a log, with the verdict that was kept for it. */
export interface ReplayEntry {
  readonly sequenceId: bigint;
  readonly serverTimestampNs: bigint;
  readonly update: Uint8Array;
  readonly verdict: Uint8Array | undefined;
  /** A verdict that was given for this replay, and is to be kept. */
  readonly judged?: Uint8Array | undefined;
}

/** What a replay came to. */
export interface ReplayedLog {
  readonly states: readonly KnownState[];
  /** Entries behind the states that were there before, each of which has a state now. */
  readonly accepted: readonly ReplayEntry[];
  /** Verdicts that were given now, by sequence id, for being kept. */
  readonly verdicts: ReadonlyMap<bigint, Uint8Array>;
}

/** Logs that end before an update of a smart-contract wallet which the node does not verify. */
const unverifiable = new WeakSet<readonly KnownState[]>();

/** Whether a replayed log goes on behind its last state, with a signature that the node does not verify now. */
export function endsUnverified(states: readonly KnownState[]): boolean {
  return unverifiable.has(states);
}

/** Undefined when the node does not verify a signature: it may do so later, and nothing is kept. */
async function judge(
  unverified: UnverifiedIdentityUpdate,
  turns: SignatureTurns,
): Promise<SignatureVerdict | undefined> {
  const verified = [];
  try {
    for (const message of unverified.signatures) {
      const signature = await turns.verify(unverified.text, message);
      if (signature === undefined) return undefined;
      verified.push(signature);
    }
  } catch (error) {
    if (error instanceof IdentityError) return "refused";
    throw error;
  }
  return verified;
}

/**
 * Replays updates behind the states of a log. The log ends before the first update that breaks a rule: what follows is
 * as unknown as if the node had not served it.
 */
export async function replayLog(
  inboxId: string,
  before: readonly KnownState[],
  entries: Iterable<ReplayEntry>,
  turns: SignatureTurns,
): Promise<ReplayedLog> {
  const states = [...before];
  const accepted: ReplayEntry[] = [];
  const verdicts = new Map<bigint, Uint8Array>();
  for (const entry of entries) {
    const { sequenceId, serverTimestampNs, update, verdict: kept, judged } = entry;
    const last = states.at(-1);
    if (states.length >= CLIENT_LIMITS.maxIdentityUpdates) break;
    if (sequenceId <= (last?.sequenceId ?? 0n)) continue;
    try {
      const unverified = readIdentityUpdate(fromBinary(IdentityUpdateSchema, update));
      sizeWith(last?.state, { ...unverified, signatureCount: unverified.signatures.length });
      await turns.spend(unverified.update.actions.length);
      let verdict = kept && decodeSignatureVerdict(update, kept);
      if (verdict === undefined && judged !== undefined) {
        verdict = decodeSignatureVerdict(update, judged);
        if (verdict !== undefined) verdicts.set(sequenceId, judged);
      }
      if (verdict === undefined) {
        verdict = await judge(unverified, turns);
        if (verdict === undefined) {
          unverifiable.add(states);
          break;
        }
        verdicts.set(sequenceId, encodeSignatureVerdict(update, verdict));
      }
      if (verdict === "refused") break;
      const state = applyVerifiedUpdate(last?.state, withVerifiedSignatures(unverified, verdict));
      // A node may serve the good log of another inbox.
      if (state.inboxId !== inboxId) break;
      states.push({ sequenceId, serverTimestampNs, state });
      accepted.push(entry);
    } catch (error) {
      if (error instanceof IdentityError) break;
      throw error;
    }
  }
  return { states, accepted, verdicts };
}
