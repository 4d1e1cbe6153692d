import {
  type CipherSuite,
  type CryptoProvider,
  decodeExact,
  decodeMlsMessage,
  encode,
  encodeKeyPackage,
  equalBytes,
  groupContextBytes,
  keyPackageRef,
} from "@latchkey/mls";
import {
  computeConfirmationTag,
  decodeGroupInfo,
  decodeGroupSecrets,
  decryptWithLabel,
  deriveEpochSecrets,
  deriveWelcomeKey,
  deriveWelcomeSecret,
  groupInfoCheck,
  zeroSecret,
} from "@latchkey/mls/internals";
import { expectBytes, expectSame, expectSignature, expectTrue, VectorMismatch } from "../expect.ts";
import { bytesField, type Fields } from "../fields.ts";
import { suiteOf, type VectorKind } from "../kind.ts";

async function openGroupSecrets(suite: CipherSuite, vector: Fields) {
  const packageMessage = decodeMlsMessage(bytesField(vector, "key_package"));
  const welcomeMessage = decodeMlsMessage(bytesField(vector, "welcome"));
  if (packageMessage.wireFormat !== "key_package") throw new VectorMismatch("key_package is of another wire format");
  if (welcomeMessage.wireFormat !== "welcome") throw new VectorMismatch("welcome is of another wire format");
  const [keyPackage, welcome] = [packageMessage.message, welcomeMessage.message];
  expectSame("the cipher suite of the key package", keyPackage.cipherSuite, suite.id);
  expectSame("the cipher suite of the Welcome", welcome.cipherSuite, suite.id);
  const reference = keyPackageRef(suite, encode(keyPackage, encodeKeyPackage));
  const entry = welcome.secrets.find(({ newMember }) => equalBytes(newMember, reference));
  if (entry === undefined) throw new VectorMismatch("the Welcome holds no secrets for the key package");
  const keyPair = { privateKey: bytesField(vector, "init_priv"), publicKey: keyPackage.initKey };
  const { encryptedGroupInfo } = welcome;
  const opened = await decryptWithLabel(suite, keyPair, "Welcome", encryptedGroupInfo, entry.encryptedGroupSecrets);
  return { secrets: decodeGroupSecrets(opened), encryptedGroupInfo };
}

async function verify(vector: Fields, crypto: CryptoProvider): Promise<void> {
  const suite = suiteOf(vector, crypto);
  const { secrets, encryptedGroupInfo } = await openGroupSecrets(suite, vector);
  const pskSecret = zeroSecret(suite);
  const { key, nonce } = deriveWelcomeKey(suite, deriveWelcomeSecret(suite, secrets.joinerSecret, pskSecret));
  const groupInfo = decodeExact(suite.aeadOpen(key, nonce, new Uint8Array(0), encryptedGroupInfo), decodeGroupInfo);
  await expectSignature("the GroupInfo", suite, groupInfoCheck(groupInfo, bytesField(vector, "signer_pub")));

  const { context, confirmationTag } = groupInfo;
  expectTrue("the GroupInfo is of the cipher suite of the case", context.cipherSuite === suite.id);
  const epoch = deriveEpochSecrets(suite, secrets.joinerSecret, pskSecret, groupContextBytes(context));
  const computed = computeConfirmationTag(suite, epoch.confirmation, context.confirmedTranscriptHash);
  expectBytes("the confirmation tag", computed, confirmationTag);
}

/** "Welcome": decryption, signature and confirmation tag of a Welcome's GroupInfo (RFC 9420 §12.4.3.1). */
export const welcome: VectorKind = { files: ["welcome"], shape: ["init_priv", "signer_pub", "welcome"], verify };
