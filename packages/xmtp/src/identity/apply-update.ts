import { IdentityError, type IdentityErrorCode } from "../errors.ts";
import { XMTP_LIMITS } from "../limits.ts";
import type { IdentityUpdate } from "../proto.ts";
import { AssociationState, type InboxMember } from "./association-state.ts";
import { deriveInboxId, identifierKey, sameIdentifier, type Identifier } from "./identifier.ts";
import type { SignatureKind, VerifiedSignature } from "./signature.ts";
import { verifyIdentityUpdate, type VerifiedAction, type VerifiedIdentityUpdate } from "./verify-update.ts";

const ALLOWED: Record<Identifier["kind"], readonly SignatureKind[]> = {
  ethereum: ["erc_191", "erc_6492", "delegated_erc_191"],
  installation: ["installation_key"],
  passkey: ["passkey"],
};

function refuse(code: IdentityErrorCode, message: string): never {
  throw new IdentityError(code, message);
}

function checkKind(kind: Identifier["kind"], signature: VerifiedSignature): void {
  if (!ALLOWED[kind].includes(signature.kind)) {
    refuse("IDENTITY_SIGNATURE_NOT_ALLOWED", `a member of kind ${kind} cannot sign with ${signature.kind}`);
  }
}

function checkReplay(state: AssociationState, ...signatures: VerifiedSignature[]): void {
  if (signatures.some(({ seen }) => state.seenSignatures.has(seen))) {
    refuse("IDENTITY_REPLAY", "a signature was used by an earlier update of this inbox");
  }
}

function checkChain(member: InboxMember | undefined, signature: VerifiedSignature): void {
  if (member !== undefined && member.chainId !== signature.chainId) {
    refuse("IDENTITY_CHAIN_ID_MISMATCH", "a member signs on another chain than the one it was added on");
  }
}

const isLegacy = (signature: VerifiedSignature) => signature.kind === "delegated_erc_191";

function createInbox(
  state: AssociationState | undefined,
  action: VerifiedAction & { kind: "create_inbox" },
): AssociationState {
  const { initial, nonce, by } = action;
  if (state !== undefined) refuse("IDENTITY_MULTIPLE_CREATE", "an inbox that exists cannot be created again");
  if (!sameIdentifier(by.signer, initial)) {
    refuse("IDENTITY_MISSING_EXISTING_MEMBER", "an inbox must be created by the owner of its first identifier");
  }
  checkKind(initial.kind, by);
  if (isLegacy(by) && nonce !== 0n) refuse("IDENTITY_LEGACY_REUSE", "a V2 key can only create the inbox of nonce 0");
  const member = { identifier: initial, addedBy: undefined, clientTimestampNs: undefined, chainId: by.chainId };
  return new AssociationState({
    inboxId: deriveInboxId(initial.value, nonce),
    members: new Map([[identifierKey(initial), member]]),
    recoveryIdentifier: initial,
    seenSignatures: new Set(),
    updateCount: 0,
    byteLength: 0,
    signatureCount: 0,
  });
}

function addMember(
  state: AssociationState,
  { member, existing, added }: VerifiedAction & { kind: "add" },
  clientTimestampNs: bigint,
): AssociationState {
  checkReplay(state, existing, added);
  if (!sameIdentifier(added.signer, member)) {
    refuse("IDENTITY_NEW_MEMBER_MISMATCH", "a new member's signature is somebody else's");
  }
  if (sameIdentifier(added.signer, existing.signer)) refuse("IDENTITY_SELF_ADD", "a member tries to add itself");
  const legacy = isLegacy(existing) || isLegacy(added);
  if (legacy && existing.signer.kind !== "installation" && deriveInboxId(existing.signer.value, 0n) !== state.inboxId) {
    refuse("IDENTITY_LEGACY_REUSE", "a V2 key can only be used in the inbox of nonce 0");
  }
  checkKind(member.kind, added);
  const known = state.member(existing.signer);
  checkChain(known, existing);
  if (known === undefined) {
    if (!sameIdentifier(existing.signer, state.recoveryIdentifier)) {
      refuse("IDENTITY_MISSING_EXISTING_MEMBER", "a member can only be added by a member or the recovery identifier");
    }
    if (isLegacy(existing)) refuse("IDENTITY_LEGACY_REUSE", "the recovery identifier must sign with its wallet");
  }
  checkKind(existing.signer.kind, existing);
  if (existing.signer.kind === "installation" && member.kind === "installation") {
    refuse("IDENTITY_MEMBER_NOT_ALLOWED", "an installation cannot add an installation; the wallet has to");
  }
  return state.withMember({ identifier: member, addedBy: existing.signer, clientTimestampNs, chainId: added.chainId });
}

function checkRecovery(state: AssociationState, by: VerifiedSignature): void {
  checkReplay(state, by);
  checkChain(state.member(by.signer), by);
  if (isLegacy(by)) refuse("IDENTITY_SIGNATURE_NOT_ALLOWED", "revoking and recovery need the wallet's own signature");
  if (!sameIdentifier(by.signer, state.recoveryIdentifier)) {
    refuse("IDENTITY_MISSING_EXISTING_MEMBER", "only the recovery identifier can revoke members or change recovery");
  }
}

function applyAction(
  state: AssociationState | undefined,
  action: VerifiedAction,
  clientTimestampNs: bigint,
): AssociationState {
  if (action.kind === "create_inbox") return createInbox(state, action);
  if (state === undefined) refuse("IDENTITY_NOT_CREATED", "the first action of an inbox must create it");
  if (action.kind === "add") return addMember(state, action, clientTimestampNs);
  checkRecovery(state, action.by);
  if (action.kind === "revoke") return state.withoutMember(action.member);
  return state.with({ recoveryIdentifier: action.recovery });
}

/** What an update adds to its log, known before a signature of it is verified. */
export interface UpdateSize {
  readonly byteLength: number;
  readonly signatureCount: number;
}

/**
 * Size of a log with one more update. Throws IdentityError `IDENTITY_TOO_MANY_UPDATES` or `IDENTITY_LOG_TOO_LARGE` when
 * that is more than a log may hold, so that nobody verifies what does not count anyway.
 */
export function sizeWith(state: AssociationState | undefined, update: UpdateSize) {
  const updateCount = (state?.updateCount ?? 0) + 1;
  const byteLength = (state?.byteLength ?? 0) + update.byteLength;
  const signatureCount = (state?.signatureCount ?? 0) + update.signatureCount;
  const { maxIdentityUpdates, maxIdentityLogBytes, maxIdentitySignatures } = XMTP_LIMITS;
  if (updateCount > maxIdentityUpdates) {
    refuse("IDENTITY_TOO_MANY_UPDATES", `an inbox has at most ${maxIdentityUpdates} updates`);
  }
  if (byteLength > maxIdentityLogBytes) {
    refuse("IDENTITY_LOG_TOO_LARGE", `the updates of an inbox have at most ${maxIdentityLogBytes} bytes`);
  }
  if (signatureCount > maxIdentitySignatures) {
    refuse("IDENTITY_LOG_TOO_LARGE", `the updates of an inbox have at most ${maxIdentitySignatures} signatures`);
  }
  return { updateCount, byteLength, signatureCount };
}

/**
 * The state after an update whose signatures were checked. Throws IdentityError with the code of the broken rule; the
 * given state is not changed.
 */
export function applyVerifiedUpdate(
  state: AssociationState | undefined,
  update: VerifiedIdentityUpdate,
): AssociationState {
  const size = sizeWith(state, update);
  let next = state;
  for (const action of update.actions) next = applyAction(next, action, update.clientTimestampNs);
  if (next === undefined) refuse("IDENTITY_NOT_CREATED", "an update without actions creates nothing");
  if (next.inboxId !== update.inboxId) {
    refuse("IDENTITY_WRONG_INBOX_ID", "an update names another inbox than the one its actions lead to");
  }
  const used = update.actions.flatMap((action) =>
    action.kind === "add" ? [action.existing.seen, action.added.seen] : [action.by.seen],
  );
  return next.with({ seenSignatures: new Set([...next.seenSignatures, ...used]), ...size });
}

/** Verifies an update and applies it (XIP-46); `state` is undefined for an inbox without updates. Throws IdentityError. */
export function applyIdentityUpdate(state: AssociationState | undefined, update: IdentityUpdate): AssociationState {
  return applyVerifiedUpdate(state, verifyIdentityUpdate(update));
}

/**
 * The state after all updates in log order; undefined for an empty log. One bad update makes the whole log invalid, as
 * the network is expected to have refused it: throws IdentityError.
 */
export function replayIdentityLog(updates: Iterable<IdentityUpdate>): AssociationState | undefined {
  let state: AssociationState | undefined;
  for (const update of updates) state = applyIdentityUpdate(state, update);
  return state;
}
