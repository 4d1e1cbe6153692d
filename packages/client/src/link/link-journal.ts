import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { toHex } from "@latchkey/mls";
import { installationIdentifier, type InboxMember } from "@latchkey/xmtp";
import { IdentityUpdateSchema, type IdentityUpdate } from "@latchkey/xmtp/proto";
import { isAborted } from "../clock.ts";
import { codeOf } from "../errors.ts";
import { CLIENT_LIMITS } from "../limits.ts";
import type { DeviceLinkRecord } from "../store/device-link-record.ts";
import type { LinkContext } from "./link-context.ts";
import { linkOpen } from "./link-errors.ts";

type JournalContext = Pick<LinkContext, "store" | "transport" | "directory" | "time">;

/** The update of an old device's row. */
export function updateOf({ update }: DeviceLinkRecord): IdentityUpdate {
  return fromBinary(IdentityUpdateSchema, update);
}

/** Writes down, before it leaves, what this device signed. */
export function noteSigned(
  { store }: JournalContext,
  row: Omit<DeviceLinkRecord, "name" | "update">,
  update: IdentityUpdate,
) {
  const bytes = toBinary(IdentityUpdateSchema, update);
  store.transaction(({ deviceLinks }) => deviceLinks.put({ ...row, name: "self", update: bytes }));
}

/** The new installation as the identity log lists it; undefined while it does not. Throws as `Transport`. */
export async function linkedMember(
  { directory }: Pick<JournalContext, "directory">,
  { inboxId, installationKey }: Pick<DeviceLinkRecord, "inboxId" | "installationKey">,
  signal: AbortSignal | undefined,
): Promise<InboxMember | undefined> {
  const { state } = await directory.latestOf(inboxId, signal);
  return state.member(installationIdentifier(installationKey));
}

/** When nobody may publish the addition any more, by the node's clock. */
export function endsAtNs({ deadlineNs }: Pick<DeviceLinkRecord, "deadlineNs">): bigint {
  return deadlineNs + BigInt(CLIENT_LIMITS.linkGraceMs) * 1_000_000n;
}

/** Takes the row away; the new device is registered then, under the address by which it came in. */
export function finishLink({ store }: JournalContext, { addedBy }: InboxMember): void {
  store.transaction(({ deviceLinks, identity }) => {
    const role = deviceLinks.get("self")?.role;
    deviceLinks.delete("self");
    const self = identity.get("self");
    if (role !== "new" || self === undefined) return;
    identity.put({ ...self, address: addedBy?.value ?? self.address, registered: 1n });
  });
}

/** Takes back what a new device has written for a link that did not come about: it is empty again. */
export function undoLink({ store }: JournalContext): void {
  store.transaction(({ deviceLinks, identity, keyPackages }) => {
    const role = deviceLinks.get("self")?.role;
    deviceLinks.delete("self");
    if (role !== "new") return;
    identity.delete("self");
    keyPackages.delete();
  });
}

/** Where a link that was interrupted stands. */
export type SettledLink = "none" | "finished" | "undone" | "open";

/**
 * Finishes or undoes a link that was interrupted behind a signature: the identity log says whether the device is in. An old
 * device publishes again what it has signed, as long as the new one waits for it. `open` says that this cannot be told yet.
 *
 * @throws as `Transport`, codes that begin with STORE_.
 */
export async function settleLink(context: JournalContext, signal?: AbortSignal): Promise<SettledLink> {
  const row = context.store.deviceLinks.get("self");
  if (row === undefined) return "none";
  const member = await linkedMember(context, row, signal);
  if (member !== undefined) {
    finishLink(context, member);
    return "finished";
  }
  const nowNs = context.time.bestNs();
  if (row.role === "old" && nowNs < row.deadlineNs) {
    const published = await publishAgain(context, row, signal);
    if (published !== undefined) finishLink(context, published);
    return published === undefined ? "open" : "finished";
  }
  if (nowNs < endsAtNs(row)) return "open";
  undoLink(context);
  return "undone";
}

/**
 * Settles the link of a new device that was interrupted, before its store is opened. Throws LINK_OPEN while the inbox may
 * still get it, and as `settleLink`.
 */
export async function settleNewDevice(context: JournalContext, signal?: AbortSignal): Promise<void> {
  const row = context.store.deviceLinks.get("self");
  if (row?.role !== "new" || (await settleLink(context, signal)) !== "open") return;
  throw linkOpen(row.inboxId, toHex(row.installationKey));
}

/** The installation once it is in the log. What the node refuses for good stays out of it. */
async function publishAgain(
  context: JournalContext,
  row: DeviceLinkRecord,
  signal: AbortSignal | undefined,
): Promise<InboxMember | undefined> {
  try {
    await context.transport.publishIdentityUpdate(updateOf(row), signal);
  } catch (error) {
    if (isAborted(signal) || codeOf(error) !== "NODE_REJECTED") throw error;
  }
  return linkedMember(context, row, signal);
}
