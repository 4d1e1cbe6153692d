import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { sign } from "../native.ts";
import type { Scenario } from "../stage.ts";

/** Actions of one identity update at most: the library makes an update of as many as it is told. */
const MAX_ACTIONS = 256;

export const scenario: Scenario = {
  title: "4.4 heaviest update: the node takes the largest identity update that the native library makes",
  async run({ native, step, library }) {
    const laptop = await native("laptop");
    const phone = await native("phone", laptop.wallet);

    await step(`one update revokes ${MAX_ACTIONS} installations, most of which never were`, async () => {
      const ids = Array.from({ length: MAX_ACTIONS - 1 }, () => new Uint8Array(randomBytes(32)));
      const revoked = [phone.client.installationIdBytes(), ...ids];
      const request = await laptop.client.revokeInstallationsSignatureRequest(revoked);
      await sign(request, laptop.wallet);
      await laptop.client.applySignatureRequest(request);
    });

    await step("everybody reads the log with it: the revoked installation is gone, the other is there", async () => {
      const [state] = await library.fetchInboxStatesByInboxIds(laptop.backend, [laptop.inboxId]);
      assert.deepEqual(
        state?.installations.map(({ id }) => id),
        [laptop.client.installationId()],
      );
    });

    await step("the inbox takes further updates", async () => {
      const tablet = await native("tablet", laptop.wallet);
      assert.equal(tablet.inboxId, laptop.inboxId);
    });
  },
};
