import type { AssociationState } from "@latchkey/xmtp";
import { toHex } from "@latchkey/mls";
import type { KeyPackageFault } from "../identity/key-package-faults.ts";
import { readInboxState, type RegisteredInstallation } from "../identity/inbox-state.ts";
import { keyPackageTimes } from "../identity/last-seen.ts";
import type { GroupCore } from "./group-core.ts";
import type { GroupsContext } from "./group-registry.ts";
import { acceptsLateAdditions } from "./installations.ts";

/** A group that an installation of the own inbox is not in. */
export interface MissingGroup {
  readonly groupId: string;
  /** Why, where this client has tried to add it. */
  readonly fault: KeyPackageFault | undefined;
  /**
   * True when the next sync adds it as soon as its key package can be used. False when a member's client refuses that: then
   * the device registers a new installation, or the inbox is removed and added again.
   */
  readonly canBeAddedLater: boolean;
}

/** An installation of the own inbox. */
export interface Installation extends RegisteredInstallation {
  /** Whether it is this one. */
  readonly isThis: boolean;
  /**
   * When it was last seen, in nanoseconds since 1970: its newest message in the groups of this installation, or its key
   * package, which clients renew at least once a month. Undefined when neither is known.
   */
  readonly lastSeenNs: bigint | undefined;
  /** Groups of this installation that it is not in, as far as they were read. */
  readonly missingFrom: readonly MissingGroup[];
}

/**
 * The installations of the own inbox, in the order they were registered. Reads every message on disk: O(messages).
 *
 * @throws as `Transport`.
 */
export async function listInstallations(context: GroupsContext, signal?: AbortSignal): Promise<Installation[]> {
  const { own, directory, store } = context;
  const { installations } = await readInboxState(directory, own.inboxId, signal);
  const ids = installations.map(({ id }) => id);
  const seen = await keyPackageTimes(context, own.inboxId, ids, signal);
  for (const { groupId } of store.groups.list()) {
    for (const { senderInboxId, senderInstallationId: id, sentAtNs } of store.messages.list(groupId)) {
      if (senderInboxId === own.inboxId && sentAtNs > (seen.get(id) ?? 0n)) seen.set(id, sentAtNs);
    }
  }
  const active = context.groups.all().filter((core) => core.isRead);
  return installations.map((installation) => ({
    ...installation,
    isThis: installation.id === own.installationId,
    lastSeenNs: seen.get(installation.id),
    missingFrom: active.flatMap((core) => missingFrom(core, installation.id)),
  }));
}

function missingFrom(core: GroupCore, installationId: string): MissingGroup[] {
  const { own, keyPackageFaults, directory } = core.context;
  const entry = core.state.members.get(own.inboxId);
  const leaves = core.mls.leavesOf(own.inboxId);
  if (entry === undefined || leaves.some(({ leafNode }) => toHex(leafNode.signatureKey) === installationId)) return [];
  const recorded: AssociationState | undefined = directory.known(own.inboxId, entry.sequenceId);
  // An installation that the entry does not know yet comes in by its registration, whoever else is in the group.
  const isNew = recorded?.hasInstallation(installationId) === false;
  const fault = keyPackageFaults.of(core.groupId, installationId);
  return [{ groupId: core.id, fault, canBeAddedLater: isNew || acceptsLateAdditions(core) }];
}
