import { describe, test } from "node:test";
import {
  encodeAppDataDictionary,
  encodeRequiredCapabilities,
  EXTENSION_TYPE,
  PROPOSAL_TYPE,
  utf8,
  type LeafNode,
} from "@latchkey/mls";
import { COMPONENT } from "../app-data/component.ts";
import type { MembershipEntry } from "../app-data/membership.ts";
import { stringUpdate } from "../app-data/updates.ts";
import { XMTP_LIMITS } from "../limits.ts";
import { FOLLOWS_EXTERNAL_COMMITS } from "../protocol.ts";
import { addProposal, present, testTree, updateProposal } from "../testing/inboxes.ts";
import {
  addGuest,
  admin,
  appData,
  apply,
  entry,
  expectRule,
  FRIEND,
  friend,
  guest,
  guestAdds,
  judge,
  leaf,
  members,
  membership,
  SLOT,
} from "../testing/member-commits.ts";

const { maxFailedInstallations, maxLeafBytes, maxComponentBytes, appDataBaseBytes } = XMTP_LIMITS;
const byFriend = { committer: FRIEND };

function made(count: number): string[] {
  return Array.from({ length: count }, (_, index) => index.toString(16).padStart(64, "0"));
}

describe("TRU-12 what a member writes is bounded", () => {
  const update = (value: MembershipEntry) => membership({ op: "update", inboxId: friend.inboxId, entry: value });

  test("FailedInstallationsOutOfBounds: too many ids, or one of another length; what they mean is not looked at", () => {
    const rule = "FailedInstallationsOutOfBounds";
    judge([update(entry(2n, SLOT, made(maxFailedInstallations)))], byFriend);
    expectRule(rule, [update(entry(2n, SLOT, made(maxFailedInstallations + 1)))], byFriend);
    for (const id of ["", "ab".repeat(31), "ab".repeat(33)])
      expectRule(rule, [update(entry(2n, SLOT, [id]))], byFriend);
  });

  test("ComponentTooLarge: one component, unless it becomes smaller", () => {
    const name = (bytes: number) => updateProposal(COMPONENT.groupName, stringUpdate("x".repeat(bytes)));
    judge([name(maxComponentBytes)]);
    expectRule("ComponentTooLarge", [name(maxComponentBytes + 1)]);
    const larger = new Map(appData).set(COMPONENT.groupName, utf8("x".repeat(maxComponentBytes + 2)));
    judge([name(maxComponentBytes + 1)], { appData: larger });
  });

  test("AppDataTooLarge: all of it, unless it becomes smaller", () => {
    const full = new Map(appData).set(0xc001, new Uint8Array(appDataBaseBytes + 1_024));
    const name = (text: string) => updateProposal(COMPONENT.groupName, stringUpdate(text));
    expectRule("AppDataTooLarge", [name("longer")], { appData: full });
    judge([name("")], { appData: full });
  });

  test("LeafTooLarge: a leaf that is replaced or added", () => {
    const fat = (node: LeafNode, bytes: number): LeafNode => ({
      ...node,
      extensions: [{ type: 0xf123, data: new Uint8Array(bytes) }],
    });
    judge([], { pathLeaf: fat(leaf(admin), maxLeafBytes / 2) });
    expectRule("LeafTooLarge", [], { pathLeaf: fat(leaf(admin), maxLeafBytes) });
    const [before, place] = [leaf(friend), present(members[1]).leafIndex];
    const updated = [{ leafIndex: place, before, after: fat(before, maxLeafBytes) }];
    expectRule("LeafTooLarge", [], { change: { updated } });
    const [add] = guestAdds;
    if (add?.kind !== "add") throw new Error("the guest is added by an Add");
    const keyPackage = { ...add.keyPackage, leafNode: fat(add.keyPackage.leafNode, maxLeafBytes) };
    expectRule("LeafTooLarge", [{ kind: "add", keyPackage }, addGuest]);
  });
});

describe("CAP-01 MissingCapability: where every leaf lists our sign", () => {
  const rule = "MissingCapability";
  const without = (node: LeafNode, type: number, list: "extensions" | "proposals" = "extensions"): LeafNode => ({
    ...node,
    capabilities: { ...node.capabilities, [list]: node.capabilities[list].filter((listed) => listed !== type) },
  });

  test("a member drops the sign, or AppDataUpdate, by a path or an Update", () => {
    expectRule(rule, [], { committer: FRIEND, pathLeaf: without(leaf(friend), FOLLOWS_EXTERNAL_COMMITS) });
    const after = without(leaf(friend), PROPOSAL_TYPE.app_data_update, "proposals");
    expectRule(rule, [], { committer: FRIEND, pathLeaf: after });
    const updated = [{ leafIndex: present(members[1]).leafIndex, before: leaf(friend), after }];
    expectRule(rule, [], { change: { updated } });
  });

  test("a leaf comes in that lacks AppDataUpdate", () => {
    const add = addProposal(guest.inboxId, present(guest.keys[0]));
    if (add.kind !== "add") throw new Error("an Add");
    const leafNode = without(add.keyPackage.leafNode, PROPOSAL_TYPE.app_data_update, "proposals");
    expectRule(rule, [{ kind: "add", keyPackage: { ...add.keyPackage, leafNode } }, addGuest]);
  });

  test("beside a leaf without the sign nothing of it is refused, as by libxmtp", () => {
    const mixed = testTree(without(leaf(admin), FOLLOWS_EXTERNAL_COMMITS), leaf(friend), leaf(friend, 1));
    const pathLeaf = without(leaf(friend), FOLLOWS_EXTERNAL_COMMITS);
    judge([], { members: mixed, committer: FRIEND, pathLeaf });
    judge([], { members: mixed, pathLeaf: leaf(admin) });
  });
});

test("ContextExtensionsTooLarge: what a super admin puts beside the app data", () => {
  const dictionary = { type: EXTENSION_TYPE.appDataDictionary, data: encodeAppDataDictionary(apply(appData, [])) };
  const extensions = [dictionary];
  const extensionTypes = [EXTENSION_TYPE.appDataDictionary, 0xf123];
  const data = encodeRequiredCapabilities({ extensionTypes, proposalTypes: [], credentialTypes: [] });
  const required = { type: EXTENSION_TYPE.requiredCapabilities, data };
  const gce = (bytes: number) => {
    const other = { type: 0xf123, data: new Uint8Array(bytes - data.length) };
    return [{ kind: "group_context_extensions", extensions: [required, dictionary, other] } as const];
  };
  judge(gce(XMTP_LIMITS.maxContextExtensionBytes), { extensions });
  expectRule("ContextExtensionsTooLarge", gce(XMTP_LIMITS.maxContextExtensionBytes + 1), { extensions });
});
