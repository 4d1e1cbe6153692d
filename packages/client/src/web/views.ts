import type { InviteJoin, Member } from "../api/views.ts";
import type { HintKind } from "../group/hints.ts";
import type { GroupStatus } from "../store/records.ts";
import type { Permission } from "@latchkey/xmtp";

export type { InviteJoin, Member };

/** Who uses this browser. */
export interface SelfView {
  /** 64 hex digits: the person. */
  readonly inboxId: string;
  /** 64 hex digits: this browser's public signature key. */
  readonly installationId: string;
}

/** A message of a group as a page shows it. Texts are of strangers. */
export interface MessageView {
  /** In hex; the same on every installation. */
  readonly id: string;
  /** Position in the group's log. */
  readonly sequenceId: bigint;
  readonly senderInboxId: string;
  /** The node's clock. */
  readonly sentAtNs: bigint;
  readonly contentType: string;
  /** The text, or what stands in for it. */
  readonly text: string | undefined;
  /** Id of the message that this one answers. */
  readonly replyTo?: string;
}

/** A group as it was when it was asked for. */
export interface GroupView {
  /** In hex. */
  readonly id: string;
  readonly name: string | undefined;
  readonly description: string | undefined;
  readonly imageUrl: string | undefined;
  readonly memberCount: number;
  readonly installationCount: number;
  /** False once this installation was removed. */
  readonly isActive: boolean;
  readonly status: GroupStatus;
  /** What this person may do; undefined for somebody who is no member any more. */
  readonly permission: Permission | undefined;
  readonly hasInvite: boolean;
  readonly lastMessage: MessageView | undefined;
  /** Why this installation may not follow the group; see `group.hints()`. */
  readonly doubts: readonly HintKind[];
}

/** An invite as a page shows it; `url`, `payload` and `qr` are secrets. */
export interface InviteView {
  readonly url: string;
  /** In hex. */
  readonly payload: string;
  /** Host whose page opens the link, and which can read it then. */
  readonly opensAt: string | undefined;
  readonly serviceUrl: string | undefined;
  readonly expiresAtNs: bigint | undefined;
  readonly servedUntilNs: bigint | undefined;
  /** Members whose programs cannot follow joins by invite. */
  readonly behind: readonly string[];
  /** Code of the error that kept the last upload from the service. */
  readonly uploadFailure: string | undefined;
  /** The code as an SVG document. */
  readonly qr: string;
}
