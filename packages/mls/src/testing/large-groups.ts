import { utf8 } from "../bytes.ts";
import { generateHpkeKeyPair } from "../crypto/hpke.ts";
import { encodeExternalPub, EXTENSION_TYPE } from "../messages/extension.ts";
import { groupContextBytes } from "../messages/group-context.ts";
import type { LeafNode, LeafNodeSource } from "../messages/leaf-node.ts";
import { nodeCrypto } from "../node/index.ts";
import { deriveExternalKeyPair, splitEpochSecret } from "../schedule/key-schedule.ts";
import { computeConfirmationTag } from "../schedule/transcript.ts";
import { asLeafIndex, leafNodeIndex, type LeafIndex } from "../tree/math.ts";
import { leafTreeNode } from "../tree/node.ts";
import { RatchetTree } from "../tree/ratchet-tree.ts";
import { signerLeafAt } from "../tree/tree-validation.ts";
import { TreeDraft } from "../tree/tree-draft.ts";
import { applyPathKeys } from "../tree/treekem.ts";
import type { GroupConfig } from "../group/config.ts";
import { MlsGroup } from "../group/mls-group.ts";
import { freshEpoch, epochStateOf } from "../group/next-epoch.ts";
import { freshState, snapshotRows } from "../group/state.ts";
import { GROUP_ID, LEAF, LIFETIME, newConfig, SUITE, type TestMember } from "./groups.ts";
import type { VerifiedGroupInfo } from "../group/verify-group-info.ts";

const suite = nodeCrypto.suite(SUITE);
const EMPTY = new Uint8Array(0);
/** Paths between two merges: a draft stays small, and a merge costs as much as the draft touched. */
const PATHS_PER_DRAFT = 64;

const freshKey = (): Uint8Array => suite.randomBytes(suite.hpkePublicKeyLength);

function unsignedLeaf(encryptionKey: Uint8Array, signatureKey: Uint8Array, source: LeafNodeSource): LeafNode {
  const credential = { kind: "basic", identity: utf8("somebody") } as const;
  return { encryptionKey, signatureKey, credential, ...LEAF, source, signature: new Uint8Array(64) };
}

/** Two members of a large group, and the knowledge of a joiner. */
export interface LargeGroup {
  readonly ann: TestMember;
  readonly bob: TestMember;
  readonly info: VerifiedGroupInfo;
}

/** A tree of strangers of whom every second one has committed, so that no parent is blank; nobody signed the leaves. */
function treeOfStrangers(members: number): RatchetTree {
  const leaves = Array.from({ length: members }, () =>
    unsignedLeaf(freshKey(), freshKey(), { kind: "key_package", lifetime: LIFETIME }),
  );
  const tree = new RatchetTree(
    suite,
    leaves.flatMap((leaf, index) => [...(index === 0 ? [] : [undefined]), leafTreeNode(leaf)]),
  );
  let draft = new TreeDraft(tree);
  for (const [index, leaf] of leaves.entries()) {
    if (index % 2 === 1) continue;
    const committer = asLeafIndex(index);
    const parentHash = applyPathKeys(draft, committer, draft.filteredDirectPath(committer).map(freshKey));
    draft.setLeaf(committer, { ...leaf, source: { kind: "commit", parentHash } });
    if (index % PATHS_PER_DRAFT !== 0) continue;
    tree.merge(draft);
    draft = new TreeDraft(tree);
  }
  tree.merge(draft);
  return tree;
}

/**
 * A group of that many members, two of them with a state. All others are random keys whose leaves nobody signed, which
 * only a joiner would notice, so that a large group costs a test little. O(members · log members).
 */
export async function largeGroup(members: number): Promise<LargeGroup> {
  const tree = treeOfStrangers(members - 2);
  const draft = new TreeDraft(tree);
  const join = async (name: string): Promise<Joined> => {
    const config = await newConfig(name);
    const { publicKey, privateKey } = await generateHpkeKeyPair(suite);
    const source = { kind: "key_package", lifetime: LIFETIME } as const;
    const place = draft.addLeaf(unsignedLeaf(publicKey, config.identity.signatureKeyPair.publicKey, source));
    return { config, place, privateKey };
  };
  const joined = [await join("ann"), await join("bob")] as const;
  tree.merge(draft);
  return membersOf(tree, joined);
}

interface Joined {
  readonly config: GroupConfig;
  readonly place: LeafIndex;
  readonly privateKey: Uint8Array;
}

/** States of two leaves in an epoch with that tree. */
async function membersOf(tree: RatchetTree, joined: readonly [Joined, Joined]): Promise<LargeGroup> {
  const confirmedTranscriptHash = suite.randomBytes(suite.hashLength);
  const context = {
    version: 1,
    cipherSuite: SUITE,
    groupId: GROUP_ID,
    epoch: 1n,
    treeHash: tree.treeHash(),
    confirmedTranscriptHash,
    extensions: [],
  };
  const contextBytes = groupContextBytes(context);
  const secrets = splitEpochSecret(suite, suite.randomBytes(suite.hashLength));
  const confirmationTag = computeConfirmationTag(suite, secrets.confirmation, confirmedTranscriptHash);
  const member = ({ config, place, privateKey }: Joined): TestMember => {
    const head = epochStateOf(suite, { context, contextBytes, secrets, confirmationTag }, place, tree.leafCount);
    const privateKeys = new Map([[leafNodeIndex(place), privateKey]]);
    const rows = snapshotRows(freshState({ config, suite, tree, head, privateKeys }, freshEpoch(suite, head)));
    return { config, rows, group: MlsGroup.load(config, rows) };
  };
  const [ann, bob] = joined;
  const externalPub = (await deriveExternalKeyPair(suite, secrets.external)).publicKey;
  const signer = ann.place;
  const info: VerifiedGroupInfo = {
    groupInfo: {
      context,
      extensions: [{ type: EXTENSION_TYPE.externalPub, data: encodeExternalPub(externalPub) }],
      confirmationTag,
      signer,
      signature: EMPTY,
    },
    context,
    contextBytes,
    appData: new Map(),
    signer,
    signerLeaf: signerLeafAt(tree, signer),
    externalPub,
    tree,
    memberCount: tree.memberCount,
    members: () => tree.members(),
    findBySignatureKey: (signatureKey) => tree.findBySignatureKey(signatureKey),
  };
  return { ann: member(ann), bob: member(bob), info };
}
