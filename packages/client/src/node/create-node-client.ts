import { nodeCrypto } from "@latchkey/mls/node";
import type { WalletSigner } from "@latchkey/xmtp";
import { requireLinkNewDeviceOptions, requireMaybeSigner } from "../api/arguments.ts";
import { Client } from "../api/client.ts";
import { systemClock } from "../clock.ts";
import type { Environment } from "../identity/environment.ts";
import type { LinkNewDeviceOptions } from "../link/options.ts";
import { httpSlots } from "../invite/slots.ts";
import type { NodeClientOptions } from "./options.ts";
import { grpcTransport } from "./grpc-transport.ts";
import { walledNow, walledWith } from "../public-calls.ts";
import { requireNodeClientOptions } from "./arguments.ts";
import { encodePng } from "./png.ts";
import { readQrFromImage } from "./read-qr.ts";
import { judgeInWorkers } from "./signature-workers.ts";
import { openSqliteStore } from "./sqlite-store.ts";

/** The environment of a client in Node: OpenSSL, SQLite, gRPC. Throws ARGUMENT_INVALID, and as `openSqliteStore`. */
export function nodeEnvironment(options: NodeClientOptions): Environment {
  return walledNow(() => environmentOf(requireNodeClientOptions(options, "options")));
}

function environmentOf(options: NodeClientOptions): Environment {
  // The transport connects when it is first used, so a database that cannot be opened leaves nothing behind.
  const transport = grpcTransport(options.nodeUrl);
  return {
    crypto: nodeCrypto,
    store: openSqliteStore(options.dbPath, { encryptionKey: options.dbEncryptionKey }),
    transport,
    slots: httpSlots,
    clock: systemClock,
    random: Math.random,
    encodePng,
    readQr: readQrFromImage,
    judgeLogs: judgeInWorkers,
    joinReceipts: options.joinReceipts ?? true,
    inviteServiceUrl: options.inviteServiceUrl ?? options.nodeUrl,
    keepInvitesFresh: options.keepInvitesFresh ?? true,
    slotCredentials: options.slotCredentials ?? true,
    padBlobs: options.padBlobs ?? false,
    renewOnRemoval: options.renewOnRemoval ?? false,
    inviteBaseUrl: options.inviteBaseUrl,
    ...(options.onDefect && { onDefect: options.onDefect }),
    ...(options.onMessageFailed && { onMessageFailed: options.onMessageFailed }),
    ...(options.resolvePointer && { resolvePointer: options.resolvePointer }),
    ...(options.loopbackHttp === undefined ? {} : { loopbackHttp: options.loopbackHttp }),
  };
}

/** Links a new device to an inbox in Node; see `Client.linkNewDevice`. The options of the client come first. */
export function linkNodeDevice(options: NodeClientOptions, link: LinkNewDeviceOptions = {}): Promise<Client> {
  return walledWith(requireNodeClientOptions, options, async (checked) => {
    // Options that make no sense must not leave a database behind.
    const how = requireLinkNewDeviceOptions(link, "link");
    const signal = checked.signal ?? how.signal;
    return Client.linkNewDevice(environmentOf(checked), signal === undefined ? how : { ...how, signal });
  });
}

/** Opens a client in Node, a registered installation without a signer too; see `Client.create`. */
export function createNodeClient(signer: WalletSigner | undefined, options: NodeClientOptions): Promise<Client> {
  return walledWith(requireNodeClientOptions, options, async (checked) => {
    const { signal } = checked;
    // A signer that is none must not leave a database behind.
    const wallet = requireMaybeSigner(signer, "signer");
    return Client.create(wallet, environmentOf(checked), signal === undefined ? {} : { signal });
  });
}
