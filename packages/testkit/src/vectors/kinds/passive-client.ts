import {
  type CryptoProvider,
  decodeMlsMessage,
  fromHex,
  type GroupConfig,
  type KeyPackageBundle,
  keyPackageBundle,
  MlsGroup,
  toHex,
  UnsupportedError,
} from "@latchkey/mls";
import { expectBytes, expectSame, VectorMismatch } from "../expect.ts";
import { bytesField, fieldsListField, listField, optionalBytesField, type Fields } from "../fields.ts";
import { suiteOf, type VectorKind } from "../kind.ts";

/** The key package of the case, once its three private keys were found to belong to it. */
async function readBundle(crypto: CryptoProvider, vector: Fields): Promise<KeyPackageBundle> {
  const suite = suiteOf(vector, crypto);
  const decoded = decodeMlsMessage(bytesField(vector, "key_package"));
  if (decoded.wireFormat !== "key_package") throw new VectorMismatch("key_package is of another wire format");
  const keyPackage = decoded.message;
  expectSame("the cipher suite of the key package", keyPackage.cipherSuite, suite.id);
  const [initKey, encryptionKey] = [bytesField(vector, "init_priv"), bytesField(vector, "encryption_priv")];
  const signatureKey = await suite.signaturePublicKey(bytesField(vector, "signature_priv"));
  expectBytes("the signature key", signatureKey, keyPackage.leafNode.signatureKey);
  expectBytes("the init key", await suite.dhPublicKey(initKey), keyPackage.initKey);
  expectBytes("the encryption key", await suite.dhPublicKey(encryptionKey), keyPackage.leafNode.encryptionKey);
  return keyPackageBundle(crypto, keyPackage, initKey, encryptionKey);
}

/** Every resumption PSK that the client came by: how many epochs back a history reaches is up to who recorded it. */
type Resumption = Map<string, Uint8Array>;

const resumptionKey = (groupId: Uint8Array, epoch: bigint): string => `${toHex(groupId)}/${epoch}`;

function remember(known: Resumption, group: MlsGroup): void {
  known.set(resumptionKey(group.groupId, group.epoch), group.resumptionPsk("branch").secret);
}

async function join(
  crypto: CryptoProvider,
  vector: Fields,
  bundle: KeyPackageBundle,
  known: Resumption,
): Promise<MlsGroup> {
  const { credential, signatureKey } = bundle.keyPackage.leafNode;
  const signatureKeyPair = { privateKey: bytesField(vector, "signature_priv"), publicKey: signatureKey };
  const psks = new Map(
    fieldsListField(vector, "external_psks").map((psk) => [toHex(bytesField(psk, "psk_id")), bytesField(psk, "psk")]),
  );
  const config: GroupConfig = {
    crypto,
    identity: { credential, signatureKeyPair },
    externalPsk: (id) => psks.get(toHex(id)),
    resumptionPsk: (groupId, epoch) => known.get(resumptionKey(groupId, epoch)),
  };
  const ratchetTree = optionalBytesField(vector, "ratchet_tree");
  const options = ratchetTree === undefined ? {} : { ratchetTree };
  const { group } = await MlsGroup.fromWelcome(config, bytesField(vector, "welcome"), [bundle], options);
  return group;
}

async function followEpoch(group: MlsGroup, stated: Fields, known: Resumption): Promise<void> {
  for (const proposal of listField(stated, "proposals")) {
    if (typeof proposal !== "string") throw new VectorMismatch("a proposal is not a string");
    const received = await group.verify(fromHex(proposal));
    if (received.kind !== "proposal") throw new VectorMismatch(`a proposal was received as ${received.kind}`);
    group.merge(received.change);
  }
  const received = await group.verify(bytesField(stated, "commit"));
  if (received.kind !== "commit") throw new VectorMismatch(`a commit was received as ${received.kind}`);
  if (received.commit.proposals.some(({ proposal }) => proposal.kind === "app_data_update")) {
    throw new UnsupportedError("a commit changes app data, whose new value only an application could tell");
  }
  const staged = await group.stage(received.commit);
  if (staged.selfRemoved) throw new VectorMismatch("a commit removes the client that is to follow it");
  group.merge(staged);
  remember(known, group);
  const name = `the epoch authenticator of epoch ${group.epoch.toString()}`;
  expectBytes(name, group.epochAuthenticator, bytesField(stated, "epoch_authenticator"));
}

async function verify(vector: Fields, crypto: CryptoProvider): Promise<void> {
  const bundle = await readBundle(crypto, vector);
  const known: Resumption = new Map();
  const group = await join(crypto, vector, bundle, known);
  remember(known, group);
  const initial = bytesField(vector, "initial_epoch_authenticator");
  expectBytes("the initial epoch authenticator", group.epochAuthenticator, initial);
  for (const stated of fieldsListField(vector, "epochs")) await followEpoch(group, stated, known);
}

/** "Passive Client Scenarios": joining by Welcome and following the group's commits (RFC 9420 §12.4). */
export const passiveClient: VectorKind = {
  files: ["passive-client-handling-commit", "passive-client-random", "passive-client-welcome"],
  shape: ["initial_epoch_authenticator", "welcome", "epochs"],
  verify,
};
