import { IdentityError } from "../errors.ts";
import type { IdentityAction, IdentityUpdate } from "../proto.ts";
import { isInboxId, memberIdentifier, rootIdentifier, type Identifier } from "./identifier.ts";

const LABEL = { ethereum: "Address", passkey: "Passkey", installation: "ID" } as const;
const ADD = {
  ethereum: "Link address to inbox",
  passkey: "Link passkey to inbox",
  installation: "Grant messaging access to app",
} as const;
const REVOKE = {
  ethereum: "Unlink address from inbox",
  passkey: "Unlink passkey from inbox",
  installation: "Revoke messaging access from app",
} as const;

const NS = 1_000_000_000n;

function line(title: string, label: string, identifier: Identifier): string {
  return `- ${title}\n  (${label}: ${identifier.value})`;
}

function actionText(action: IdentityAction): string {
  const { kind } = action;
  switch (kind.case) {
    case "createInbox": {
      const { initialIdentifier, initialIdentifierKind } = kind.value;
      return line("Create inbox", "Owner", rootIdentifier(initialIdentifier, initialIdentifierKind));
    }
    case "add": {
      const member = memberIdentifier(kind.value.newMemberIdentifier);
      return line(ADD[member.kind], LABEL[member.kind], member);
    }
    case "revoke": {
      const member = memberIdentifier(kind.value.memberToRevoke);
      return line(REVOKE[member.kind], LABEL[member.kind], member);
    }
    case "changeRecoveryAddress": {
      const { newRecoveryIdentifier, newRecoveryIdentifierKind } = kind.value;
      const recovery = rootIdentifier(newRecoveryIdentifier, newRecoveryIdentifierKind);
      return line("Change inbox recovery address", "Address", recovery);
    }
    case undefined:
      throw new IdentityError("IDENTITY_MALFORMED", "an identity action is empty or of an unknown kind");
  }
}

/** RFC 3339 in UTC, whole seconds, rounded down. From 2^63 on a time is one before 1970, as XMTP's clients read it. */
function timeText(timestampNs: bigint): string {
  const signedNs = BigInt.asIntN(64, timestampNs);
  const seconds = (signedNs - (((signedNs % NS) + NS) % NS)) / NS;
  return new Date(Number(seconds) * 1000).toISOString().replace(".000Z", "Z");
}

/**
 * The exact text that every signature of an identity update covers (XIP-46). It names the inbox, the time in whole
 * seconds and each action. Throws IdentityError `IDENTITY_MALFORMED`.
 */
export function identityUpdateText(update: Pick<IdentityUpdate, "inboxId" | "clientTimestampNs" | "actions">): string {
  if (!isInboxId(update.inboxId)) {
    throw new IdentityError("IDENTITY_MALFORMED", "an inbox id must be 64 lower-case hex digits");
  }
  return [
    "XMTP : Authenticate to inbox",
    "",
    `Inbox ID: ${update.inboxId}`,
    `Current time: ${timeText(update.clientTimestampNs)}`,
    "",
    ...update.actions.map(actionText),
    "",
    "For more info: https://xmtp.org/signatures",
  ].join("\n");
}
