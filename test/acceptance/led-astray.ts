import assert from "node:assert/strict";
import { decodeInvitePayload, encodeGroupInfoHints } from "@latchkey/xmtp";
import { presentBlob } from "./blobs.ts";
import { epochOf, mlsOf, readCommits, type Device, type World } from "./support.ts";

/** A blob of the group as a device sees it, whose signer claims to have read the log up to that id. */
export async function hintingBlob(
  device: Device,
  groupId: string,
  payload: Uint8Array,
  logCursor: bigint,
): Promise<Uint8Array> {
  const { symmetricKey: key } = decodeInvitePayload(payload);
  const groupInfo = await mlsOf(device, groupId).exportGroupInfo({ extensions: encodeGroupInfoHints({ logCursor }) });
  return presentBlob(device, groupId, { key, groupInfo });
}

/** A joiner that was led astray: a member told it that the log before the end of its epoch was of no interest. */
export async function ledAstray(world: World, prepare?: (joiner: Device) => Promise<unknown>) {
  const { admin, member, adminGroup, memberGroup } = await world.group();
  const invite = await adminGroup.createInvite();
  await memberGroup.sync();
  await adminGroup.updateName("the group moves on");
  const end = (await readCommits(admin, adminGroup.id)).at(-1)?.id ?? 0n;
  // The member has not read it yet: its state is that of the epoch before.
  const lie = await hintingBlob(member, adminGroup.id, invite.payload, end);
  const joiner = await world.device("joiner");
  await prepare?.(joiner);
  const { group, status } = await joiner.client.joinGroupByExternalInvite(invite.payload, lie);
  assert.equal(status, "pending");
  assert.notDeepEqual(epochOf(group).authenticator, epochOf(adminGroup).authenticator);
  return { admin, adminGroup, memberGroup, invite, joiner, group };
}
