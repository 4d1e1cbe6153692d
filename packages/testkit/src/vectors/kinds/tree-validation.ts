import { type CryptoProvider, fromHex, PROTOCOL_VERSION_MLS10 } from "@latchkey/mls";
import {
  checkTreeStructure,
  type NodeIndex,
  nodeWidth,
  type RatchetTree,
  receiveTree,
  verifyLeafSignatures,
} from "@latchkey/mls/internals";
import { expectBytes, expectSame, VectorMismatch } from "../expect.ts";
import { bytesField, listField, type Fields } from "../fields.ts";
import { suiteOf, type VectorKind } from "../kind.ts";

function verifyNodes(tree: RatchetTree, vector: Fields): void {
  const width = nodeWidth(tree.leafCount);
  const resolutions = listField(vector, "resolutions");
  const hashes = listField(vector, "tree_hashes");
  expectSame("the number of resolutions", resolutions.length, width);
  expectSame("the number of tree hashes", hashes.length, width);
  for (let at = 0; at < width; at++) {
    const node = at as NodeIndex;
    const [resolution, hash] = [resolutions[at], hashes[at]];
    if (!Array.isArray(resolution)) throw new VectorMismatch(`resolutions[${at}] is not a list`);
    if (typeof hash !== "string") throw new VectorMismatch(`tree_hashes[${at}] is not a string`);
    expectSame(`the resolution of node ${at}`, tree.resolution(node).join(" "), resolution.join(" "));
    expectBytes(`the tree hash of node ${at}`, tree.hash(node), fromHex(hash));
  }
}

async function verify(vector: Fields, crypto: CryptoProvider): Promise<void> {
  const suite = suiteOf(vector, crypto);
  const groupId = bytesField(vector, "group_id");
  const received = receiveTree(suite, bytesField(vector, "tree"), undefined);
  const { tree } = received;
  verifyNodes(tree, vector);
  // As when joining: parent hashes, unmerged leaves, unique keys and capabilities.
  checkTreeStructure(received, {
    version: PROTOCOL_VERSION_MLS10,
    cipherSuite: suite.id,
    groupId,
    epoch: 0n,
    treeHash: tree.treeHash(),
    confirmedTranscriptHash: new Uint8Array(0),
    extensions: [],
  });
  await verifyLeafSignatures(received, groupId);
}

/** "Tree Validation": resolutions, tree hashes, parent hashes and leaf signatures (RFC 9420 §7.8, §7.9). */
export const treeValidation: VectorKind = {
  files: ["tree-validation"],
  shape: ["tree", "resolutions", "tree_hashes"],
  verify,
};
