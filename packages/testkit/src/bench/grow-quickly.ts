import {
  asLeafIndex,
  createKeyPackage,
  encodeMlsMessage,
  groupContextBytes,
  MlsGroup,
  utf8,
  type CipherSuite,
  type GroupConfig,
  type KeyPackageBundle,
  type LeafIndex,
  type LeafNode,
} from "@latchkey/mls";
import {
  applyPathKeys,
  computeConfirmationTag,
  deriveEpochSecrets,
  deriveWelcomeKey,
  deriveWelcomeSecret,
  encodeGroupSecrets,
  encodeRatchetTree,
  encryptWithLabel,
  leafTreeNode,
  RatchetTree,
  signGroupInfo,
  signLeafNode,
  TreeDraft,
  zeroSecret,
} from "@latchkey/mls/internals";
import { BENCH_SUITE, freshMember, LEAF, LIFETIME, type GrownGroup } from "./latchkey-side.ts";

const EMPTY = new Uint8Array(0);
/** Paths between two merges: a draft stays small, and a merge costs what the draft touched. */
const PATHS_PER_DRAFT = 256;

/** A leaf of somebody who is never heard of again: a real signature key, an encryption key nobody has the other half of. */
async function strangersLeaf(suite: CipherSuite, groupId: Uint8Array, leafIndex: LeafIndex) {
  const { privateKey, publicKey } = await suite.generateSignatureKeyPair();
  const unsigned: Omit<LeafNode, "signature" | "source"> = {
    encryptionKey: suite.randomBytes(suite.hpkePublicKeyLength),
    signatureKey: publicKey,
    credential: { kind: "basic", identity: utf8(`member ${leafIndex}`) },
    ...LEAF,
  };
  const sign = (source: LeafNode["source"]) =>
    signLeafNode(suite, privateKey, { ...unsigned, source }, { groupId, leafIndex });
  return { privateKey, sign };
}

/** The leaf whose key signs the GroupInfo; leaf 0 is left to the one member with a state. */
const SIGNER = asLeafIndex(1);

/**
 * The tree of a group whose first leaf is blank and of whose other members every second one has committed, so that no
 * parent is blank but the lowest above that leaf, and all parent hashes and leaf signatures are right.
 */
async function fullTree(suite: CipherSuite, groupId: Uint8Array, members: number) {
  const strangers = await Promise.all(
    Array.from({ length: members }, (_, index) => strangersLeaf(suite, groupId, asLeafIndex(index + 1))),
  );
  const nodes = await Promise.all(
    strangers.map(async ({ sign }) => leafTreeNode(await sign({ kind: "key_package", lifetime: LIFETIME }))),
  );
  const tree = new RatchetTree(suite, [undefined, ...nodes.flatMap((node) => [undefined, node])]);
  let draft = new TreeDraft(tree);
  for (const [index, { sign }] of strangers.entries()) {
    if (index % 2 === 1) continue;
    const leaf = asLeafIndex(index + 1);
    const keys = draft.filteredDirectPath(leaf).map(() => suite.randomBytes(suite.hpkePublicKeyLength));
    draft.setLeaf(leaf, await sign({ kind: "commit", parentHash: applyPathKeys(draft, leaf, keys) }));
    if (index % PATHS_PER_DRAFT !== 0) continue;
    tree.merge(draft);
    draft = new TreeDraft(tree);
  }
  tree.merge(draft);
  const signer = strangers[0];
  if (signer === undefined) throw new RangeError("a group has at least one member");
  return { tree, signerKey: signer.privateKey };
}

/** The Welcome into the epoch of a tree, for the owner of one key package, as whoever made that epoch would send it. */
async function welcomeInto(
  suite: CipherSuite,
  tree: RatchetTree,
  groupId: Uint8Array,
  signerKey: Uint8Array,
  bundle: KeyPackageBundle,
): Promise<Uint8Array> {
  const context = {
    version: 1,
    cipherSuite: suite.id,
    groupId,
    epoch: 1n,
    treeHash: tree.treeHash(),
    confirmedTranscriptHash: suite.randomBytes(suite.hashLength),
    extensions: [],
  };
  const joinerSecret = suite.randomBytes(suite.hashLength);
  const secrets = deriveEpochSecrets(suite, joinerSecret, zeroSecret(suite), groupContextBytes(context));
  const message = await signGroupInfo(suite, signerKey, {
    context,
    extensions: [{ type: 2, data: encodeRatchetTree(tree.nodes()) }],
    confirmationTag: computeConfirmationTag(suite, secrets.confirmation, context.confirmedTranscriptHash),
    signer: SIGNER,
  });
  const { key, nonce } = deriveWelcomeKey(suite, deriveWelcomeSecret(suite, joinerSecret, zeroSecret(suite)));
  // An MLSMessage is the GroupInfo behind a version and a wire format of two bytes each.
  const groupInfo = encodeMlsMessage({ wireFormat: "group_info", message }).subarray(4);
  const encryptedGroupInfo = suite.aeadSeal(key, nonce, EMPTY, groupInfo);
  const plaintext = encodeGroupSecrets({ joinerSecret, pathSecret: undefined, psks: [] });
  const { initKey } = bundle.keyPackage;
  const encryptedGroupSecrets = await encryptWithLabel(suite, initKey, "Welcome", encryptedGroupInfo, plaintext);
  const secretsFor = [{ newMember: bundle.reference, encryptedGroupSecrets }];
  const welcome = { cipherSuite: suite.id, secrets: secretsFor, encryptedGroupInfo };
  return encodeMlsMessage({ wireFormat: "welcome", message: welcome });
}

/**
 * A group of that many members, no parent of it blank, in O(members): the tree is made as if every second member had
 * committed, and the one member with a state comes in by a Welcome, at the first leaf, and commits.
 */
export async function growQuickly(members: number): Promise<GrownGroup> {
  const config: GroupConfig = await freshMember("observer");
  const suite = config.crypto.suite(BENCH_SUITE);
  const groupId = utf8(`bench-${members}`);
  const { tree, signerKey } = await fullTree(suite, groupId, members - 1);
  const bundle = await createKeyPackage(config, { cipherSuite: BENCH_SUITE, leaf: LEAF, lifetime: LIFETIME });
  const draft = new TreeDraft(tree);
  draft.addLeaf(bundle.keyPackage.leafNode);
  tree.merge(draft);
  const welcome = await welcomeInto(suite, tree, groupId, signerKey, bundle);
  const { group } = await MlsGroup.fromWelcome(config, welcome, [bundle]);
  group.merge(await group.createCommit());
  return { config, group };
}
