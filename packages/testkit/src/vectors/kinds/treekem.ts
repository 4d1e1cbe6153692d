import {
  asLeafIndex,
  type CipherSuite,
  type CryptoProvider,
  decodeExact,
  encode,
  fromHex,
  generateHpkeKeyPair,
  groupContextBytes,
  type LeafIndex,
  PROTOCOL_VERSION_MLS10,
  type UpdatePath,
} from "@latchkey/mls";
import {
  applyPathKeys,
  checkPathCiphertexts,
  decodeRatchetTree,
  decodeUpdatePath,
  decryptPathSecrets,
  derivePathSecrets,
  encodeLeafNode,
  encryptionKeyOf,
  encryptPathSecrets,
  leafNodeCheck,
  leafNodeIndex,
  type NodeIndex,
  parentHashViolations,
  type PathSecrets,
  type PrivateKeys,
  RatchetTree,
  signLeafNode,
  TreeDraft,
} from "@latchkey/mls/internals";
import { expectBytes, expectSame, expectSignature, expectTrue, VectorMismatch } from "../expect.ts";
import { bytesField, fieldsListField, listField, numberField, type Fields } from "../fields.ts";
import { suiteOf, type VectorKind } from "../kind.ts";

/** What one member knows: the private keys of its leaf and of nodes above, and its signature key. */
interface Member {
  readonly leafIndex: LeafIndex;
  readonly privateKeys: PrivateKeys;
  readonly signaturePrivateKey: Uint8Array;
}

interface Scenario {
  readonly suite: CipherSuite;
  readonly vector: Fields;
  readonly groupId: Uint8Array;
  readonly tree: RatchetTree;
  readonly members: ReadonlyMap<LeafIndex, Member>;
}

/** A path already put into the tree. */
interface AppliedPath {
  readonly draft: TreeDraft;
  readonly path: UpdatePath;
  readonly contextBytes: Uint8Array;
}

const NOBODY: ReadonlySet<LeafIndex> = new Set();

/** The GroupContext with the tree hash of the draft: what path secrets are encrypted with. */
function contextBytesOf({ suite, vector, groupId }: Scenario, draft: TreeDraft): Uint8Array {
  return groupContextBytes({
    version: PROTOCOL_VERSION_MLS10,
    cipherSuite: suite.id,
    groupId,
    epoch: BigInt(numberField(vector, "epoch")),
    treeHash: draft.treeHash(),
    confirmedTranscriptHash: bytesField(vector, "confirmed_transcript_hash"),
    extensions: [],
  });
}

async function readMember(suite: CipherSuite, tree: RatchetTree, stated: Fields): Promise<Member> {
  const leafIndex = asLeafIndex(numberField(stated, "index"));
  const leaf = tree.leaf(leafIndex);
  if (leaf === undefined) throw new VectorMismatch(`leaf ${leafIndex} with private keys is blank`);
  const signaturePrivateKey = bytesField(stated, "signature_priv");
  const signatureKey = await suite.signaturePublicKey(signaturePrivateKey);
  expectBytes(`the signature key of leaf ${leafIndex}`, signatureKey, leaf.signatureKey);
  const privateKeys = new Map<NodeIndex, Uint8Array>([
    [leafNodeIndex(leafIndex), bytesField(stated, "encryption_priv")],
  ]);
  for (const item of fieldsListField(stated, "path_secrets")) {
    const index = numberField(item, "node") as NodeIndex;
    const { nodes } = await derivePathSecrets(suite, bytesField(item, "path_secret"), [index]);
    for (const { keyPair } of nodes) privateKeys.set(index, keyPair.privateKey);
  }
  for (const [index, privateKey] of privateKeys) {
    const node = tree.node(index);
    if (node === undefined) throw new VectorMismatch(`node ${index} with a private key is blank`);
    const publicKey = await suite.dhPublicKey(privateKey);
    expectBytes(`the public key of node ${index}`, publicKey, encryptionKeyOf(node));
  }
  return { leafIndex, privateKeys, signaturePrivateKey };
}

/** Puts a received path into the tree, checking all that is checked before it is opened (RFC 9420 §12.4.2). */
async function applyReceivedPath(scenario: Scenario, sender: LeafIndex, path: UpdatePath): Promise<AppliedPath> {
  const { suite, groupId, tree } = scenario;
  const draft = new TreeDraft(tree);
  const keys = path.nodes.map(({ encryptionKey }) => encryptionKey);
  const parentHash = applyPathKeys(draft, sender, keys);
  const { leafNode } = path;
  if (leafNode.source.kind !== "commit") throw new VectorMismatch("the leaf of the path is not of the source commit");
  expectBytes("the parent hash of the path's leaf", parentHash, leafNode.source.parentHash);
  const check = leafNodeCheck(leafNode, encode(leafNode, encodeLeafNode), { groupId, leafIndex: sender });
  await expectSignature("the path's leaf", suite, check);
  draft.setLeaf(sender, leafNode);
  const parents = Array.from({ length: draft.leafCount - 1 }, (_, at) => (2 * at + 1) as NodeIndex);
  expectSame("the number of wrong parent hashes", parentHashViolations(draft, parents).length, 0);
  checkPathCiphertexts(draft, sender, path.nodes, NOBODY);
  return { draft, path, contextBytes: contextBytesOf(scenario, draft) };
}

async function open(member: Member, sender: LeafIndex, applied: AppliedPath): Promise<PathSecrets> {
  const { draft, path, contextBytes } = applied;
  const { leafIndex, privateKeys } = member;
  return decryptPathSecrets(draft, sender, leafIndex, privateKeys, path.nodes, contextBytes, NOBODY);
}

async function verifyStatedPath(scenario: Scenario, sender: LeafIndex, stated: Fields): Promise<void> {
  const path = decodeExact(bytesField(stated, "update_path"), decodeUpdatePath);
  const applied = await applyReceivedPath(scenario, sender, path);
  expectBytes("the tree hash after", applied.draft.treeHash(), bytesField(stated, "tree_hash_after"));
  const pathSecrets = listField(stated, "path_secrets");
  for (const [at, pathSecret] of pathSecrets.entries()) {
    const leafIndex = asLeafIndex(at);
    const member = scenario.members.get(leafIndex);
    if (leafIndex === sender || member === undefined) {
      expectTrue(`no path secret is stated for leaf ${at}`, pathSecret === null);
      continue;
    }
    if (typeof pathSecret !== "string") throw new VectorMismatch(`no path secret is stated for leaf ${at}`);
    const secrets = await open(member, sender, applied);
    expectBytes(`the path secret of leaf ${at}`, secrets.nodes[0]?.pathSecret, fromHex(pathSecret));
    expectBytes(`the commit secret at leaf ${at}`, secrets.commitSecret, bytesField(stated, "commit_secret"));
  }
}

/** Makes a path from the sender's leaf and lets everybody open it. */
async function verifyOwnPath(scenario: Scenario, sender: LeafIndex): Promise<void> {
  const { suite, groupId, tree, members } = scenario;
  const author = members.get(sender);
  const leaf = tree.leaf(sender);
  if (author === undefined || leaf === undefined) throw new VectorMismatch(`the sender ${sender} is not a member`);
  const indices = tree.filteredDirectPath(sender).map(({ node }) => node);
  const secrets = await derivePathSecrets(suite, suite.randomBytes(suite.hashLength), indices);
  const draft = new TreeDraft(tree);
  const keys = secrets.nodes.map(({ keyPair }) => keyPair.publicKey);
  const parentHash = applyPathKeys(draft, sender, keys);
  const { publicKey: encryptionKey } = await generateHpkeKeyPair(suite);
  const unsigned = { ...leaf, encryptionKey, source: { kind: "commit", parentHash } } as const;
  const leafNode = await signLeafNode(suite, author.signaturePrivateKey, unsigned, { groupId, leafIndex: sender });
  draft.setLeaf(sender, leafNode);
  const nodes = await encryptPathSecrets(draft, sender, secrets, contextBytesOf(scenario, draft), NOBODY);
  const applied = await applyReceivedPath(scenario, sender, { leafNode, nodes });
  for (const member of members.values()) {
    if (member.leafIndex === sender) continue;
    const opened = await open(member, sender, applied);
    expectBytes(`the own commit secret at leaf ${member.leafIndex}`, opened.commitSecret, secrets.commitSecret);
  }
}

async function verify(vector: Fields, crypto: CryptoProvider): Promise<void> {
  const suite = suiteOf(vector, crypto);
  const tree = new RatchetTree(suite, decodeRatchetTree(bytesField(vector, "ratchet_tree")));
  const members = new Map<LeafIndex, Member>();
  for (const stated of fieldsListField(vector, "leaves_private")) {
    const member = await readMember(suite, tree, stated);
    members.set(member.leafIndex, member);
  }
  expectSame("the number of members with private keys", members.size, tree.memberCount);
  const scenario: Scenario = { suite, vector, groupId: bytesField(vector, "group_id"), tree, members };
  const paths = fieldsListField(vector, "update_paths");
  expectTrue("there is an update path", paths.length > 0);
  for (const stated of paths) {
    const sender = asLeafIndex(numberField(stated, "sender"));
    expectTrue(`the sender ${sender} is a member`, members.has(sender));
    await verifyStatedPath(scenario, sender, stated);
    await verifyOwnPath(scenario, sender);
  }
}

/** "TreeKEM": update paths, opened by every member, and own ones made (RFC 9420 §7.4 to §7.6). */
export const treekem: VectorKind = {
  files: ["treekem"],
  shape: ["ratchet_tree", "leaves_private", "update_paths"],
  verify,
};
