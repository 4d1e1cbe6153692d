import type { TestContext } from "node:test";
import { revokeInstallationUpdate } from "@latchkey/xmtp";
import { World, type Device } from "./support.ts";

const SECOND_NS = 1_000_000_000n;

/** A world whose node has a clock that the test moves. */
export async function movableWorld(t: TestContext) {
  let aheadNs = 0n;
  const nowNs = () => BigInt(Date.now()) * 1_000_000n + aheadNs;
  const world = await World.start(t, { clock: { wallNs: nowNs, monotonicNs: nowNs } });
  const pass = (seconds: number) => void (aheadNs += BigInt(seconds) * SECOND_NS);
  return { world, pass };
}

/** Revokes a device with the signature of its owner's wallet. */
export async function revoke(owner: Device, revoked: Device): Promise<void> {
  const update = await revokeInstallationUpdate({
    wallet: owner.signer,
    inboxId: owner.client.inboxId,
    installationId: revoked.client.installationId,
    timestampNs: BigInt(Date.now()) * 1_000_000n,
  });
  await owner.environment.transport.publishIdentityUpdate(update);
}
