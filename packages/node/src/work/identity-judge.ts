import { fromBinary } from "@bufbuild/protobuf";
import {
  applyIdentityUpdate,
  applyVerifiedUpdate,
  readIdentityUpdate,
  sizeWith,
  verifyIdentityUpdate,
  type AssociationState,
  type VerifiedIdentityUpdate,
} from "@latchkey/xmtp";
import { IdentityUpdateSchema } from "@latchkey/xmtp/proto";
import { NodeError } from "../errors.ts";
import type { IndexedIdentifier } from "../storage/storage.ts";

/** Inboxes whose state is remembered; each state is below 100 KiB. */
const MAX_REMEMBERED = 512;

/** May this update follow these? */
export interface IdentityQuestion {
  readonly inboxId: string;
  /** Id of the inbox's last update, 0 for none. */
  readonly lastId: bigint;
  readonly update: Uint8Array;
  /** The whole log, when the answer before asked for it. */
  readonly entries?: readonly { readonly id: bigint; readonly payload: Uint8Array }[];
  readonly maxUpdates: number;
  /** Of those, the last ones are for updates that the recovery identifier signs: a thief cannot use them up. */
  readonly reservedUpdates: number;
  readonly maxInstallations: number;
}

/** The changes of the index, or that the log is needed to tell. */
export type IdentityVerdict =
  | { readonly needsLog: true }
  | { readonly added: readonly IndexedIdentifier[]; readonly removed: readonly IndexedIdentifier[] };

/**
 * Judges updates, the cheapest rules first. States are remembered by the id they belong to: stored updates never change,
 * so this saves the milliseconds of each signature and decides nothing. Throws IdentityError and NodeError
 * `IDENTITY_LOG_FULL`.
 */
export function createIdentityJudge(): (question: IdentityQuestion) => IdentityVerdict {
  const remembered = new Map<string, { readonly lastId: bigint; readonly state: AssociationState }>();

  function stateBefore({
    inboxId,
    lastId,
    entries,
  }: IdentityQuestion): AssociationState | undefined | { needsLog: true } {
    if (lastId === 0n) return undefined;
    const newest = remembered.get(inboxId);
    // The question may be older than what is remembered, and the log newer than the question: others publish meanwhile.
    const known = newest !== undefined && newest.lastId <= lastId ? newest : undefined;
    let state = known?.state;
    if (known?.lastId !== lastId) {
      if (entries === undefined) return { needsLog: true };
      for (const { id, payload } of entries) {
        if (id > lastId || (known !== undefined && id <= known.lastId)) continue;
        state = applyIdentityUpdate(state, fromBinary(IdentityUpdateSchema, payload));
      }
    }
    if (state === undefined) return undefined;
    remembered.delete(inboxId);
    remembered.set(inboxId, { lastId, state });
    const oldest = remembered.keys().next();
    if (remembered.size > MAX_REMEMBERED && oldest.done !== true) remembered.delete(oldest.value);
    return state;
  }

  return (question) => {
    const before = stateBefore(question);
    if (before !== undefined && "needsLog" in before) return before;
    const count = before?.updateCount ?? 0;
    const { maxUpdates, reservedUpdates } = question;
    if (count >= maxUpdates) throw full(`${count} identity updates`);
    const update = fromBinary(IdentityUpdateSchema, question.update);
    const { byteLength, signatures } = readIdentityUpdate(update);
    sizeWith(before, { byteLength, signatureCount: signatures.length });
    const verified = verifyIdentityUpdate(update);
    const after = applyVerifiedUpdate(before, verified);
    if (count >= maxUpdates - reservedUpdates && before !== undefined && !isByRecovery(verified, before)) {
      throw full(`${count} identity updates, and the last ${reservedUpdates} are its recovery identifier's`);
    }
    const installations = installationsOf(after);
    if (installations > question.maxInstallations && installations > installationsOf(before)) {
      throw full(`${installations} installations`);
    }
    const [old, now] = [indexed(before), indexed(after)];
    return { added: difference(now, old), removed: difference(old, now) };
  };
}

/** Whether the recovery identifier of an inbox has signed every action of an update. */
function isByRecovery({ actions }: VerifiedIdentityUpdate, { recoveryIdentifier }: AssociationState): boolean {
  return actions.every((action) => {
    const { signer } = action.kind === "add" ? action.existing : action.by;
    return signer.kind === recoveryIdentifier.kind && signer.value === recoveryIdentifier.value;
  });
}

function full(what: string): NodeError {
  return new NodeError("IDENTITY_LOG_FULL", `the inbox has ${what}, the most there may be`);
}

function installationsOf(state: AssociationState | undefined): number {
  let count = 0;
  for (const { identifier } of state?.members.values() ?? []) if (identifier.kind === "installation") count++;
  return count;
}

function indexed(state: AssociationState | undefined): Map<string, IndexedIdentifier> {
  const identifiers = new Map<string, IndexedIdentifier>();
  for (const [key, { identifier }] of state?.members ?? []) {
    const { kind, value } = identifier;
    if (kind !== "installation") identifiers.set(key, { kind, identifier: value });
  }
  return identifiers;
}

function difference(from: ReadonlyMap<string, IndexedIdentifier>, without: ReadonlyMap<string, unknown>) {
  return [...from].flatMap(([key, identifier]) => (without.has(key) ? [] : [identifier]));
}
