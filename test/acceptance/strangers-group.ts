import { fromHex, MlsGroup, type Proposal } from "@latchkey/mls";
import { nodeCrypto } from "@latchkey/mls/node";
import {
  appDataUpdate,
  applyAppDataUpdates,
  COMPONENT,
  installationLeaf,
  membershipDelta,
  newGroupExtensions,
  welcomeMessages,
  XMTP_CIPHER_SUITE,
  type MembershipMutation,
} from "@latchkey/xmtp";
import { keyPackageOf } from "./forge.ts";
import { configOf, publishRaw, type Device } from "./support.ts";

const NO_TAG = new Uint8Array(0);

async function sequenceIdOf(device: Device): Promise<bigint> {
  const { inboxId } = device.client;
  const [log] = await device.environment.transport.getIdentityUpdates([{ inboxId, afterSequenceId: 0n }]);
  return log?.at(-1)?.sequenceId ?? 0n;
}

/**
 * A group of a stranger under a group id of others, made of copies of their key packages; only the first of them gets a
 * Welcome. All that it takes is public.
 */
export async function strangersGroup(
  stranger: Device,
  groupId: string,
  members: readonly [Device, ...Device[]],
  name: string,
): Promise<{ send(text: Uint8Array): Promise<void>; reads(data: Uint8Array): Promise<Uint8Array | undefined> }> {
  const { inboxId } = stranger.client;
  const mls = await MlsGroup.create(configOf(stranger), {
    cipherSuite: XMTP_CIPHER_SUITE,
    groupId: fromHex(groupId),
    extensions: newGroupExtensions({ creatorInboxId: inboxId, creatorSequenceId: await sequenceIdOf(stranger), name }),
    leaf: installationLeaf(inboxId),
    lifetime: { notBefore: 0n, notAfter: 2n ** 40n },
  });
  const keyPackages = await Promise.all(members.map(keyPackageOf));
  const mutations = await Promise.all(
    members.map(async (device): Promise<MembershipMutation> => {
      const entry = {
        sequenceId: await sequenceIdOf(device),
        failedInstallations: [],
        admittedViaExternalGroupId: NO_TAG,
      };
      return { op: "insert", inboxId: device.client.inboxId, entry };
    }),
  );
  const update = appDataUpdate(COMPONENT.groupMembership, membershipDelta(mutations));
  const proposals = [...keyPackages.map((keyPackage): Proposal => ({ kind: "add", keyPackage })), update];
  const appData = applyAppDataUpdates(mls.appData, [update]);
  const commit = await mls.createCommit({ proposals, references: [], appData });
  const { welcome } = commit;
  if (welcome === undefined) throw new Error("the commit adds nobody");
  const content = { welcome, messageCursor: 0n };
  const suite = nodeCrypto.suite(XMTP_CIPHER_SUITE);
  const messages = await welcomeMessages(suite, content, keyPackages.slice(0, 1));
  await stranger.environment.transport.sendWelcomeMessages(messages);
  mls.merge(commit.sent);
  mls.merge(commit);
  return {
    async send(text) {
      const { message, change } = await mls.encryptApplication(text);
      mls.merge(change);
      await publishRaw(stranger, message);
    },
    async reads(data) {
      const received = await mls.verify(data).catch(() => undefined);
      return received?.kind === "application" ? received.data : undefined;
    },
  };
}
