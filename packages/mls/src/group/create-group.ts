import { generateHpkeKeyPair } from "../crypto/hpke.ts";
import type { Extension } from "../messages/extension.ts";
import { groupContextBytes, type GroupContext } from "../messages/group-context.ts";
import { PROTOCOL_VERSION_MLS10 } from "../messages/key-package.ts";
import { signLeafNode, type Lifetime } from "../messages/leaf-node.ts";
import { splitEpochSecret } from "../schedule/key-schedule.ts";
import { computeConfirmationTag } from "../schedule/transcript.ts";
import { checkLeafCapabilities, groupRequirements } from "../tree/leaf-rules.ts";
import { asLeafIndex, leafNodeIndex } from "../tree/math.ts";
import { leafTreeNode } from "../tree/node.ts";
import { RatchetTree } from "../tree/ratchet-tree.ts";
import type { LeafParameters } from "./build-commit.ts";
import type { GroupConfig } from "./config.ts";
import { freshEpoch, epochStateOf } from "./next-epoch.ts";
import { freshState, type GroupState } from "./state.ts";

/** Options of a new group. */
export interface GroupOptions {
  readonly cipherSuite: number;
  readonly groupId: Uint8Array;
  /** Extensions of the GroupContext. */
  readonly extensions: readonly Extension[];
  /** The creator's leaf. */
  readonly leaf: LeafParameters;
  readonly lifetime: Lifetime;
}

/** A group of one member at epoch 0 (RFC 9420 §11). */
export async function createGroup(config: GroupConfig, options: GroupOptions): Promise<GroupState> {
  const suite = config.crypto.suite(options.cipherSuite);
  const { credential, signatureKeyPair } = config.identity;
  const encryption = await generateHpkeKeyPair(suite);
  const leaf = await signLeafNode(suite, signatureKeyPair.privateKey, {
    encryptionKey: encryption.publicKey,
    signatureKey: signatureKeyPair.publicKey,
    credential,
    capabilities: options.leaf.capabilities,
    source: { kind: "key_package", lifetime: options.lifetime },
    extensions: options.leaf.extensions,
  });
  checkLeafCapabilities(leaf, groupRequirements(options.extensions));
  const tree = new RatchetTree(suite, [leafTreeNode(leaf)]);
  const empty = new Uint8Array(0);
  const context: GroupContext = {
    version: PROTOCOL_VERSION_MLS10,
    cipherSuite: suite.id,
    groupId: options.groupId,
    epoch: 0n,
    treeHash: tree.treeHash(),
    confirmedTranscriptHash: empty,
    extensions: options.extensions,
  };
  const secrets = splitEpochSecret(suite, suite.randomBytes(suite.hashLength));
  const confirmationTag = computeConfirmationTag(suite, secrets.confirmation, empty);
  const contextBytes = groupContextBytes(context);
  const own = asLeafIndex(0);
  const head = epochStateOf(suite, { context, contextBytes, secrets, confirmationTag }, own, tree.leafCount);
  const privateKeys = new Map([[leafNodeIndex(own), encryption.privateKey]]);
  return freshState({ config, suite, tree, head, privateKeys }, freshEpoch(suite, head));
}
