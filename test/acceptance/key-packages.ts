import {
  createKeyPackage,
  encode,
  encodeKeyPackage,
  EXTENSION_TYPE,
  toHex,
  type Capabilities,
  type Extension,
} from "@latchkey/mls";
import { signLeafNode } from "@latchkey/mls/internals";
import { nodeCrypto } from "@latchkey/mls/node";
import {
  FOLLOWS_EXTERNAL_COMMITS,
  installationCapabilities,
  installationLeaf,
  XMTP_CIPHER_SUITE,
  type WalletSigner,
} from "@latchkey/xmtp";
// The builders below have no legal use, so the engine does not offer them: the tests reach behind its entry point.
import { signWithLabel } from "../../packages/mls/src/crypto/labels.ts";
import { keyPackageToBeSigned } from "../../packages/mls/src/messages/key-package.ts";
import { configOf, type Device, type World, type Wrap } from "./support.ts";

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
  /** In place of a fresh key. */
  readonly encryptionKey?: Uint8Array;
}

/** A key package that is rightly signed by a device, whatever it states; TLS bytes. */
export async function makeKeyPackage(device: Device, made: MadeKeyPackage = {}): Promise<Uint8Array> {
  const nowSeconds = device.clock.nowNs() / 1_000_000_000n;
  const config = configOf(device);
  const { bytes, keyPackage } = await createKeyPackage(config, {
    cipherSuite: XMTP_CIPHER_SUITE,
    leaf: { ...installationLeaf(device.client.inboxId), capabilities: made.capabilities ?? installationCapabilities },
    lifetime: { notBefore: nowSeconds - 3_600n, notAfter: nowSeconds + (made.notAfter ?? 86_400n) },
    extensions: made.extensions ?? [{ type: EXTENSION_TYPE.lastResort, data: new Uint8Array(0) }],
  });
  if (made.encryptionKey === undefined) return bytes;
  const { privateKey } = config.identity.signatureKeyPair;
  const suite = nodeCrypto.suite(XMTP_CIPHER_SUITE);
  const { source } = keyPackage.leafNode;
  if (source.kind !== "key_package") throw new Error("a key package holds a leaf of its own");
  const copied = { ...keyPackage.leafNode, source, encryptionKey: made.encryptionKey };
  const unsigned = { ...keyPackage, leafNode: await signLeafNode(suite, privateKey, copied) };
  const content = keyPackageToBeSigned(unsigned);
  const signature = await signWithLabel(suite, privateKey, "KeyPackageTBS", content);
  return encode({ ...unsigned, signature }, encodeKeyPackage);
}

/** An environment that is handed these key packages, by installation id, whatever the node holds; null: none. */
export function servedKeyPackages(served: ReadonlyMap<string, Uint8Array | null>): Wrap {
  return (environment) => {
    const { transport } = environment;
    const fetchKeyPackages: typeof transport.fetchKeyPackages = async (ids, signal) => {
      const answers = await transport.fetchKeyPackages(ids, signal);
      return ids.map((id, index) => {
        const other = served.get(toHex(id));
        return other === undefined ? answers[index] : (other ?? undefined);
      });
    };
    return { ...environment, transport: { ...transport, fetchKeyPackages } };
  };
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
