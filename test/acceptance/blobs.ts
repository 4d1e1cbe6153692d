import { utf8 } from "@latchkey/mls";
import { nodeCrypto } from "@latchkey/mls/node";
import type { Slot } from "@latchkey/client";
import {
  decodeInvitePayload,
  encodeGroupInfoHints,
  groupStateHash,
  serviceOrigin,
  slotCredential,
  slotCredentialV1,
  slotWriteSecret,
  wrapGroupInfo,
  XMTP_CIPHER_SUITE,
} from "@latchkey/xmtp";
import { mlsOf, type Device } from "./support.ts";

const suite = nodeCrypto.suite(XMTP_CIPHER_SUITE);

/** What a key holder can say of a state in a blob, true or not. */
export interface BlobClaims {
  readonly key: Uint8Array;
  readonly groupInfo?: Uint8Array;
  readonly epoch?: bigint;
  readonly groupStateHash?: Uint8Array;
  readonly expiresAtNs?: bigint;
}

/** The present state of a device's group as a blob under any key; what it claims is true unless told otherwise. */
export async function presentBlob(device: Device, groupId: string, claims: BlobClaims): Promise<Uint8Array> {
  const mls = mlsOf(device, groupId);
  return wrapGroupInfo({
    suite,
    groupInfo: claims.groupInfo ?? (await mls.exportGroupInfo()),
    epoch: mls.epoch,
    groupStateHash: groupStateHash(suite, mls.contextBytes),
    expiresAtNs: 0n,
    ...claims,
  });
}

/** The present state with a wrong signature, by somebody who claims to have read further than anybody: it is tried first. */
export async function brokenBlob(device: Device, groupId: string, key: Uint8Array): Promise<Uint8Array> {
  const extensions = encodeGroupInfoHints({ logCursor: 2n ** 40n });
  const groupInfo = await mlsOf(device, groupId).exportGroupInfo({ extensions });
  groupInfo.set([(groupInfo.at(-1) ?? 0) ^ 1], groupInfo.length - 1);
  return presentBlob(device, groupId, { key, groupInfo });
}

/** The slot of an invite for whoever knows its id and nothing else. */
export function keylessSlot(payload: Uint8Array, serviceUrl: string): Slot {
  return { serviceUrl, externalGroupId: decodeInvitePayload(payload).externalGroupId };
}

/** The slot of an invite for whoever has the link. */
export function slotOf(payload: Uint8Array, serviceUrl: string): Slot {
  const { externalGroupId, symmetricKey } = decodeInvitePayload(payload);
  const pointer = { kind: "opaque", bytes: utf8(serviceUrl) } as const;
  const secret = slotWriteSecret(suite, symmetricKey, externalGroupId);
  const current = slotCredential(suite, secret, serviceOrigin(pointer));
  return {
    serviceUrl,
    externalGroupId,
    credentials: { current, currentHash: suite.hash(current), earlier: [slotCredentialV1(suite, secret)] },
  };
}
