import assert from "node:assert/strict";
import type { PrivateKeyAccount } from "viem/accounts";
import { fromHex } from "@latchkey/mls";
import { replayIdentityLog, revokeInstallationUpdate, type AssociationState } from "@latchkey/xmtp";
import { grpcTransport, walletSigner } from "@latchkey/client/node";
import { identifierOf, sign } from "../native.ts";
import type { Scenario } from "../stage.ts";

export const scenario: Scenario = {
  title: "4.1 identity: each side reads and honours what the other registers and revokes",
  async run({ native, ours, newWallet, step, library, wire }) {
    const transport = grpcTransport(wire.url);
    const wallet = newWallet();
    const reader = await native("reader");

    async function ourView(inboxId: string): Promise<AssociationState> {
      const [log] = await transport.getIdentityUpdates([{ inboxId, afterSequenceId: 0n }]);
      const state = replayIdentityLog((log ?? []).map(({ update }) => update));
      assert.ok(state !== undefined);
      return state;
    }

    async function assertSameView(inboxId: string, owner: PrivateKeyAccount, installations: string[]): Promise<void> {
      const [state] = await library.fetchInboxStatesByInboxIds(reader.backend, [inboxId]);
      assert.ok(state !== undefined);
      assert.deepEqual(state.recoveryIdentifier, identifierOf(owner));
      assert.deepEqual(state.installations.map(({ id }) => id).sort(), installations.sort());
      const view = await ourView(inboxId);
      assert.equal(view.recoveryIdentifier.value, owner.address.toLowerCase());
      assert.deepEqual(view.installations().sort(), installations);
    }

    try {
      const laptop = await step("an inbox that our client registers is read by the native library", async () => {
        const client = await ours("laptop", wallet);
        await assertSameView(client.inboxId, wallet, [client.installationId]);
        assert.equal(await library.getInboxIdByIdentity(reader.backend, identifierOf(wallet)), client.inboxId);
        assert.equal(
          await library.isAddressAuthorized(reader.backend, client.inboxId, wallet.address.toLowerCase()),
          true,
        );
        const authorized = await library.isInstallationAuthorized(
          reader.backend,
          client.inboxId,
          fromHex(client.installationId),
        );
        assert.equal(authorized, true);
        return client;
      });

      await step("both derive the same inbox id from a wallet", async () => {
        assert.equal(library.generateInboxId(identifierOf(wallet), 1n), laptop.inboxId);
      });

      await step("the native library accepts our key package", async () => {
        const statuses = await reader.client.fetchKeyPackageStatusesByInstallationIds([laptop.installationId]);
        const status = statuses[laptop.installationId];
        assert.ok(status?.lifetime !== undefined && status.validationError === undefined);
        assert.deepEqual(await reader.client.canMessage([identifierOf(wallet)]), {
          [identifierOf(wallet).identifier]: true,
        });
      });

      const nativePhone = await step(
        "a native client of the same wallet is one more installation of our inbox",
        async () => {
          const phone = await native("phone", wallet);
          assert.equal(phone.inboxId, laptop.inboxId);
          await assertSameView(laptop.inboxId, wallet, [laptop.installationId, phone.client.installationId()]);
          return phone;
        },
      );

      await step("the reverse: our client of a native inbox's wallet is one more installation of it", async () => {
        const second = await ours("reader-second", reader.wallet);
        assert.equal(second.inboxId, reader.inboxId);
        await assertSameView(reader.inboxId, reader.wallet, [reader.client.installationId(), second.installationId]);
      });

      await step("the native library revokes an installation of ours: gone for both", async () => {
        const tablet = await ours("tablet", wallet);
        const request = await nativePhone.client.revokeInstallationsSignatureRequest([fromHex(tablet.installationId)]);
        await sign(request, wallet);
        await nativePhone.client.applySignatureRequest(request);
        await assertSameView(laptop.inboxId, wallet, [laptop.installationId, nativePhone.client.installationId()]);
      });

      await step("a group of ours drops an installation that the native library revoked", async () => {
        const tablet = await ours("tablet-2", wallet);
        const group = await laptop.conversations.createGroup([reader.inboxId]);
        assert.equal(group.installationCount, 5);
        const request = await nativePhone.client.revokeInstallationsSignatureRequest([fromHex(tablet.installationId)]);
        await sign(request, wallet);
        await nativePhone.client.applySignatureRequest(request);
        await group.updateInstallations();
        assert.equal(group.installationCount, 4);
        const own = group.members().find(({ inboxId }) => inboxId === laptop.inboxId);
        assert.ok(own !== undefined && !own.installations.includes(tablet.installationId));
        const onReader = await reader.group(group.id);
        const seen = (await onReader.listMembers()).find(({ inboxId }) => inboxId === laptop.inboxId);
        assert.deepEqual([...(seen?.installationIds ?? [])].sort(), [...own.installations].sort());
      });

      await step("we revoke the native installation: the native library takes it for gone", async () => {
        const id = nativePhone.client.installationId();
        const update = await revokeInstallationUpdate({
          wallet: walletSigner(wallet),
          inboxId: laptop.inboxId,
          installationId: id,
          timestampNs: BigInt(Date.now()) * 1_000_000n,
        });
        await transport.publishIdentityUpdate(update);
        await assertSameView(laptop.inboxId, wallet, [laptop.installationId]);
        const authorized = await library.isInstallationAuthorized(reader.backend, laptop.inboxId, fromHex(id));
        assert.equal(authorized, false);
      });

      await step("a native group drops it as well", async () => {
        const group = await reader.client.conversations().createGroup([laptop.inboxId]);
        const seen = (await group.listMembers()).find(({ inboxId }) => inboxId === laptop.inboxId);
        assert.deepEqual(seen?.installationIds, [laptop.installationId]);
      });

      await step("a second wallet that the native library links to an inbox leads our client to it", async () => {
        const second = newWallet();
        const request = await reader.client.addIdentifierSignatureRequest(identifierOf(second));
        await sign(request, second);
        await reader.client.applySignatureRequest(request);
        const client = await ours("by-second-wallet", second);
        assert.equal(client.inboxId, reader.inboxId);
        assert.ok((await ourView(reader.inboxId)).hasInstallation(client.installationId));
      });
    } finally {
      transport.close();
    }
  },
};
