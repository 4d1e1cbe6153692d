import { fromHex, toHex, type LatchkeyError, type VerifiedGroupInfo } from "@latchkey/mls";
import {
  encodeInvitePayload,
  FOLLOWS_EXTERNAL_COMMITS,
  leafInboxId,
  readGroupState,
  type InvitePayload,
} from "@latchkey/xmtp";
import { clientError } from "../errors.ts";
import type { GroupsContext } from "../group/group-registry.ts";
import { CLIENT_LIMITS } from "../limits.ts";
import { surplus } from "../store/surplus.ts";

/**
 * Why a device is not in a group that its inbox is in.
 *
 * - `registered_later`: it was registered after the inbox came in; any member lets it in.
 * - `left_out`: it had no usable key package then; any member lets it in once it has.
 * - `cannot_be_added`: it had none, and a member's client refuses late additions: it has to register as a new installation,
 *   or the inbox has to be removed and added again.
 */
export type WaitingReason = "registered_later" | "left_out" | "cannot_be_added";

const TEXTS: Readonly<Record<WaitingReason, string>> = {
  registered_later: "this device was registered later",
  left_out: "this device could not come along",
  cannot_be_added: "this device could not come along, and a member's program lets nobody in later: register it anew",
};

/** DEVICE_WAITS for a state of a group that has the own inbox in it and not this installation; undefined for any other. */
export async function deviceWaits(
  { own, directory }: GroupsContext,
  info: VerifiedGroupInfo,
  signal: AbortSignal | undefined,
): Promise<LatchkeyError | undefined> {
  const { members, name } = readGroupState(info.appData);
  const entry = members.get(own.inboxId);
  const leaves = [...info.members()].map(({ leafNode }) => leafNode);
  const isIn = leaves.some(
    (leaf) => leafInboxId(leaf) === own.inboxId && toHex(leaf.signatureKey) === own.installationId,
  );
  if (entry === undefined || isIn) return undefined;
  const { state } = await directory.latestOf(own.inboxId, signal);
  if (!state.hasInstallation(own.installationId)) {
    return clientError("IDENTITY_REVOKED", "this installation was revoked; register a new one");
  }
  const recorded = await directory.lookup([{ inboxId: own.inboxId, sequenceId: entry.sequenceId }], { signal });
  const wasThere = recorded.stateAfter(own.inboxId, entry.sequenceId)?.hasInstallation(own.installationId) === true;
  const late = leaves.every((leaf) => leaf.capabilities.extensions.includes(FOLLOWS_EXTERNAL_COMMITS));
  const reason: WaitingReason = !wasThere ? "registered_later" : late ? "left_out" : "cannot_be_added";
  const group = name === undefined || name === "" ? "the group" : `"${name}"`;
  const text = `you are in ${group} already, and ${TEXTS[reason]}; it is let in when another device of yours synchronizes, or when a member sends something: until somebody is online it waits`;
  return clientError("DEVICE_WAITS", text, {
    data: { groupId: toHex(info.context.groupId), groupName: name, reason },
    ...(reason === "cannot_be_added" ? { retryable: false } : {}),
  });
}

/**
 * Notes that this device waits for a Welcome to the group, in the journal of joins, until it comes or the group is joined
 * in another way. A join of that group that is under way stays as it is.
 */
export function recordWaiting(context: GroupsContext, payload: InvitePayload, error: LatchkeyError): void {
  const { groupId: id } = error.data;
  if (typeof id !== "string") return;
  const groupId = fromHex(id);
  const none = new Uint8Array(0);
  const row = {
    ...{ groupId, state: "WAITING" as const, invite: encodeInvitePayload(payload), epoch: 0n, logCursor: 0n },
    ...{ message: none, messageHash: none, rows: none, welcome: undefined, recipients: none },
    ...{ commitId: undefined, commitCreatedNs: undefined, startedAtNs: context.clock.nowNs() },
    ...{ identityId: 0n, staleAtNs: 0n },
  };
  context.store.transaction(({ joins }) => {
    if (joins.get(groupId) !== undefined) return;
    joins.put(row);
    const waiting = joins.list().filter(({ state }) => state === "WAITING");
    const byAge = waiting.sort((a, b) => (a.startedAtNs < b.startedAtNs ? -1 : 1));
    for (const old of surplus(byAge, CLIENT_LIMITS.maxWaitingDevices)) joins.delete(old.groupId);
  });
}

/** Forgets the waits for groups that this device is in by now. */
export function forgetWaits(context: GroupsContext): void {
  const over = context.store.joins
    .list()
    .filter(({ state, groupId }) => state === "WAITING" && context.groups.get(groupId)?.active === true);
  if (over.length === 0) return;
  context.store.transaction(({ joins }) => over.forEach(({ groupId }) => joins.delete(groupId)));
}
