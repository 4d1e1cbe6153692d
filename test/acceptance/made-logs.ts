import { create } from "@bufbuild/protobuf";
import type { IdentityLogEntry } from "@latchkey/client";
import { createKeyPackage, EXTENSION_TYPE, toHex } from "@latchkey/mls";
import { nodeCrypto } from "@latchkey/mls/node";
import {
  createInboxUpdate,
  encodeMlsCredential,
  identityUpdateText,
  InstallationKey,
  installationLeaf,
  localWallet,
  XMTP_CIPHER_SUITE,
  type WalletSigner,
} from "@latchkey/xmtp";
import { IdentityUpdateSchema, type IdentityUpdate } from "@latchkey/xmtp/proto";
// The identity package builds updates of one installation; heavier ones have no legal use.
import { installationIdentifier, memberIdentifierInit } from "../../packages/xmtp/src/identity/identifier.ts";
import type { Wrap } from "./support.ts";

const DAY_SECONDS = 86_400n;

/** Identity logs and key packages that a node never saw: clients that are given them meet them beside the node's. */
export class MadeLogs {
  readonly #logs = new Map<string, readonly IdentityLogEntry[]>();
  readonly #keyPackages = new Map<string, Uint8Array>();
  /** For each question of a client about identity logs, how many inboxes it named. */
  readonly asked: number[] = [];

  /** Puts updates at the end of an inbox's log, in the place of what the node has under their ids. */
  add(inboxId: string, updates: readonly IdentityUpdate[]): void {
    const before = this.#logs.get(inboxId) ?? [];
    const added = updates.map((update, index) => {
      return { sequenceId: BigInt(before.length + index + 1), serverTimestampNs: 1n, update };
    });
    this.#logs.set(inboxId, [...before, ...added]);
  }

  /** Registers a person with one installation that has a key package; returns the inbox id. */
  async person(): Promise<string> {
    const installation = new InstallationKey(nodeCrypto.randomBytes(32));
    const wallet = localWallet(nodeCrypto.randomBytes(32));
    const update = await createInboxUpdate({ wallet, nonce: 1n, installation, timestampNs: 1n });
    const { inboxId } = update;
    this.add(inboxId, [update]);
    const { privateKey, publicKey } = installation;
    const nowSeconds = BigInt(Math.floor(Date.now() / 1000));
    const { bytes } = await createKeyPackage(
      {
        crypto: nodeCrypto,
        identity: { credential: encodeMlsCredential(inboxId), signatureKeyPair: { privateKey, publicKey } },
      },
      {
        cipherSuite: XMTP_CIPHER_SUITE,
        leaf: installationLeaf(inboxId),
        lifetime: { notBefore: nowSeconds - 3_600n, notAfter: nowSeconds + 7n * DAY_SECONDS },
        extensions: [{ type: EXTENSION_TYPE.lastResort, data: new Uint8Array(0) }],
      },
    );
    this.#keyPackages.set(toHex(publicKey), bytes);
    return inboxId;
  }

  /** An environment whose node has these as well. */
  readonly wrap: Wrap = (environment) => {
    const { transport } = environment;
    const getIdentityUpdates: typeof transport.getIdentityUpdates = async (requests, signal) => {
      this.asked.push(requests.length);
      const unknown = requests.filter(({ inboxId }) => !this.#logs.has(inboxId));
      const answer = await transport.getIdentityUpdates(unknown, signal);
      const answers = answer.values();
      const logs = requests.map(({ inboxId, afterSequenceId }) => {
        const made = this.#logs.get(inboxId);
        if (made === undefined) return answers.next().value ?? [];
        return made.filter(({ sequenceId }) => sequenceId > afterSequenceId);
      });
      return Object.assign(logs, { asOfNs: answer.asOfNs });
    };
    const fetchKeyPackages: typeof transport.fetchKeyPackages = async (ids, signal) => {
      const served = await transport.fetchKeyPackages(ids, signal);
      return ids.map((id, index) => this.#keyPackages.get(toHex(id)) ?? served[index]);
    };
    return { ...environment, transport: { ...transport, getIdentityUpdates, fetchKeyPackages } };
  };
}

/** One update that adds many installations: a signature of each, and of the wallet for each. */
export async function manyInstallations(
  wallet: WalletSigner,
  inboxId: string,
  installations: readonly InstallationKey[],
  timestampNs: bigint,
): Promise<IdentityUpdate> {
  const plain = installations.map(({ publicKey }) => {
    const newMemberIdentifier = memberIdentifierInit(installationIdentifier(publicKey));
    return { newMemberIdentifier };
  });
  const header = { inboxId, clientTimestampNs: timestampNs };
  const actionsOf = (values: typeof plain) => values.map((value) => ({ kind: { case: "add" as const, value } }));
  const text = identityUpdateText(create(IdentityUpdateSchema, { ...header, actions: actionsOf(plain) }));
  const bytes = await wallet.signMessage(text);
  const existingMemberSignature = { signature: { case: "erc191" as const, value: { bytes } } };
  const signed = installations.map((installation, index) => {
    const value = { bytes: installation.sign(text), publicKey: installation.publicKey };
    const newMemberSignature = { signature: { case: "installationKey" as const, value } };
    return { ...plain[index], existingMemberSignature, newMemberSignature };
  });
  return create(IdentityUpdateSchema, {
    ...header,
    actions: signed.map((value) => ({ kind: { case: "add" as const, value } })),
  });
}
