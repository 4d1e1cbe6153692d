import assert from "node:assert/strict";
import { test } from "node:test";
import { asLeafIndex, type MessageHeader } from "@latchkey/mls";
import { checkMessageFraming } from "./common.ts";

const HEADER: MessageHeader = {
  wireFormat: "public_message",
  groupId: new Uint8Array(16),
  epoch: 1n,
  contentKind: "commit",
  sender: { kind: "new_member_commit" },
};

test("REV-11 a PublicMessage is accepted as an external commit and as nothing else", () => {
  checkMessageFraming(HEADER);
  checkMessageFraming({ ...HEADER, wireFormat: "private_message", sender: undefined });
  const refused: MessageHeader[] = [
    { ...HEADER, sender: { kind: "member", leafIndex: asLeafIndex(0) } },
    { ...HEADER, contentKind: "proposal", sender: { kind: "new_member_proposal" } },
    { ...HEADER, contentKind: "application" },
    { ...HEADER, sender: { kind: "external", senderIndex: 0 } },
    { ...HEADER, wireFormat: "welcome", sender: undefined, contentKind: undefined },
  ];
  for (const header of refused) {
    assert.throws(() => checkMessageFraming(header), { code: "COMMIT_REJECTED", rule: "UnsupportedMessageType" });
  }
});
