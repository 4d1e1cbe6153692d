import { EXTENSION_TYPE, MlsGroup, verifyGroupInfo, type KeyPackage } from "@latchkey/mls";
import { nodeCrypto } from "@latchkey/mls/node";
import {
  COMPONENT,
  encodeTlsMap,
  groupStateHash,
  INBOX_ID_KEY,
  installationLeaf,
  newGroupExtensions,
  wrapGroupInfo,
  XMTP_CIPHER_SUITE,
} from "@latchkey/xmtp";
import { entry, entryOf, withAppData } from "./trap.ts";
import { configOf, type Device } from "./support.ts";

/** What a holder of a link makes up beside the true app data of the group. */
interface MadeUp {
  /** Further entries of the membership. */
  readonly members?: readonly (readonly [string, bigint])[];
  /** Leaves, whatever they support: what new groups require is left out. */
  readonly added?: readonly KeyPackage[];
  /** Epochs behind the true one. */
  readonly later: number;
}

/** A blob under an invite's key with a state that is rightly signed, of a group that does not exist. */
export async function madeUpBlob(device: Device, genuine: Uint8Array, key: Uint8Array, made: MadeUp) {
  const info = await verifyGroupInfo({ crypto: nodeCrypto }, genuine);
  const { inboxId } = device.client;
  const members = [await entryOf(device)];
  for (const [id, sequenceId] of made.members ?? []) members.push([id, entry(sequenceId)]);
  const born = newGroupExtensions({ creatorInboxId: inboxId, creatorSequenceId: 1n });
  const extensions = withAppData(born, (data) => {
    for (const [id, value] of info.appData) data.set(id, value);
    data.set(COMPONENT.groupMembership, encodeTlsMap(INBOX_ID_KEY, new Map(members)));
  });
  const mls = await MlsGroup.create(configOf(device), {
    cipherSuite: XMTP_CIPHER_SUITE,
    groupId: info.context.groupId,
    extensions: extensions.filter(({ type }) => type !== EXTENSION_TYPE.requiredCapabilities),
    leaf: installationLeaf(inboxId),
    lifetime: { notBefore: 0n, notAfter: 2n ** 40n },
  });
  const proposals = (made.added ?? []).map((keyPackage) => ({ kind: "add" as const, keyPackage }));
  mls.merge(await mls.createCommit({ proposals, references: [] }));
  while (mls.epoch < info.context.epoch + BigInt(made.later)) {
    mls.merge(await mls.createCommit({ proposals: [], references: [] }));
  }
  const suite = nodeCrypto.suite(XMTP_CIPHER_SUITE);
  return wrapGroupInfo({
    suite,
    key,
    groupInfo: await mls.exportGroupInfo(),
    epoch: mls.epoch,
    groupStateHash: groupStateHash(suite, mls.contextBytes),
    expiresAtNs: 0n,
  });
}
