import assert from "node:assert/strict";
import { test } from "node:test";
import { LatchkeyError, PROPOSAL_TYPE, ValidationError } from "@latchkey/mls";
import { encodeMlsCredential, installationCapabilities } from "@latchkey/xmtp";
import { namingWhoIsInTheWay } from "./in-the-way.ts";

test("TRU-12 MEMBER_IN_THE_WAY names the members that a change fails for, and no other error is touched", () => {
  const [good, bad] = ["aa".repeat(32), "bb".repeat(32)];
  const leafOf = (inboxId: string, proposals: readonly number[]) => ({
    leafNode: {
      credential: encodeMlsCredential(inboxId),
      capabilities: { ...installationCapabilities, proposals },
    },
  });
  const members = [leafOf(good, [PROPOSAL_TYPE.app_data_update]), leafOf(bad, [])];
  const error = new ValidationError("required-capabilities", "not every member supports proposal type 8", {
    data: { proposal: PROPOSAL_TYPE.app_data_update },
  });
  const told = namingWhoIsInTheWay(members, error);
  assert.ok(told instanceof LatchkeyError);
  assert.deepEqual([told.code, told.data], ["MEMBER_IN_THE_WAY", { inboxes: [bad.slice(0, 8)] }]);
  assert.equal(namingWhoIsInTheWay(members.slice(0, 1), error), error);
  const other = new ValidationError("signature", "a signature is wrong");
  assert.equal(namingWhoIsInTheWay(members, other), other);
});
