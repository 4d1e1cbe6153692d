import assert from "node:assert/strict";
import type { AppData, AppDataOperation, Extension, LeafNode, Proposal, VerifiedCommit } from "@latchkey/mls";
import { appDataUpdatesOf, applyAppDataUpdates, mergeAppData } from "../app-data/apply.ts";
import { COMPONENT } from "../app-data/component.ts";
import { membershipDelta, type MembershipEntry, type MembershipMutation } from "../app-data/membership.ts";
import {
  addProposal,
  hex,
  leavesOf,
  present,
  resolverOf,
  TEST_TIME_NS,
  testAppData,
  testCommit,
  testInbox,
  testLeaf,
  testTree,
  updateProposal,
  type TestInbox,
} from "./inboxes.ts";
import { FOLLOWS_EXTERNAL_COMMITS } from "../protocol.ts";
import type { TreeMember } from "../validators/common.ts";
import { validateMemberCommit } from "../validators/member-commit.ts";
import { requiredIdentities } from "../validators/required-identities.ts";

/** Made the group. */
export const admin = await testInbox(1);
/** Two installations; the second one is revoked by the third update. */
export const friend = await testInbox(2, 2, 1);
/** Not in the group; two installations. */
export const guest = await testInbox(3, 2);
const identity = resolverOf(admin, friend, guest);
export const NO_TAG = new Uint8Array(0);
export const SLOT = hex("01020304");
const ADMIN = 0;
/** Leaf of the friend's first installation. */
export const FRIEND = 1;

/** A leaf of one of the installations. */
export function leaf(inbox: TestInbox, installation = 0): LeafNode {
  return testLeaf(inbox.inboxId, present(inbox.keys[installation]));
}

/** The same leaf as XMTP's own library makes it: without our sign. */
export function asNative(node: LeafNode): LeafNode {
  const { capabilities } = node;
  const extensions = capabilities.extensions.filter((type) => type !== FOLLOWS_EXTERNAL_COMMITS);
  return { ...node, capabilities: { ...capabilities, extensions } };
}

/** An entry of the membership. */
export function entry(
  sequenceId: bigint,
  tag: Uint8Array = NO_TAG,
  failedInstallations: readonly string[] = [],
): MembershipEntry {
  return { sequenceId, failedInstallations, admittedViaExternalGroupId: tag };
}

/** A proposal that changes the membership. */
export function membership(...mutations: MembershipMutation[]): Proposal {
  return updateProposal(COMPONENT.groupMembership, membershipDelta(mutations));
}

/** The app data behind proposals. */
export function apply(appData: AppData, proposals: readonly Proposal[]): AppData {
  const updates = appDataUpdatesOf({ proposals: proposals.map((proposal) => ({ proposal })) });
  return mergeAppData(appData, applyAppDataUpdates(appData, updates));
}

/** Admin and friend (at its second update, both installations in the tree); the friend came through a slot. */
export const members = testTree(leaf(admin), leaf(friend), leaf(friend, 1));
/** The admin alone. */
export const born = testAppData({ creatorInboxId: admin.inboxId, creatorSequenceId: 1n, permissions: "admin_only" });
export const appData = apply(born, [membership({ op: "insert", inboxId: friend.inboxId, entry: entry(2n, SLOT) })]);

/** What differs from a commit of the admin in the group of these two. */
export interface Variation {
  readonly appData?: AppData;
  readonly newAppData?: AppData;
  readonly members?: readonly TreeMember[];
  readonly committer?: number;
  readonly pathLeaf?: LeafNode;
  readonly change?: Partial<VerifiedCommit>;
  readonly extensions?: readonly Extension[];
  readonly byReference?: boolean;
}

/** Validates a commit with what `requiredIdentities` names, and nothing else. */
export function judge(proposals: readonly Proposal[], variation: Variation = {}): void {
  const before = variation.appData ?? appData;
  const { pathLeaf, extensions, byReference } = variation;
  const built = testCommit({
    appData: before,
    members: variation.members ?? members,
    committer: variation.committer ?? ADMIN,
    proposals,
    ...(pathLeaf && { pathLeaf }),
    ...(extensions && { extensions }),
    ...(byReference && { byReference }),
  });
  const commit = { ...built, ...variation.change };
  const input = {
    commit,
    appData: before,
    leaves: leavesOf(variation.members ?? members),
    identity,
    envelopeTimeNs: TEST_TIME_NS,
  };
  const known = new Set(requiredIdentities(commit, before).map((point) => `${point.inboxId} ${point.sequenceId}`));
  const prefetched: typeof identity = (inboxId, sequenceId) => {
    assert.ok(
      known.has(`${inboxId} ${sequenceId}`),
      "the validator asks for an identity that nobody would have fetched",
    );
    return identity(inboxId, sequenceId);
  };
  const newAppData = variation.newAppData ?? apply(before, proposals);
  validateMemberCommit({ ...input, newAppData, identity: prefetched });
}

/** Expects the refusal of a commit by a rule. */
export function expectRule(
  rule: string,
  proposals: readonly Proposal[],
  variation: Variation = {},
  reason?: string,
): void {
  const data = reason === undefined ? {} : { data: { componentId: writtenBy(proposals), reason } };
  assert.throws(() => judge(proposals, variation), { code: "COMMIT_REJECTED", rule, ...data });
}

function writtenBy(proposals: readonly Proposal[]): number | undefined {
  return proposals.flatMap((proposal) => (proposal.kind === "app_data_update" ? [proposal.componentId] : []))[0];
}

/** A proposal that removes a component. */
export function remove(componentId: number): Proposal {
  const operation: AppDataOperation = { kind: "remove" };
  return { kind: "app_data_update", componentId, operation };
}

/** Adds the guest to the membership. */
export const addGuest = membership({ op: "insert", inboxId: guest.inboxId, entry: entry(2n) });
/** Adds the guest's leaves. */
export const guestAdds = guest.keys.map((key) => addProposal(guest.inboxId, key));
