import { describe, test } from "node:test";
import { XMTP_LIMITS } from "../limits.ts";
import { addProposal, present } from "../testing/inboxes.ts";
import { entry, expectRule, guest, guestAdds, judge, membership } from "../testing/member-commits.ts";

/** Inserts made-up inboxes at some point of their logs. */
function strangers(count: number) {
  return membership(
    ...Array.from({ length: count }, (_, index) => ({
      op: "insert" as const,
      inboxId: index.toString(16).padStart(64, "0"),
      entry: entry(1n),
    })),
  );
}

describe("TRU-02 what one commit of a member makes everybody look up is bounded", () => {
  const { maxCommitInboxes, maxCommitInstallations } = XMTP_LIMITS;

  test("TooManyInboxes: one more than the limit, before an identity log is asked for", () => {
    expectRule("TooManyInboxes", [strangers(maxCommitInboxes + 1)]);
    // At the limit other rules decide: here that the guest, who is added, has no entry.
    expectRule("UnexpectedInstallationAdded", [...guestAdds, strangers(maxCommitInboxes)]);
  });

  test("TooManyInstallations: of one inbox, one more than the limit", () => {
    const add = addProposal(guest.inboxId, present(guest.keys[0]));
    const insert = membership({ op: "insert", inboxId: guest.inboxId, entry: entry(2n) });
    expectRule("TooManyInstallations", [...Array.from({ length: maxCommitInstallations + 1 }, () => add), insert]);
    judge([...Array.from({ length: maxCommitInstallations }, () => add), insert]);
  });

  test("SequenceIdOutOfRange: ids from 2^63 on are refused by a rule", () => {
    for (const sequenceId of [1n << 63n, (1n << 64n) - 1n]) {
      expectRule("SequenceIdOutOfRange", [
        ...guestAdds,
        membership({ op: "insert", inboxId: guest.inboxId, entry: entry(sequenceId) }),
      ]);
    }
  });
});
