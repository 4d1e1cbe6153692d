import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { IdentifierKind, IdentityUpdateSchema } from "../proto.ts";
import { memberIdentifierInit, type Identifier } from "./identifier.ts";
import { identityUpdateText } from "./signature-text.ts";

const ADDRESS = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266";
const INBOX = "ab".repeat(32);
const WALLET: Identifier = { kind: "ethereum", value: ADDRESS };
const INSTALLATION: Identifier = { kind: "installation", value: "cd".repeat(32) };
const PASSKEY: Identifier = { kind: "passkey", value: "02".repeat(33) };

function add(member: Identifier) {
  return { kind: { case: "add" as const, value: { newMemberIdentifier: memberIdentifierInit(member) } } };
}

function revoke(member: Identifier) {
  return { kind: { case: "revoke" as const, value: { memberToRevoke: memberIdentifierInit(member) } } };
}

describe("the text of an identity update", () => {
  test("every action has its exact two lines", () => {
    const initial = { initialIdentifier: ADDRESS, nonce: 1n };
    const recovery = { newRecoveryIdentifier: ADDRESS, newRecoveryIdentifierKind: IdentifierKind.ETHEREUM };
    const update = create(IdentityUpdateSchema, {
      inboxId: INBOX,
      clientTimestampNs: 1_700_000_000_999_999_999n,
      actions: [
        { kind: { case: "createInbox", value: initial } },
        add(INSTALLATION),
        add(WALLET),
        add(PASSKEY),
        revoke(INSTALLATION),
        revoke(WALLET),
        revoke(PASSKEY),
        { kind: { case: "changeRecoveryAddress", value: recovery } },
      ],
    });
    assert.equal(
      identityUpdateText(update),
      `XMTP : Authenticate to inbox

Inbox ID: ${INBOX}
Current time: 2023-11-14T22:13:20Z

- Create inbox
  (Owner: ${ADDRESS})
- Grant messaging access to app
  (ID: ${INSTALLATION.value})
- Link address to inbox
  (Address: ${ADDRESS})
- Link passkey to inbox
  (Passkey: ${PASSKEY.value})
- Revoke messaging access from app
  (ID: ${INSTALLATION.value})
- Unlink address from inbox
  (Address: ${ADDRESS})
- Unlink passkey from inbox
  (Passkey: ${PASSKEY.value})
- Change inbox recovery address
  (Address: ${ADDRESS})

For more info: https://xmtp.org/signatures`,
    );
  });

  test("an empty action and an inbox id that is none are refused", () => {
    const malformed = { code: "IDENTITY_MALFORMED" };
    const empty = create(IdentityUpdateSchema, { inboxId: INBOX, actions: [{}] });
    assert.throws(() => identityUpdateText(empty), malformed);
    assert.throws(() => identityUpdateText(create(IdentityUpdateSchema, { inboxId: "x\nInbox" })), malformed);
  });
});
