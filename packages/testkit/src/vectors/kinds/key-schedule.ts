import { type CipherSuite, type CryptoProvider, groupContextBytes, PROTOCOL_VERSION_MLS10 } from "@latchkey/mls";
import {
  deriveEpochSecrets,
  deriveExternalKeyPair,
  deriveJoinerSecret,
  deriveWelcomeSecret,
  exportSecret,
} from "@latchkey/mls/internals";
import { expectBytes, expectTrue } from "../expect.ts";
import { bytesField, fieldsField, fieldsListField, numberField, textField, type Fields } from "../fields.ts";
import { suiteOf, type VectorKind } from "../kind.ts";

const SECRETS = [
  ["init", "init_secret"],
  ["senderData", "sender_data_secret"],
  ["encryption", "encryption_secret"],
  ["exporter", "exporter_secret"],
  ["authentication", "epoch_authenticator"],
  ["external", "external_secret"],
  ["confirmation", "confirmation_key"],
  ["membership", "membership_key"],
  ["resumption", "resumption_psk"],
] as const;

/** Checks one epoch and returns its init secret. */
async function verifyEpoch(
  suite: CipherSuite,
  groupId: Uint8Array,
  epoch: number,
  initSecret: Uint8Array,
  stated: Fields,
): Promise<Uint8Array> {
  const contextBytes = groupContextBytes({
    version: PROTOCOL_VERSION_MLS10,
    cipherSuite: suite.id,
    groupId,
    epoch: BigInt(epoch),
    treeHash: bytesField(stated, "tree_hash"),
    confirmedTranscriptHash: bytesField(stated, "confirmed_transcript_hash"),
    extensions: [],
  });
  const of = `of epoch ${epoch}`;
  expectBytes(`the GroupContext ${of}`, contextBytes, bytesField(stated, "group_context"));
  const joinerSecret = deriveJoinerSecret(suite, initSecret, bytesField(stated, "commit_secret"), contextBytes);
  expectBytes(`joiner_secret ${of}`, joinerSecret, bytesField(stated, "joiner_secret"));
  const pskSecret = bytesField(stated, "psk_secret");
  const welcomeSecret = deriveWelcomeSecret(suite, joinerSecret, pskSecret);
  expectBytes(`welcome_secret ${of}`, welcomeSecret, bytesField(stated, "welcome_secret"));
  const secrets = deriveEpochSecrets(suite, joinerSecret, pskSecret, contextBytes);
  for (const [name, field] of SECRETS) expectBytes(`${field} ${of}`, secrets[name], bytesField(stated, field));
  const external = await deriveExternalKeyPair(suite, secrets.external);
  expectBytes(`external_pub ${of}`, external.publicKey, bytesField(stated, "external_pub"));
  const exporter = fieldsField(stated, "exporter");
  const exported = exportSecret(
    suite,
    secrets.exporter,
    textField(exporter, "label"),
    bytesField(exporter, "context"),
    numberField(exporter, "length"),
  );
  expectBytes(`the exported secret ${of}`, exported, bytesField(exporter, "secret"));
  return secrets.init;
}

async function verify(vector: Fields, crypto: CryptoProvider): Promise<void> {
  const suite = suiteOf(vector, crypto);
  const groupId = bytesField(vector, "group_id");
  let initSecret = bytesField(vector, "initial_init_secret");
  const epochs = fieldsListField(vector, "epochs");
  expectTrue("there is an epoch", epochs.length > 0);
  for (const [epoch, stated] of epochs.entries()) {
    initSecret = await verifyEpoch(suite, groupId, epoch, initSecret, stated);
  }
}

/** "Key Schedule": GroupContext, all secrets of several epochs, external_pub and exporter (RFC 9420 §8). */
export const keySchedule: VectorKind = {
  files: ["key-schedule"],
  shape: ["initial_init_secret", "epochs"],
  verify,
};
