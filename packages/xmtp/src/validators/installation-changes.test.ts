import { describe, test } from "node:test";
import type { MembershipEntry, MembershipMutation } from "../app-data/membership.ts";
import { addProposal, present, removeProposal, testTree } from "../testing/inboxes.ts";
import {
  addGuest,
  admin,
  appData,
  apply,
  asNative,
  born,
  entry,
  expectRule,
  FRIEND,
  friend,
  guest,
  guestAdds,
  judge,
  leaf,
  membership,
  NO_TAG,
  SLOT,
} from "../testing/member-commits.ts";

describe("NAT-01 beside a client of XMTP's own library", () => {
  const left = present(friend.keys[1]).id;
  /** The admin's client is XMTP's; the friend's second installation was left out. */
  const mixed = {
    appData: apply(born, [membership({ op: "insert", inboxId: friend.inboxId, entry: entry(2n, SLOT, [left]) })]),
    members: testTree(asNative(leaf(admin)), leaf(friend)),
  };
  const update = (inboxId: string, value: MembershipEntry) => membership({ op: "update", inboxId, entry: value });
  const gone: MembershipMutation = { op: "delete", inboxId: friend.inboxId };

  test("UnexpectedInstallationAdded: an installation that was left out, at its old point or with a later one", () => {
    const rule = "UnexpectedInstallationAdded";
    const late = [addProposal(friend.inboxId, present(friend.keys[1])), update(friend.inboxId, entry(2n, SLOT))];
    expectRule(rule, late, { ...mixed, committer: FRIEND });
    judge(late, { ...mixed, members: testTree(leaf(admin), leaf(friend)), committer: FRIEND });
    // The whole inbox is new to the group, so each of its installations is.
    judge([...guestAdds, addGuest], mixed);
    const before = apply(born, [membership({ op: "insert", inboxId: guest.inboxId, entry: entry(1n) })]);
    const tree = testTree(asNative(leaf(admin)), leaf(guest));
    judge([present(guestAdds[1]), update(guest.inboxId, entry(2n))], { appData: before, members: tree });
  });

  test("UnexpectedInstallationsRemoved: what the identity log removes is removed, or listed as failed", () => {
    const rule = "UnexpectedInstallationsRemoved";
    expectRule(rule, [removeProposal(1), membership(gone)], mixed);
    const excuse: MembershipMutation = { op: "update", inboxId: admin.inboxId, entry: entry(1n, NO_TAG, [left]) };
    judge([removeProposal(1), membership(gone, excuse)], mixed);
    // Revoked by the third update, and never there.
    expectRule(rule, [update(friend.inboxId, entry(3n, SLOT))], mixed);
    judge([update(friend.inboxId, entry(3n, SLOT, [left]))], mixed);
  });

  test("a super admin may replace a leaf, and remove one that is listed as failed", () => {
    const members = testTree(asNative(leaf(admin)), leaf(friend), leaf(friend, 1));
    const whole = { appData, members };
    judge([removeProposal(1), addProposal(friend.inboxId, present(friend.keys[0]))], whole);
    judge([removeProposal(2), update(friend.inboxId, entry(2n, SLOT, [left]))], whole);
    const committer = FRIEND;
    expectRule("UnexpectedInstallationsRemoved", [removeProposal(2)], { ...whole, committer });
  });

  test("an entry at 0, as libxmtp writes it for an inbox that nobody has looked up, makes every installation new", () => {
    const placeholder = apply(born, [membership({ op: "insert", inboxId: guest.inboxId, entry: entry(0n) })]);
    const tree = testTree(asNative(leaf(admin)), leaf(guest));
    judge([present(guestAdds[1]), update(guest.inboxId, entry(2n))], { appData: placeholder, members: tree });
  });
});

describe("TRU-02 entries without a leaf", () => {
  const never = (op: "insert" | "update") => membership({ op, inboxId: guest.inboxId, entry: entry(99n) });

  test("MissingIdentityUpdate: an inbox is added, or raised, to an update that does not exist", () => {
    expectRule("MissingIdentityUpdate", [never("insert")]);
    const placed = apply(appData, [membership({ op: "insert", inboxId: guest.inboxId, entry: entry(0n) })]);
    expectRule("MissingIdentityUpdate", [never("update")], { appData: placed });
    judge([membership({ op: "update", inboxId: guest.inboxId, entry: entry(2n) })], { appData: placed });
  });

  test("one that an earlier version let in can be removed", () => {
    const poisoned = apply(appData, [never("insert")]);
    judge([membership({ op: "delete", inboxId: guest.inboxId })], { appData: poisoned });
  });
});
