import assert from "node:assert/strict";
import { test } from "node:test";
import { seed, TEST_TIME_NS } from "../testing/inboxes.ts";
import { createInboxUpdate } from "./build-update.ts";
import { localWallet } from "./eip191.ts";
import { identityUpdateText } from "./signature-text.ts";
import { InstallationKey } from "./installation-key.ts";

test("registering asks the wallet for one signature, over the very text of the update", async () => {
  const texts: string[] = [];
  const wallet = localWallet(seed(1));
  const asked = {
    identifier: wallet.identifier,
    signMessage(text: string) {
      texts.push(text);
      return wallet.signMessage(text);
    },
  };
  const installation = new InstallationKey(seed(2));
  const update = await createInboxUpdate({ wallet: asked, nonce: 1n, installation, timestampNs: TEST_TIME_NS });
  assert.deepEqual(texts, [identityUpdateText(update)]);
});

test("IDENTITY_BAD_SIGNATURE: a wallet that does not give 65 bytes is refused at once", async () => {
  const wallet = { identifier: localWallet(seed(1)).identifier, signMessage: async () => new Uint8Array(64) };
  const installation = new InstallationKey(seed(2));
  const update = createInboxUpdate({ wallet, nonce: 1n, installation, timestampNs: TEST_TIME_NS });
  await assert.rejects(update, { code: "IDENTITY_BAD_SIGNATURE" });
});
