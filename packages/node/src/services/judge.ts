import { bytesKey, LatchkeyError } from "@latchkey/mls";
import { NodeError } from "../errors.ts";
import type { IndexedIdentifier } from "../storage/storage.ts";
import type { NodeRuntime } from "./runtime.ts";

/** Microseconds that one signature takes to verify, and 4 KiB of a log to read and replay. */
const SIGNATURE_MICROS = 2_000;

/** Signatures of an update that registers: one of the wallet, one of the installation, and room for what comes along. */
const REGISTRATION_SIGNATURES = 8;

/** An update that was read, and where it would stand in its log. */
export interface JudgedUpdate {
  readonly inboxId: string;
  readonly payload: Uint8Array;
  readonly digest: Uint8Array;
  /** Id of the inbox's last update, 0 for none. */
  readonly lastId: bigint;
  /** Distinct signatures. */
  readonly signatureCount: number;
  readonly address: string;
}

/** The changes of the index by an update. */
export interface IndexChanges {
  readonly added: readonly IndexedIdentifier[];
  readonly removed: readonly IndexedIdentifier[];
}

/**
 * Judges updates by the log so far. A refusal is remembered by the update and the log it was judged by, so the same bytes
 * cost nothing again. Throws IdentityError and NodeError `IDENTITY_LOG_FULL`, `RATE_LIMITED`, `NODE_BUSY`.
 */
export function createJudge({ store, limits, work }: NodeRuntime): (update: JudgedUpdate) => Promise<IndexChanges> {
  const refusals = new Map<string, LatchkeyError>();

  function remember(key: string, error: unknown): void {
    if (!(error instanceof LatchkeyError) || error.retryable) return;
    refusals.set(key, error);
    const oldest = refusals.keys().next();
    if (refusals.size > limits.refusalsRemembered && oldest.done !== true) refusals.delete(oldest.value);
  }

  async function ask({ inboxId, payload, lastId, signatureCount, address }: JudgedUpdate): Promise<IndexChanges> {
    const bounds = {
      maxUpdates: limits.identityUpdatesPerInbox,
      reservedUpdates: limits.identityUpdatesReserved,
      maxInstallations: limits.installationsPerInbox,
    };
    const question = { inboxId, lastId, update: payload, ...bounds };
    const options = {
      address,
      estimateMicros: signatureCount * SIGNATURE_MICROS,
      isAdmitted: lastId === 0n && signatureCount <= REGISTRATION_SIGNATURES,
    };
    const verdict = await work.run({ kind: "identity", question }, options);
    if (!("needsLog" in verdict)) return verdict;
    const entries = await store.identity.read(inboxId, 0n);
    const estimateMicros = options.estimateMicros + entries.length * 2 * SIGNATURE_MICROS;
    const again = await work.run(
      { kind: "identity", question: { ...question, entries } },
      { ...options, estimateMicros, isAdmitted: true },
    );
    if ("needsLog" in again)
      throw new NodeError("NODE_BUSY", "the log has changed meanwhile; try again", { retryable: true });
    return again;
  }

  return async (update) => {
    const key = `${bytesKey(update.digest)} ${update.lastId}`;
    const refused = refusals.get(key);
    if (refused !== undefined) throw refused;
    try {
      return await ask(update);
    } catch (error) {
      remember(key, error);
      throw error;
    }
  };
}
