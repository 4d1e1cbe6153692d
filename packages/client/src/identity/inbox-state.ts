import { identifierKey } from "@latchkey/xmtp";
import { inboxUnknown, type IdentityDirectory } from "./directory.ts";
import { updatesLeft } from "./own-inbox.ts";
import type { KnownState } from "./replay-log.ts";

/** An address that belongs to an inbox. */
export interface Account {
  /** An Ethereum address in lower case, or the public key of a passkey in hex. */
  readonly identifier: string;
  /** The address or installation id that added it; undefined for the one that created the inbox. */
  readonly addedBy: string | undefined;
  /** The node's clock. */
  readonly addedAtNs: bigint;
}

/** An installation as the identity log has it. */
export interface RegisteredInstallation {
  /** 64 hex digits. */
  readonly id: string;
  /** The address that added it. */
  readonly addedBy: string | undefined;
  /** The node's clock. */
  readonly createdAtNs: bigint;
}

/** An inbox after the newest update of its identity log. */
export interface InboxState {
  readonly inboxId: string;
  /** Who alone may revoke members and hand recovery on. */
  readonly recoveryIdentifier: string;
  readonly accounts: readonly Account[];
  /** In the order they were added. */
  readonly installations: readonly RegisteredInstallation[];
  /** Updates that the log can still take; see `lowOnUpdates`. */
  readonly updatesLeft: number;
  /** True from 200 updates on: each device that is registered or revoked takes one, and the log of an inbox holds 256. */
  readonly lowOnUpdates: boolean;
}

/** Updates left from which on an inbox should be replaced by a new one: its owner has to be warned in time. */
const FEW_UPDATES = 56;

/** Reads the newest state of an inbox. Throws INBOX_UNKNOWN, INBOX_UNVERIFIABLE; as `Transport`. */
export async function readInboxState(
  directory: IdentityDirectory,
  inboxId: string,
  signal?: AbortSignal,
): Promise<InboxState> {
  const states = await directory.history(inboxId, signal);
  const state = states.at(-1)?.state;
  if (state === undefined) throw inboxUnknown(inboxId);
  const members = [...state.members.values()].map(({ identifier, addedBy }) => ({
    kind: identifier.kind,
    identifier: identifier.value,
    addedBy: addedBy?.value,
    sinceNs: sinceOf(states, identifierKey(identifier)),
  }));
  const left = updatesLeft(state);
  return {
    inboxId,
    recoveryIdentifier: state.recoveryIdentifier.value,
    accounts: members.flatMap(({ kind, identifier, addedBy, sinceNs }) =>
      kind === "installation" ? [] : [{ identifier, addedBy, addedAtNs: sinceNs }],
    ),
    installations: members.flatMap(({ kind, identifier, addedBy, sinceNs }) =>
      kind === "installation" ? [{ id: identifier, addedBy, createdAtNs: sinceNs }] : [],
    ),
    updatesLeft: left,
    lowOnUpdates: left <= FEW_UPDATES,
  };
}

/** The time of the update since which a member belongs to the inbox without a break. */
function sinceOf(states: readonly KnownState[], key: string): bigint {
  const lastWithout = states.findLastIndex(({ state }) => !state.members.has(key));
  return states[lastWithout + 1]?.serverTimestampNs ?? 0n;
}
