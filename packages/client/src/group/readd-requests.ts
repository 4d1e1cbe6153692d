import { fromHex } from "@latchkey/mls";
import { isDue } from "../clock.ts";
import { CLIENT_LIMITS } from "../limits.ts";
import type { ReaddRecord } from "../store/records.ts";
import type { GroupCore } from "./group-core.ts";
import { senderOf } from "./message.ts";
import type { MessageSender } from "../identity/identity-context.ts";

/**
 * Notes a request to be added again, if its sender has a leaf in that group; what anybody else asks for is nothing. A
 * request within a day of the one before changes nothing.
 */
export function readdOf(core: GroupCore | undefined, signer: MessageSender, nowNs: bigint): ReaddRecord | undefined {
  if (core === undefined || !core.mayWrite) return undefined;
  const installationKey = fromHex(signer.installationId);
  const leafIndex = core.mls.findBySignatureKey(installationKey);
  const leaf = leafIndex === undefined ? undefined : core.mls.leaf(leafIndex);
  if (leaf === undefined || senderOf(leaf).inboxId !== signer.inboxId) return undefined;
  const known = core.context.store.readds.get(core.groupId, installationKey);
  if (known !== undefined && !isDue(known.requestedAtNs, CLIENT_LIMITS.readdPauseNs, nowNs)) return undefined;
  const { groupId } = core;
  return {
    groupId,
    installationKey,
    inboxId: fromHex(signer.inboxId),
    requestedAtNs: nowNs,
    doneAtNs: known?.doneAtNs ?? 0n,
  };
}
