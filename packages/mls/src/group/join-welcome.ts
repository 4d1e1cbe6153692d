import { bytesKey, constantTimeEqual, equalBytes } from "../bytes.ts";
import { decodeExact } from "../codec/reader.ts";
import { encode } from "../codec/writer.ts";
import { decryptWithLabel } from "../crypto/labels.ts";
import type { CipherSuite } from "../crypto/provider.ts";
import { DecodeError, StateError, ValidationError } from "../errors.ts";
import { decodeGroupInfo } from "../messages/group-info.ts";
import { encodeLeafNode } from "../messages/leaf-node.ts";
import { decodeMlsMessage } from "../messages/mls-message.ts";
import { decodeGroupSecrets, type GroupSecrets, type Welcome } from "../messages/welcome.ts";
import { deriveEpochSecrets, deriveWelcomeKey, deriveWelcomeSecret } from "../schedule/key-schedule.ts";
import { computeConfirmationTag } from "../schedule/transcript.ts";
import { commonAncestor, isInSubtree, leafNodeIndex, type LeafIndex, type NodeIndex } from "../tree/math.ts";
import { encryptionKeyOf } from "../tree/node.ts";
import type { RatchetTree } from "../tree/ratchet-tree.ts";
import { derivePathSecrets } from "../tree/treekem.ts";
import type { GroupConfig } from "./config.ts";
import { addPathKeys } from "./epoch-change.ts";
import type { KeyPackageBundle } from "./key-packages.ts";
import { freshEpoch, epochStateOf } from "./next-epoch.ts";
import { isLineage, resolvePskSecret } from "./psks.ts";
import { freshState, type GroupState } from "./state.ts";
import { verifyGroupInfoContent, type VerifiedGroupInfo } from "./verify-group-info.ts";

/** A group as a Welcome opens it. */
export interface WelcomedState {
  readonly state: GroupState;
  /** The member that signed the GroupInfo in it: the one who added us. */
  readonly signer: LeafIndex;
  /** The key package that was used. */
  readonly bundle: KeyPackageBundle;
}

async function openGroupSecrets(
  suite: CipherSuite,
  welcome: Welcome,
  bundles: readonly KeyPackageBundle[],
): Promise<{ secrets: GroupSecrets; bundle: KeyPackageBundle }> {
  const byReference = new Map(bundles.map((bundle) => [bytesKey(bundle.reference), bundle]));
  for (const { newMember, encryptedGroupSecrets } of welcome.secrets) {
    const bundle = byReference.get(bytesKey(newMember));
    if (bundle === undefined) continue;
    const keyPair = { privateKey: bundle.initPrivateKey, publicKey: bundle.keyPackage.initKey };
    const context = welcome.encryptedGroupInfo;
    const plaintext = await decryptWithLabel(suite, keyPair, "Welcome", context, encryptedGroupSecrets);
    return { secrets: decodeGroupSecrets(plaintext), bundle };
  }
  // Its sender wrote for whom it is, so that this is no mistake of the caller.
  throw new StateError("the Welcome is for none of the given key packages", { scope: "message" });
}

/** The own leaf: the one that is exactly the leaf of the key package. */
function findOwnLeaf(tree: RatchetTree, bundle: KeyPackageBundle): LeafIndex {
  const { leafNode } = bundle.keyPackage;
  const leafIndex = tree.findBySignatureKey(leafNode.signatureKey);
  const node = leafIndex === undefined ? undefined : tree.node(leafNodeIndex(leafIndex));
  if (leafIndex === undefined || node === undefined || !equalBytes(node.bytes, encode(leafNode, encodeLeafNode))) {
    throw new ValidationError("welcome-leaf", "the tree of the Welcome does not hold the leaf of the key package");
  }
  return leafIndex;
}

/** The own private keys: of the leaf, and of the nodes above it that the path secret gives (RFC 9420 §12.4.3.1). */
async function ownPrivateKeys(
  { tree, signer }: VerifiedGroupInfo,
  own: LeafIndex,
  leafPrivateKey: Uint8Array,
  pathSecret: Uint8Array | undefined,
): Promise<Map<NodeIndex, Uint8Array>> {
  const keys = new Map([[leafNodeIndex(own), leafPrivateKey]]);
  if (pathSecret === undefined) return keys;
  const ancestor = commonAncestor(signer, own);
  const indices = tree
    .filteredDirectPath(signer)
    .map(({ node }) => node)
    .filter((node) => isInSubtree(ancestor, node));
  const secrets = await derivePathSecrets(tree.suite, pathSecret, indices);
  for (const { index, keyPair } of secrets.nodes) {
    const node = tree.node(index);
    if (node === undefined || !equalBytes(encryptionKeyOf(node), keyPair.publicKey)) {
      throw new ValidationError("path-keys", "the path secret of the Welcome does not fit the tree");
    }
  }
  addPathKeys(keys, secrets);
  return keys;
}

/**
 * Joins by a Welcome (RFC 9420 §12.4.3.1). Throws DecodeError, CryptoError, ValidationError, or StateError when the
 * Welcome is for none of the key packages.
 */
export async function joinByWelcome(
  config: GroupConfig,
  bytes: Uint8Array,
  bundles: readonly KeyPackageBundle[],
  ratchetTree?: Uint8Array,
): Promise<WelcomedState> {
  const decoded = decodeMlsMessage(bytes);
  if (decoded.wireFormat !== "welcome") throw new DecodeError(`expected a Welcome, got a ${decoded.wireFormat}`);
  const welcome = decoded.message;
  const suite = config.crypto.suite(welcome.cipherSuite);
  const { secrets, bundle } = await openGroupSecrets(suite, welcome, bundles);
  if (bundle.keyPackage.cipherSuite !== suite.id) {
    throw new ValidationError("welcome-suite", "the Welcome is of another cipher suite than the key package");
  }
  const psk = resolvePskSecret({ suite, config, initial: true }, secrets.psks);
  const { key, nonce } = deriveWelcomeKey(suite, deriveWelcomeSecret(suite, secrets.joinerSecret, psk));
  const plaintext = suite.aeadOpen(key, nonce, new Uint8Array(0), welcome.encryptedGroupInfo);
  const groupInfo = decodeExact(plaintext, decodeGroupInfo);
  if (groupInfo.context.cipherSuite !== suite.id) {
    throw new ValidationError("welcome-suite", "the GroupInfo is of another cipher suite than its Welcome");
  }
  if (secrets.psks.some(isLineage) && groupInfo.context.epoch !== 1n) {
    throw new ValidationError("psk-usage", "a Welcome ties a group to its origin that is not at its first epoch");
  }
  const info = await verifyGroupInfoContent(config.crypto, groupInfo, config.verifiedTrees, ratchetTree);
  const own = findOwnLeaf(info.tree, bundle);
  const privateKeys = await ownPrivateKeys(info, own, bundle.encryptionPrivateKey, secrets.pathSecret);
  const { context, contextBytes } = info;
  const tree = info.tree.clone();
  const epochSecrets = deriveEpochSecrets(suite, secrets.joinerSecret, psk, contextBytes);
  const confirmationTag = computeConfirmationTag(suite, epochSecrets.confirmation, context.confirmedTranscriptHash);
  if (!constantTimeEqual(confirmationTag, groupInfo.confirmationTag)) {
    throw new ValidationError("confirmation-tag", "the confirmation tag of the Welcome's GroupInfo is wrong");
  }
  const head = epochStateOf(
    suite,
    { context, contextBytes, confirmationTag, secrets: epochSecrets },
    own,
    tree.leafCount,
  );
  const state = freshState({ config, suite, tree, head, privateKeys }, freshEpoch(suite, head));
  return { state, signer: info.signer, bundle };
}
