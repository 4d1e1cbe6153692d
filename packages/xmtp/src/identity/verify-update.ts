import { toBinary } from "@bufbuild/protobuf";
import { bytesKey } from "@latchkey/mls";
import { IdentityError } from "../errors.ts";
import { XMTP_LIMITS } from "../limits.ts";
import {
  IdentityUpdateSchema,
  SignatureSchema,
  type IdentityAction,
  type IdentityUpdate,
  type Signature,
} from "../proto.ts";
import { memberIdentifier, rootIdentifier, type Identifier, type RootIdentifier } from "./identifier.ts";
import { identityUpdateText } from "./signature-text.ts";
import { verifySignature, type VerifiedSignature } from "./signature.ts";

/** An action whose signatures were checked. */
export type VerifiedAction =
  | {
      readonly kind: "create_inbox";
      readonly initial: RootIdentifier;
      readonly nonce: bigint;
      readonly by: VerifiedSignature;
    }
  | {
      readonly kind: "add";
      readonly member: Identifier;
      readonly existing: VerifiedSignature;
      readonly added: VerifiedSignature;
    }
  | { readonly kind: "revoke"; readonly member: Identifier; readonly by: VerifiedSignature }
  | { readonly kind: "change_recovery"; readonly recovery: RootIdentifier; readonly by: VerifiedSignature };

/** An update whose signatures were checked; whether the inbox allows it is another question. */
export interface VerifiedIdentityUpdate {
  readonly inboxId: string;
  readonly clientTimestampNs: bigint;
  readonly actions: readonly VerifiedAction[];
  /** Bytes of the serialized update, unknown fields included. */
  readonly byteLength: number;
  /** Distinct signatures. */
  readonly signatureCount: number;
}

function malformed(message: string): never {
  throw new IdentityError("IDENTITY_MALFORMED", message);
}

function signatureKey(message: Signature | undefined): string {
  return message === undefined ? "" : bytesKey(toBinary(SignatureSchema, message));
}

/** The signatures of an action, in the order of the fields; one may be missing. */
function signaturesOf({ kind }: IdentityAction): readonly (Signature | undefined)[] {
  switch (kind.case) {
    case "createInbox":
      return [kind.value.initialIdentifierSignature];
    case "add":
      return [kind.value.existingMemberSignature, kind.value.newMemberSignature];
    case "revoke":
      return [kind.value.recoveryIdentifierSignature];
    case "changeRecoveryAddress":
      return [kind.value.existingRecoveryIdentifierSignature];
    case undefined:
      return malformed("an identity action is empty or of an unknown kind");
  }
}

function verifiedAction(
  { kind }: IdentityAction,
  verified: (message: Signature | undefined) => VerifiedSignature,
): VerifiedAction {
  switch (kind.case) {
    case "createInbox": {
      const { initialIdentifier, initialIdentifierKind, nonce, initialIdentifierSignature } = kind.value;
      const initial = rootIdentifier(initialIdentifier, initialIdentifierKind);
      return { kind: "create_inbox", initial, nonce, by: verified(initialIdentifierSignature) };
    }
    case "add": {
      const existing = verified(kind.value.existingMemberSignature);
      const added = verified(kind.value.newMemberSignature);
      return { kind: "add", member: memberIdentifier(kind.value.newMemberIdentifier), existing, added };
    }
    case "revoke": {
      const by = verified(kind.value.recoveryIdentifierSignature);
      return { kind: "revoke", member: memberIdentifier(kind.value.memberToRevoke), by };
    }
    case "changeRecoveryAddress": {
      const by = verified(kind.value.existingRecoveryIdentifierSignature);
      const recovery = rootIdentifier(kind.value.newRecoveryIdentifier, kind.value.newRecoveryIdentifierKind);
      return { kind: "change_recovery", recovery, by };
    }
    case undefined:
      return malformed("an identity action is empty or of an unknown kind");
  }
}

/** An identity update that was read, with the signatures that remain to be verified. */
export interface UnverifiedIdentityUpdate {
  readonly update: IdentityUpdate;
  /** The text that every signature covers. */
  readonly text: string;
  /** Each distinct signature once, in the order of the actions: a wallet signs once for several actions. */
  readonly signatures: readonly Signature[];
  /** Bytes of the serialized update, unknown fields included. */
  readonly byteLength: number;
}

/** Checks the bounds of an update and collects its signatures. Throws IdentityError `IDENTITY_MALFORMED`. */
export function readIdentityUpdate(update: IdentityUpdate): UnverifiedIdentityUpdate {
  const { actions } = update;
  if (actions.length > XMTP_LIMITS.maxIdentityActions) {
    malformed(`an update has ${actions.length} actions, more than ${XMTP_LIMITS.maxIdentityActions}`);
  }
  const byteLength = toBinary(IdentityUpdateSchema, update).length;
  if (byteLength > XMTP_LIMITS.maxIdentityUpdateBytes) {
    malformed(`an update has more than ${XMTP_LIMITS.maxIdentityUpdateBytes} bytes`);
  }
  const distinct = new Map<string, Signature>();
  for (const message of actions.flatMap(signaturesOf)) {
    if (message === undefined) malformed("a signature is missing");
    distinct.set(signatureKey(message), message);
  }
  return { update, text: identityUpdateText(update), signatures: [...distinct.values()], byteLength };
}

/**
 * An update with what its signatures were verified as, in the order of `UnverifiedIdentityUpdate.signatures`. Throws
 * IdentityError `IDENTITY_MALFORMED`, also when there is not one verdict for each signature.
 */
export function withVerifiedSignatures(
  { update, signatures, byteLength }: UnverifiedIdentityUpdate,
  verified: readonly VerifiedSignature[],
): VerifiedIdentityUpdate {
  const known = new Map(signatures.map((message, index) => [signatureKey(message), verified[index]]));
  const lookUp = (message: Signature | undefined): VerifiedSignature =>
    known.get(signatureKey(message)) ?? malformed("a signature was not verified");
  const { inboxId, clientTimestampNs, actions } = update;
  const verifiedActions = actions.map((action) => verifiedAction(action, lookUp));
  return { inboxId, clientTimestampNs, actions: verifiedActions, byteLength, signatureCount: signatures.length };
}

/**
 * Checks the bounds and all signatures of an update, about 2 ms each. Throws IdentityError (`IDENTITY_MALFORMED`,
 * `IDENTITY_BAD_SIGNATURE`, `IDENTITY_UNSUPPORTED_SIGNATURE`).
 */
export function verifyIdentityUpdate(update: IdentityUpdate): VerifiedIdentityUpdate {
  const unverified = readIdentityUpdate(update);
  const { text, signatures } = unverified;
  return withVerifiedSignatures(
    unverified,
    signatures.map((message) => verifySignature(text, message)),
  );
}
