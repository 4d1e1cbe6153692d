import {
  createExternalCommit,
  verifyGroupInfo,
  VerifiedTreeCache,
  XIP_82_EXTERNAL_COMMITS,
  type KeyPair,
} from "@latchkey/mls";
import { nodeCrypto } from "@latchkey/mls/node";
import {
  appDataUpdate,
  applyAppDataUpdates,
  COMPONENT,
  createInboxUpdate,
  createInstallationKeyPackage,
  deriveInboxId,
  encodeMlsCredential,
  InstallationKey,
  installationLeaf,
  localWallet,
  membershipInsert,
  readGroupState,
} from "@latchkey/xmtp";
import type { Transport } from "@latchkey/client";

const NONCE = 1n;
const HMAC_BYTES = 32;

/** A person of the identity log, with the keys of its one installation. */
export interface Registered {
  readonly inboxId: string;
  readonly sequenceId: bigint;
  readonly signatureKeyPair: KeyPair;
}

/** Registers a person with one installation, as a client does at its first start. */
async function register(transport: Transport): Promise<Registered> {
  const installation = new InstallationKey(nodeCrypto.randomBytes(32));
  const wallet = localWallet(nodeCrypto.randomBytes(32));
  const timestampNs = BigInt(Date.now()) * 1_000_000n;
  await transport.publishIdentityUpdate(await createInboxUpdate({ wallet, nonce: NONCE, installation, timestampNs }));
  const inboxId = deriveInboxId(wallet.identifier.toLowerCase(), NONCE);
  const [log = []] = await transport.getIdentityUpdates([{ inboxId, afterSequenceId: 0n }]);
  const { privateKey, publicKey } = installation;
  return { inboxId, sequenceId: log.at(-1)?.sequenceId ?? 0n, signatureKeyPair: { privateKey, publicKey } };
}

/** Registers people that can be added to groups: each with an installation and its key package. */
export async function registerPeople(transport: Transport, count: number): Promise<Registered[]> {
  const people: Registered[] = [];
  while (people.length < count) {
    const person = await register(transport);
    const { inboxId, signatureKeyPair } = person;
    const bundle = await createInstallationKeyPackage({
      crypto: nodeCrypto,
      identity: { credential: encodeMlsCredential(inboxId), signatureKeyPair },
      inboxId,
      nowSeconds: BigInt(Math.floor(Date.now() / 1_000)),
    });
    await transport.uploadKeyPackage(bundle.bytes);
    people.push(person);
  }
  return people;
}

/**
 * Scanners who join and are never heard of again: real people of the identity log with real external commits, made
 * without a client of their own, each from the state that the one before has left. Trees are verified by what is new.
 */
export class Scanners {
  readonly #transport: Transport;
  readonly #verifiedTrees = new VerifiedTreeCache();

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Lets that many join, from a GroupInfo of the present epoch. */
  async join(count: number, groupInfo: Uint8Array): Promise<void> {
    let present = groupInfo;
    for (let left = count; left > 0; left--) {
      const { inboxId, sequenceId, signatureKeyPair } = await register(this.#transport);
      const config = {
        crypto: nodeCrypto,
        identity: { credential: encodeMlsCredential(inboxId), signatureKeyPair },
        externalCommitPolicy: XIP_82_EXTERNAL_COMMITS,
        verifiedTrees: this.#verifiedTrees,
      };
      const info = await verifyGroupInfo(config, present);
      const externalGroupId = readGroupState(info.appData).policy?.externalGroupId;
      if (externalGroupId === undefined) throw new Error("the group lets nobody in");
      const componentId = COMPONENT.groupMembership;
      const update = membershipInsert({ inboxId, sequenceId, externalGroupId });
      const { message, group } = await createExternalCommit(config, info, {
        leaf: installationLeaf(inboxId),
        appDataUpdates: [{ componentId, update }],
        appData: applyAppDataUpdates(info.appData, [appDataUpdate(componentId, update)]),
      });
      const envelope = { data: message, senderHmac: new Uint8Array(HMAC_BYTES), shouldPush: false };
      await this.#transport.sendGroupMessages([envelope]);
      if (left > 1) present = await group.exportGroupInfo();
    }
  }
}
