import type { CipherSuite, CryptoProvider } from "@latchkey/mls";
import {
  decryptWithLabel,
  deriveSecret,
  deriveTreeSecret,
  encryptWithLabel,
  expandWithLabel,
  labelledCheck,
  refHash,
  signWithLabel,
} from "@latchkey/mls/internals";
import { expectBytes, expectSignature } from "../expect.ts";
import { bytesField, fieldsField, numberField, textField, type Fields } from "../fields.ts";
import { suiteOf, type VectorKind } from "../kind.ts";

function verifyDerivations(suite: CipherSuite, vector: Fields): void {
  const ref = fieldsField(vector, "ref_hash");
  expectBytes("RefHash", refHash(suite, textField(ref, "label"), bytesField(ref, "value")), bytesField(ref, "out"));

  const expand = fieldsField(vector, "expand_with_label");
  const [label, context] = [textField(expand, "label"), bytesField(expand, "context")];
  const length = numberField(expand, "length");
  const expanded = expandWithLabel(suite, bytesField(expand, "secret"), label, context, length);
  expectBytes("ExpandWithLabel", expanded, bytesField(expand, "out"));

  const derive = fieldsField(vector, "derive_secret");
  const derived = deriveSecret(suite, bytesField(derive, "secret"), textField(derive, "label"));
  expectBytes("DeriveSecret", derived, bytesField(derive, "out"));

  const tree = fieldsField(vector, "derive_tree_secret");
  const treeSecret = deriveTreeSecret(
    suite,
    bytesField(tree, "secret"),
    textField(tree, "label"),
    numberField(tree, "generation"),
    numberField(tree, "length"),
  );
  expectBytes("DeriveTreeSecret", treeSecret, bytesField(tree, "out"));
}

async function verifySigning(suite: CipherSuite, vector: Fields): Promise<void> {
  const publicKey = bytesField(vector, "pub");
  const label = textField(vector, "label");
  const content = bytesField(vector, "content");
  const stated = bytesField(vector, "signature");
  await expectSignature("the vector", suite, labelledCheck(publicKey, label, content, stated));
  const own = await signWithLabel(suite, bytesField(vector, "priv"), label, content);
  await expectSignature("SignWithLabel", suite, labelledCheck(publicKey, label, content, own));
}

async function verifyEncryption(suite: CipherSuite, vector: Fields): Promise<void> {
  const keyPair = { privateKey: bytesField(vector, "priv"), publicKey: bytesField(vector, "pub") };
  const label = textField(vector, "label");
  const context = bytesField(vector, "context");
  const plaintext = bytesField(vector, "plaintext");
  const stated = { kemOutput: bytesField(vector, "kem_output"), ciphertext: bytesField(vector, "ciphertext") };
  const opened = await decryptWithLabel(suite, keyPair, label, context, stated);
  expectBytes("the decrypted vector", opened, plaintext);
  const sealed = await encryptWithLabel(suite, keyPair.publicKey, label, context, plaintext);
  const reopened = await decryptWithLabel(suite, keyPair, label, context, sealed);
  expectBytes("the decrypted own ciphertext", reopened, plaintext);
}

async function verify(vector: Fields, crypto: CryptoProvider): Promise<void> {
  const suite = suiteOf(vector, crypto);
  verifyDerivations(suite, vector);
  await verifySigning(suite, fieldsField(vector, "sign_with_label"));
  await verifyEncryption(suite, fieldsField(vector, "encrypt_with_label"));
}

/** "Crypto Basics": the labelled functions of RFC 9420 §5, §8 and §9, signing and encrypting in both directions. */
export const cryptoBasics: VectorKind = {
  files: ["crypto-basics"],
  shape: ["ref_hash", "expand_with_label", "sign_with_label"],
  verify,
};
