import assert from "node:assert/strict";
import { fromHex, type Proposal } from "@latchkey/mls";
import { nodeCrypto } from "@latchkey/mls/node";
import {
  appDataUpdate,
  applyAppDataUpdates,
  COMPONENT,
  membershipDelta,
  verifyInstallationKeyPackage,
  welcomeMessages,
  XMTP_CIPHER_SUITE,
} from "@latchkey/xmtp";
import { mlsOf, publishRaw } from "../../../test/acceptance/support.ts";
import { revokeInstallation } from "../bare-device.ts";
import { assertAgree, ourGroup, ourTexts } from "../mixed.ts";
import { textsOf } from "../native.ts";
import type { Device, Scenario } from "../stage.ts";

/** Adds installations of an inbox at a point of its log that the author chooses, by a commit and the Welcomes to it. */
async function addAt(author: Device, groupId: string, added: readonly Device[], sequenceId: bigint): Promise<void> {
  const { transport } = author.environment;
  const ids = added.map(({ client }) => fromHex(client.installationId));
  const fetched = (await transport.fetchKeyPackages(ids)).filter((bytes) => bytes !== undefined);
  assert.equal(fetched.length, added.length);
  const verified = await Promise.all(fetched.map((bytes) => verifyInstallationKeyPackage(nodeCrypto, bytes)));
  const keyPackages = verified.map(({ keyPackage }) => keyPackage);
  const inboxId = added[0]?.client.inboxId ?? "";
  const entry = { sequenceId, failedInstallations: [], admittedViaExternalGroupId: new Uint8Array(0) };
  const update = appDataUpdate(COMPONENT.groupMembership, membershipDelta([{ op: "insert", inboxId, entry }]));
  const mls = mlsOf(author, groupId);
  const proposals: Proposal[] = [...keyPackages.map((keyPackage) => ({ kind: "add", keyPackage }) as const), update];
  const appData = applyAppDataUpdates(mls.appData, [update]);
  const { message, welcome } = await mls.createCommit({ proposals, references: [], appData });
  assert.ok(welcome !== undefined);
  await publishRaw(author, message);
  const { items } = await transport.queryGroupMessages({ topic: fromHex(groupId), afterId: 0n });
  const messageCursor = items.at(-1)?.id ?? 0n;
  const suite = nodeCrypto.suite(XMTP_CIPHER_SUITE);
  await transport.sendWelcomeMessages(await welcomeMessages(suite, { welcome, messageCursor }, keyPackages));
}

export const scenario: Scenario = {
  title: "3.13 TRU-07 a revoked device comes in at an older point of its inbox's log, beside native members",
  async run({ native, ours, device, newWallet, wire, step }) {
    const wallet = newWallet();
    const [mine, late] = [await ours("mine"), await ours("late")];
    const [accomplice, phone] = [await device("accomplice"), await device("phone", wallet)];
    const stolen = await device("stolen", wallet);
    const [ana, ben] = [await native("ana"), await native("ben")];
    const { inboxId } = phone.client;
    const group = await mine.conversations.createGroup([accomplice.client.inboxId, ana.inboxId], { name: "lake" });
    await ourGroup(accomplice.client, group.id);
    const onAna = await ana.group(group.id);
    const devices = () => group.members().find((member) => member.inboxId === inboxId)?.installations.length;

    await step("by a member's commit: everybody follows it, and the Welcome opens", async () => {
      const asked = [{ inboxId, afterSequenceId: 0n }];
      const [log] = await accomplice.environment.transport.getIdentityUpdates(asked);
      const point = log?.at(-1)?.sequenceId ?? 0n;
      await revokeInstallation(wire.url, wallet, stolen.client);
      await addAt(accomplice, group.id, [phone, stolen], point);
      const [onPhone, onStolen] = [await ourGroup(phone.client, group.id), await ourGroup(stolen.client, group.id)];
      await assertAgree([group, onPhone, onStolen], [onAna]);
      assert.equal(devices(), 2);
    });

    const [onPhone, onStolen] = [await ourGroup(phone.client, group.id), await ourGroup(stolen.client, group.id)];
    const unseen = ["MessageOfRevokedInstallation"];

    await step("its commits are followed by all, and nothing that it says is shown by ours", async () => {
      await onStolen.send("nobody shows this");
      await onStolen.rotateKeys();
      for (const view of [group, onPhone]) assert.ok(!(await ourTexts(view)).includes("nobody shows this"));
      await assertAgree([group, onPhone], [onAna], unseen);
      assert.equal(onStolen.epochAuthenticator, group.epochAuthenticator);
    });

    await step("whoever is added now opens the group by a Welcome that holds its leaf", async () => {
      await onAna.addMembers([late.inboxId]);
      await group.addMembers([ben.inboxId]);
      const [onLate, onBen] = [await ourGroup(late, group.id), await ben.group(group.id)];
      await assertAgree([group, onPhone], [onAna, onBen], unseen);
      await assertAgree([onLate], [onAna, onBen]);
    });

    await step("once its leaf is out, everybody reads everybody else", async () => {
      await group.updateInstallations();
      assert.equal(devices(), 1);
      const [onLate, onBen] = [await ourGroup(late, group.id), await ben.group(group.id)];
      await onPhone.send("from the phone");
      await onBen.sendText("from ben");
      for (const view of [group, onPhone, onLate]) {
        assert.deepEqual((await ourTexts(view)).slice(-2), ["from the phone", "from ben"]);
      }
      assert.deepEqual((await textsOf(onAna)).slice(-2), ["from the phone", "from ben"]);
      await assertAgree([onLate], [onAna, onBen]);
    });
  },
};
