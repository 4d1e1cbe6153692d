import { asLeafIndex, type CryptoProvider } from "@latchkey/mls";
import { leafCountFor, nodeWidth, SecretTree, senderDataKey } from "@latchkey/mls/internals";
import { expectBytes, expectTrue, VectorMismatch } from "../expect.ts";
import { bytesField, fieldsField, isFields, listField, numberField, type Fields } from "../fields.ts";
import { suiteOf, type VectorKind } from "../kind.ts";

function verifyGeneration(tree: SecretTree, index: number, stated: Fields): void {
  const generation = numberField(stated, "generation");
  for (const [ratchet, kind] of [
    ["handshake", "commit"],
    ["application", "application"],
  ] as const) {
    const taken = tree.take(asLeafIndex(index), kind, generation);
    if (taken === undefined) throw new VectorMismatch(`generation ${generation} of leaf ${index} is stated twice`);
    const { key, change } = taken;
    tree.apply(change);
    const name = `of leaf ${index}, generation ${generation}`;
    expectBytes(`the ${ratchet} key ${name}`, key.key, bytesField(stated, `${ratchet}_key`));
    expectBytes(`the ${ratchet} nonce ${name}`, key.nonce, bytesField(stated, `${ratchet}_nonce`));
  }
}

function verify(vector: Fields, crypto: CryptoProvider): void {
  const suite = suiteOf(vector, crypto);
  const senderData = fieldsField(vector, "sender_data");
  const secret = bytesField(senderData, "sender_data_secret");
  const { key, nonce } = senderDataKey(suite, secret, bytesField(senderData, "ciphertext"));
  expectBytes("the sender data key", key, bytesField(senderData, "key"));
  expectBytes("the sender data nonce", nonce, bytesField(senderData, "nonce"));

  const leaves = listField(vector, "leaves");
  expectTrue("there is a leaf", leaves.length > 0);
  const leafCount = leafCountFor(nodeWidth(leaves.length));
  const tree = SecretTree.fromEncryptionSecret(suite, leafCount, bytesField(vector, "encryption_secret"));
  leaves.forEach((generations, index) => {
    if (!Array.isArray(generations)) throw new VectorMismatch(`leaves[${index}] is not a list`);
    expectTrue(`leaves[${index}] states a generation`, generations.length > 0);
    for (const stated of generations) {
      if (!isFields(stated)) throw new VectorMismatch(`leaves[${index}] holds something other than objects`);
      verifyGeneration(tree, index, stated);
    }
  });
}

/** "Secret Tree": sender data keys and both ratchets of every leaf (RFC 9420 §6.3.2, §9). */
export const secretTree: VectorKind = {
  files: ["secret-tree"],
  shape: ["sender_data", "encryption_secret", "leaves"],
  verify,
};
