import { DecodeError, toHex, type AppData, type LeafIndex, type LeafNode, type MessageHeader } from "@latchkey/mls";
import { isMigrated, readGroupState, type GroupState } from "../app-data/group-state.ts";
import { decodeMembershipEntry, type MembershipEntry } from "../app-data/membership.ts";
import { leafInboxId } from "../credential.ts";
import { CommitRejectedError, MissingIdentityError, type IdentityPoint } from "../errors.ts";
import type { AssociationState } from "../identity/association-state.ts";

/**
 * Looks up an inbox at exactly that id of its identity log, among the logs that were fetched before. For all members to
 * reach the same verdict it knows the updates that were stamped at most 60 s after the envelope, and no others
 * (IDN-01).
 */
export type IdentityResolver = (inboxId: string, sequenceId: bigint) => AssociationState | undefined;

/** The last update of an inbox that was stamped at least two minutes before the envelope (IDN-03). */
export type SettledIdentity = (inboxId: string) => (IdentityPoint & { readonly state: AssociationState }) | undefined;

/** A leaf of the tree with its place. */
export interface TreeMember {
  readonly leafIndex: LeafIndex;
  readonly leafNode: LeafNode;
}

/** The leaves of a tree, found without looking through all of them. */
export interface Leaves {
  /** Undefined for one that is blank or outside of the tree. */
  leaf(leafIndex: LeafIndex): LeafNode | undefined;
  /** All leaves whose credential names that inbox (`leafInboxId`). */
  leavesOf(inboxId: string): Iterable<TreeMember>;
  /** Whether every leaf, but for that one, lists the extension type in its capabilities. */
  isSupportedByAll(extensionType: number, except?: LeafIndex): boolean;
}

/** A leaf as the identity log sees it: which installation of which inbox it claims to be. */
export interface Claim {
  readonly inboxId: string;
  readonly installationId: string;
}

/** Throws CommitRejectedError. */
export function reject(rule: string, message: string, data?: Readonly<Record<string, unknown>>): never {
  throw new CommitRejectedError(rule, message, data === undefined ? {} : { data });
}

/**
 * Inbox and installation that a leaf claims; throws CommitRejectedError with the given rule when its credential is none
 * of XMTP's.
 */
export function claimOf(leaf: LeafNode, rule: string): Claim {
  const inboxId = leafInboxId(leaf);
  if (inboxId === undefined) return reject(rule, "a leaf's credential does not name an inbox");
  return { inboxId, installationId: toHex(leaf.signatureKey) };
}

/** The inbox at that point of its log; throws MissingIdentityError. */
export function resolve(identity: IdentityResolver, inboxId: string, sequenceId: bigint): AssociationState {
  const state = identity(inboxId, sequenceId);
  if (state?.inboxId === inboxId) return state;
  throw new MissingIdentityError({ inboxId, sequenceId });
}

/**
 * A group's decoded app data; throws CommitRejectedError `ComponentSource`, or the rule that a component breaks, when it
 * is malformed; `GroupNotMigrated` for a legacy group.
 */
export function readState(appData: AppData): GroupState {
  if (!isMigrated(appData)) reject("GroupNotMigrated", "the group does not keep its state in app data");
  try {
    return readGroupState(appData);
  } catch (cause) {
    if (!(cause instanceof DecodeError)) throw cause;
    throw new CommitRejectedError(cause.rule ?? "ComponentSource", "a component of the group cannot be read", {
      cause,
    });
  }
}

/** A membership entry; throws CommitRejectedError `GroupMembershipEntryMalformed` or `SequenceIdOutOfRange`. */
export function readEntry(value: Uint8Array): MembershipEntry {
  try {
    return decodeMembershipEntry(value);
  } catch (cause) {
    if (!(cause instanceof DecodeError)) throw cause;
    const rule = cause.rule ?? "GroupMembershipEntryMalformed";
    throw new CommitRejectedError(rule, "a membership entry cannot be read", { cause });
  }
}

/**
 * Members talk in PrivateMessages; a PublicMessage is accepted as an external commit and as nothing else (REV-11). Looks
 * at the header only, before any work is done. Throws CommitRejectedError `UnsupportedMessageType`.
 */
export function checkMessageFraming(header: MessageHeader): void {
  const { wireFormat, sender, contentKind } = header;
  if (wireFormat === "private_message") return;
  if (wireFormat === "public_message" && sender?.kind === "new_member_commit" && contentKind === "commit") return;
  reject("UnsupportedMessageType", "a PublicMessage that is no external commit is not accepted");
}
