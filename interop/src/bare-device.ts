import { nodeCrypto } from "@latchkey/mls/node";
import { nodeEnvironment, walletSigner } from "@latchkey/client/node";
import {
  addInstallationUpdate,
  createInstallationKeyPackage,
  encodeMlsCredential,
  InstallationKey,
  revokeInstallationUpdate,
} from "@latchkey/xmtp";
import type { PrivateKeyAccount } from "viem/accounts";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** An installation that its inbox has registered and that nobody runs. */
export interface BareDevice {
  readonly installationId: string;
  /** Puts a key package of it on the node, which can be used from then on. */
  uploadKeyPackage(): Promise<void>;
  revoke(): Promise<void>;
}

/** Registers an installation of an inbox without a key package, as a device does whose set-up was interrupted. */
export async function registerBareDevice(
  nodeUrl: string,
  wallet: PrivateKeyAccount,
  inboxId: string,
): Promise<BareDevice> {
  const signer = walletSigner(wallet);
  const key = new InstallationKey(nodeCrypto.randomBytes(32));
  const now = () => BigInt(Date.now()) * 1_000_000n;
  const add = { wallet: signer, inboxId, installation: key, timestampNs: now() };
  await withLine(nodeUrl, async (line) => line.publishIdentityUpdate(await addInstallationUpdate(add)));
  return {
    installationId: key.id,
    async uploadKeyPackage() {
      const { privateKey, publicKey } = key;
      const { bytes } = await createInstallationKeyPackage({
        crypto: nodeCrypto,
        identity: { credential: encodeMlsCredential(inboxId), signatureKeyPair: { privateKey, publicKey } },
        inboxId,
        nowSeconds: now() / 1_000_000_000n,
      });
      await withLine(nodeUrl, (line) => line.uploadKeyPackage(bytes));
    },
    revoke: () => revokeInstallation(nodeUrl, wallet, { inboxId, installationId: key.id }),
  };
}

/** Revokes an installation by its inbox's wallet, and tells nobody. */
export async function revokeInstallation(
  nodeUrl: string,
  wallet: PrivateKeyAccount,
  { inboxId, installationId }: { readonly inboxId: string; readonly installationId: string },
): Promise<void> {
  const timestampNs = BigInt(Date.now()) * 1_000_000n;
  const update = { wallet: walletSigner(wallet), inboxId, installationId, timestampNs };
  await withLine(nodeUrl, async (line) => line.publishIdentityUpdate(await revokeInstallationUpdate(update)));
}

type Line = ReturnType<typeof nodeEnvironment>["transport"];

async function withLine(nodeUrl: string, work: (line: Line) => Promise<unknown>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "latchkey-bare-device-"));
  const { store, transport } = nodeEnvironment({
    dbPath: join(directory, "line.db"),
    nodeUrl,
    keepInvitesFresh: false,
  });
  try {
    await work(transport);
  } finally {
    transport.close();
    store.close();
    rmSync(directory, { recursive: true });
  }
}
