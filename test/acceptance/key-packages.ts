import { createKeyPackage, EXTENSION_TYPE, type Capabilities, type Extension } from "@latchkey/mls";
import {
  FOLLOWS_EXTERNAL_COMMITS,
  installationCapabilities,
  installationLeaf,
  XMTP_CIPHER_SUITE,
  type WalletSigner,
} from "@latchkey/xmtp";
import { configOf, type Device, type World } from "./support.ts";

/** The capabilities of XMTP's own library: ours without the sign that external commits are followed. */
export const NATIVE_CAPABILITIES: Capabilities = {
  ...installationCapabilities,
  extensions: installationCapabilities.extensions.filter((type) => type !== FOLLOWS_EXTERNAL_COMMITS),
};

/** What a made-up key package of a device states; by default what its client would. */
export interface MadeKeyPackage {
  readonly capabilities?: Capabilities;
  readonly extensions?: readonly Extension[];
  /** Seconds from now. */
  readonly notAfter?: bigint;
}

/** A key package that is rightly signed by a device, whatever it states; TLS bytes. */
export async function makeKeyPackage(device: Device, made: MadeKeyPackage = {}): Promise<Uint8Array> {
  const nowSeconds = device.clock.nowNs() / 1_000_000_000n;
  const { bytes } = await createKeyPackage(configOf(device), {
    cipherSuite: XMTP_CIPHER_SUITE,
    leaf: { ...installationLeaf(device.client.inboxId), capabilities: made.capabilities ?? installationCapabilities },
    lifetime: { notBefore: nowSeconds - 3_600n, notAfter: nowSeconds + (made.notAfter ?? 86_400n) },
    extensions: made.extensions ?? [{ type: EXTENSION_TYPE.lastResort, data: new Uint8Array(0) }],
  });
  return bytes;
}

/** Lets a device look like a client of XMTP's own library to everybody who adds it. */
export async function looksNative(device: Device): Promise<void> {
  const bytes = await makeKeyPackage(device, { capabilities: NATIVE_CAPABILITIES });
  await device.environment.transport.uploadKeyPackage(bytes);
}

/** A registered device whose key packages reach the node only when `release` is called. */
export async function withoutKeyPackage(world: World, name: string, signer: WalletSigner) {
  const held: Uint8Array[] = [];
  const device = await world.device(name, {
    signer,
    wrap: (environment) => {
      const uploadKeyPackage = async (bytes: Uint8Array) => void held.push(bytes);
      return { ...environment, transport: { ...environment.transport, uploadKeyPackage } };
    },
  });
  const { transport } = world.environment(world.path(`${name}-line.db`), device.clock);
  const release = async () => {
    for (const bytes of held) await transport.uploadKeyPackage(bytes);
    transport.close();
  };
  return { device, release };
}
