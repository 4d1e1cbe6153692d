import assert from "node:assert/strict";
import { fromHex, MlsGroup, type Proposal } from "@latchkey/mls";
import { nodeCrypto } from "@latchkey/mls/node";
import { installationLeaf, oneshotExtensions, welcomeMessages, XMTP_CIPHER_SUITE } from "@latchkey/xmtp";
import { keyPackageOf } from "./forge.ts";
import { configOf, mlsOf, type Device } from "./support.ts";

/** What a request states beside its sender; by default what an honest one would. */
export interface AskedFor {
  readonly groupId?: Uint8Array;
  readonly latestCommitId?: bigint;
  readonly members?: readonly (readonly [string, bigint])[];
}

/** Sends what a parted installation sends, whoever does it and whatever its state is. */
export async function ask(from: Device, to: Device, groupId: string, asked: AskedFor = {}): Promise<void> {
  const { inboxId } = from.client;
  const group = await MlsGroup.create(configOf(from), {
    cipherSuite: XMTP_CIPHER_SUITE,
    groupId: nodeCrypto.randomBytes(16),
    extensions: oneshotExtensions({
      creatorInboxId: inboxId,
      members: new Map([[inboxId, 1n], ...(asked.members ?? [])]),
      failedInstallations: [],
      request: { groupId: asked.groupId ?? fromHex(groupId), latestCommitId: asked.latestCommitId ?? 0n },
    }),
    leaf: installationLeaf(inboxId),
    lifetime: { notBefore: 0n, notAfter: 2n ** 40n },
  });
  const keyPackage = await keyPackageOf(to);
  const { welcome } = await group.createCommit({ proposals: [{ kind: "add", keyPackage }] });
  assert.ok(welcome !== undefined);
  const suite = nodeCrypto.suite(XMTP_CIPHER_SUITE);
  await to.environment.transport.sendWelcomeMessages(
    await welcomeMessages(suite, { welcome, messageCursor: 0n }, [keyPackage]),
  );
}

/** Sends a Welcome in which a device adds another one again to a group, by a commit that it publishes nowhere. */
export async function welcomeBack(from: Device, to: Device, groupId: string, messageCursor: bigint): Promise<void> {
  const mls = mlsOf(from, groupId);
  const leaf = mls.findBySignatureKey(fromHex(to.client.installationId));
  const keyPackage = await keyPackageOf(to);
  const removals: Proposal[] = leaf === undefined ? [] : [{ kind: "remove", removed: leaf }];
  const { welcome } = await mls.createCommit({ proposals: [...removals, { kind: "add", keyPackage }], references: [] });
  assert.ok(welcome !== undefined);
  const suite = nodeCrypto.suite(XMTP_CIPHER_SUITE);
  const messages = await welcomeMessages(suite, { welcome, messageCursor }, [keyPackage]);
  await from.environment.transport.sendWelcomeMessages(messages);
}
