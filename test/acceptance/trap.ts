import {
  decodeAppDataDictionary,
  encodeAppDataDictionary,
  EXTENSION_TYPE,
  fromHex,
  MlsGroup,
  type Extension,
} from "@latchkey/mls";
import { nodeCrypto } from "@latchkey/mls/node";
import {
  COMPONENT,
  encodeTlsMap,
  INBOX_ID_KEY,
  installationLeaf,
  newGroupExtensions,
  timeUpdate,
  welcomeMessages,
  XMTP_CIPHER_SUITE,
} from "@latchkey/xmtp";
// No legal entry has these numbers, so that the package does not offer the encoder.
import { encodeMembershipEntry } from "../../packages/xmtp/src/app-data/membership.ts";
import { keyPackageOf } from "./forge.ts";
import { configOf, type Device } from "./support.ts";

/** What a stranger's Welcome says, beside the victim's own inbox; by default what an honest one would. */
export interface Trap {
  readonly groupId?: Uint8Array;
  readonly messageCursor?: bigint;
  /** Further entries of the membership: inbox ids with their sequence ids. */
  readonly entries?: readonly (readonly [string, bigint])[];
  /** Whose key package the inner Welcome is for. */
  readonly added?: Device;
  /** Settings for disappearing messages, both times. */
  readonly disappearNs?: bigint;
}

/** The membership entry of a device's inbox at the newest update of its log. */
export async function entryOf(device: Device): Promise<[string, Uint8Array]> {
  const { inboxId } = device.client;
  const [log] = await device.environment.transport.getIdentityUpdates([{ inboxId, afterSequenceId: 0n }]);
  return [inboxId, entry(log?.at(-1)?.sequenceId ?? 0n)];
}

/** A membership entry with any sequence id. */
export function entry(sequenceId: bigint): Uint8Array {
  return encodeMembershipEntry({ sequenceId, failedInstallations: [], admittedViaExternalGroupId: new Uint8Array(0) });
}

/** Extensions of a new group with app data of any kind. */
export function withAppData(
  extensions: readonly Extension[],
  write: (data: Map<number, Uint8Array>) => void,
): Extension[] {
  return extensions.map((extension) => {
    if (extension.type !== EXTENSION_TYPE.appDataDictionary) return extension;
    const data = new Map(decodeAppDataDictionary(extension.data));
    write(data);
    return { ...extension, data: encodeAppDataDictionary(data) };
  });
}

/** Sends a Welcome of a group that a stranger made by hand; returns the group, as the stranger has it. */
export async function sendTrap(stranger: Device, victim: Device, trap: Trap): Promise<MlsGroup> {
  const members = [await entryOf(stranger), await entryOf(victim)];
  for (const [inboxId, sequenceId] of trap.entries ?? []) members.push([inboxId, entry(sequenceId)]);
  const born = newGroupExtensions({ creatorInboxId: stranger.client.inboxId, creatorSequenceId: 1n, name: "trap" });
  const mls = await MlsGroup.create(configOf(stranger), {
    cipherSuite: XMTP_CIPHER_SUITE,
    groupId: trap.groupId ?? nodeCrypto.randomBytes(16),
    extensions: withAppData(born, (data) => {
      data.set(COMPONENT.groupMembership, encodeTlsMap(INBOX_ID_KEY, new Map(members)));
      if (trap.disappearNs === undefined) return;
      data.set(COMPONENT.messageDisappearFromNs, timeUpdate(1n));
      data.set(COMPONENT.messageDisappearInNs, timeUpdate(trap.disappearNs));
    }),
    leaf: installationLeaf(stranger.client.inboxId),
    lifetime: { notBefore: 0n, notAfter: 2n ** 40n },
  });
  const keyPackage = await keyPackageOf(trap.added ?? victim);
  const commit = await mls.createCommit({ proposals: [{ kind: "add", keyPackage }], references: [] });
  if (commit.welcome === undefined) throw new Error("the commit adds nobody");
  const content = { welcome: commit.welcome, messageCursor: trap.messageCursor ?? 0n };
  const suite = nodeCrypto.suite(XMTP_CIPHER_SUITE);
  const { transport } = stranger.environment;
  await transport.sendWelcomeMessages(await welcomeMessages(suite, content, [await keyPackageOf(victim)]));
  mls.merge(commit.sent);
  mls.merge(commit);
  return mls;
}

/** Inboxes that do not exist. */
export function madeUp(count: number): [string, bigint][] {
  return Array.from({ length: count }, (_, index) => [index.toString(16).padStart(64, "0"), 1n]);
}

/** A message of no key under a group's id, as anybody can write it. */
export function junkMessage(groupId: string, epoch: bigint): Uint8Array {
  const [id, junk] = [fromHex(groupId), nodeCrypto.randomBytes(68)];
  const head = new Uint8Array(8);
  new DataView(head.buffer).setBigUint64(0, epoch);
  const header = [0, 1, 0, 2, id.length, ...id, ...head, 1, 0];
  return Uint8Array.from([...header, 28, ...junk.subarray(0, 28), 40, ...junk.subarray(28)]);
}
