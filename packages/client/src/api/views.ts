import { toHex } from "@latchkey/mls";
import type { Permission } from "@latchkey/xmtp";
import type { Invite } from "../invite/invite.ts";
import type { AdmissionRecord, MessageRecord } from "../store/records.ts";
import type { LeftOutInstallation } from "../group/installations.ts";
import type { RemovalOutcome } from "../group/remove-members.ts";

/** A message of a group as an application sees it. */
export interface Message {
  /** In hex; the same on every installation. */
  readonly id: string;
  /** Position in the group's log. */
  readonly sequenceId: bigint;
  readonly senderInboxId: string;
  readonly senderInstallationId: string;
  /** The node's clock. */
  readonly sentAtNs: bigint;
  /** As in `xmtp.org/text:1.0`. */
  readonly contentType: string;
  /** The text of a text message; what stands in for it in other messages, if their sender gave something. */
  readonly text: string | undefined;
  /** Serialized EncodedContent. */
  readonly content: Uint8Array;
  /**
   * Id of the own device that brought the message when this one was linked: nothing proves who wrote it. Undefined for
   * what this device has read itself.
   */
  readonly broughtBy: string | undefined;
}

/** A member of a group. */
export interface Member {
  readonly inboxId: string;
  /** Ids of the installations that are in the group. */
  readonly installations: readonly string[];
  /** Ids of those that could not be added. */
  readonly failedInstallations: readonly string[];
  /** The same with what is known about each. */
  readonly leftOut: readonly LeftOutInstallation[];
  readonly permission: Permission;
  /** True for those who came in by an invite. */
  readonly joinedByInvite: boolean;
  /** Slot id in hex of the invite by which they came in, from the group's state. */
  readonly admittedVia: string | undefined;
  /** The node's clock; undefined when this installation was not there yet to see it. */
  readonly admittedAtNs: bigint | undefined;
  /** False when one of its programs cannot follow joins by invite. */
  readonly followsInvites: boolean;
}

/** Somebody joined through an invite. */
export interface InviteJoin {
  /** Position in the group's log. */
  readonly sequenceId: bigint;
  readonly inboxId: string;
  /** Slot id in hex of the invite. */
  readonly admittedVia: string;
  /** The node's clock. */
  readonly admittedAtNs: bigint;
}

/** An entry of the log that was refused for good. */
export interface Rejection {
  readonly sequenceId: bigint;
  readonly code: string;
  readonly rule: string | undefined;
  readonly message: string;
}

/** A stretch of the log that could not be read. */
export interface MessageGap {
  readonly afterSequenceId: bigint;
  readonly untilSequenceId: bigint;
}

/** What a removal did, and what it could not take away. */
export interface Removal extends RemovalOutcome {
  /** The invite in force afterwards; a new one when it was renewed. */
  readonly invite: Invite | undefined;
}

/** A message of the store as applications see it. */
export function toMessage(record: MessageRecord): Message {
  const { id: sequenceId, messageId: id, senderInboxId, senderInstallationId, sentAtNs } = record;
  const { contentType, text, content, broughtBy } = record;
  return { id, sequenceId, senderInboxId, senderInstallationId, sentAtNs, contentType, text, content, broughtBy };
}

/** A join of the store as applications see it. */
export function toInviteJoin({ id, inboxId, externalGroupId, admittedAtNs }: AdmissionRecord): InviteJoin {
  return { sequenceId: id, inboxId, admittedVia: toHex(externalGroupId), admittedAtNs };
}
