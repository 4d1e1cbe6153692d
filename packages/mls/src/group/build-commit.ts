import { generateHpkeKeyPair } from "../crypto/hpke.ts";
import type { CipherSuite } from "../crypto/provider.ts";
import type { Commit, ProposalOrRef } from "../messages/commit.ts";
import type { Extension } from "../messages/extension.ts";
import {
  signFramedContent,
  type AuthenticatedContent,
  type FramedContent,
  type FramingWireFormat,
  type Sender,
} from "../messages/framing.ts";
import { groupContextBytes, type GroupContext } from "../messages/group-context.ts";
import { signLeafNode, type Capabilities, type LeafNode } from "../messages/leaf-node.ts";
import { zeroSecret } from "../schedule/key-schedule.ts";
import type { LeafIndex } from "../tree/math.ts";
import type { TreeDraft } from "../tree/tree-draft.ts";
import { applyPathKeys, derivePathSecrets, encryptPathSecrets, type PathSecrets } from "../tree/treekem.ts";
import type { SigningIdentity } from "./config.ts";
import { checkMemberSupport, type AppliedProposals } from "./apply-proposals.ts";
import { deriveNextEpoch, nextContext, type NextEpoch } from "./next-epoch.ts";
import { checkPathLeaf } from "./path-rules.ts";

/** The parts of a leaf that its owner chooses. */
export interface LeafParameters {
  readonly capabilities: Capabilities;
  readonly extensions: readonly Extension[];
}

/** Input of a commit, be it a member's or an external one. */
export interface CommitInput {
  readonly suite: CipherSuite;
  readonly identity: SigningIdentity;
  /** With the proposals applied; the path is put into it. */
  readonly draft: TreeDraft;
  readonly applied: AppliedProposals;
  /** Context of the epoch that the commit ends. */
  readonly context: GroupContext;
  readonly contextBytes: Uint8Array;
  readonly interimTranscriptHash: Uint8Array;
  /** Extensions of the next epoch's context. */
  readonly extensions: readonly Extension[];
  readonly sender: Sender;
  readonly committer: LeafIndex;
  readonly proposals: readonly ProposalOrRef[];
  /** The committer's new leaf; undefined for a commit without a path. */
  readonly leaf: LeafParameters | undefined;
  readonly initSecret: Uint8Array;
  readonly pskSecret: Uint8Array;
  readonly wireFormat: FramingWireFormat;
  readonly authenticatedData: Uint8Array;
}

/** A commit with the epoch it starts. */
export interface BuiltCommit {
  readonly message: AuthenticatedContent;
  readonly next: NextEpoch;
  readonly path: { readonly secrets: PathSecrets; readonly leafPrivateKey: Uint8Array } | undefined;
}

interface PlacedPath {
  readonly leafNode: LeafNode;
  readonly secrets: PathSecrets;
  readonly leafPrivateKey: Uint8Array;
}

/** Makes the committer's path: fresh leaf key, path secrets, parent hashes, signed leaf (RFC 9420 §7.5). */
async function placePath(input: CommitInput, leaf: LeafParameters): Promise<PlacedPath> {
  const { suite, draft, committer, identity } = input;
  const leafKeyPair = await generateHpkeKeyPair(suite);
  const indices = draft.filteredDirectPath(committer).map(({ node }) => node);
  const secrets = await derivePathSecrets(suite, suite.randomBytes(suite.hashLength), indices);
  const unsigned = {
    encryptionKey: leafKeyPair.publicKey,
    signatureKey: identity.signatureKeyPair.publicKey,
    credential: identity.credential,
    capabilities: leaf.capabilities,
    extensions: leaf.extensions,
  };
  const parentHash = applyPathKeys(
    draft,
    committer,
    secrets.nodes.map(({ keyPair }) => keyPair.publicKey),
  );
  const leafNode = await signLeafNode(
    suite,
    identity.signatureKeyPair.privateKey,
    { ...unsigned, source: { kind: "commit", parentHash } },
    { groupId: input.context.groupId, leafIndex: committer },
  );
  checkPathLeaf(draft, leafNode, committer, input.extensions);
  draft.setLeaf(committer, leafNode);
  return { leafNode, secrets, leafPrivateKey: leafKeyPair.privateKey };
}

/**
 * Builds a commit on its draft and derives the epoch it starts (RFC 9420 §12.4.1). Nothing outside of the draft changes.
 */
export async function buildCommit(input: CommitInput): Promise<BuiltCommit> {
  const { suite, draft, applied, context, identity } = input;
  const placed = input.leaf === undefined ? undefined : await placePath(input, input.leaf);
  checkMemberSupport(draft, applied);
  const provisional = nextContext(context, draft.treeHash(), input.extensions);
  let commit: Commit = { proposals: input.proposals, path: undefined };
  if (placed !== undefined) {
    const { secrets, leafNode } = placed;
    const excluded = new Set(applied.added.map(({ leafIndex }) => leafIndex));
    const nodes = await encryptPathSecrets(draft, input.committer, secrets, groupContextBytes(provisional), excluded);
    commit = { ...commit, path: { leafNode, nodes } };
  }
  const content: FramedContent = {
    groupId: context.groupId,
    epoch: context.epoch,
    sender: input.sender,
    authenticatedData: input.authenticatedData,
    content: { kind: "commit", commit },
  };
  const { privateKey } = identity.signatureKeyPair;
  const signature = await signFramedContent(suite, privateKey, input.wireFormat, content, input.contextBytes);
  const next = deriveNextEpoch({
    suite,
    provisional,
    interimTranscriptHash: input.interimTranscriptHash,
    wireFormat: input.wireFormat,
    content,
    signature,
    initSecret: input.initSecret,
    commitSecret: placed?.secrets.commitSecret ?? zeroSecret(suite),
    pskSecret: input.pskSecret,
  });
  const auth = { signature, confirmationTag: next.confirmationTag };
  return { message: { wireFormat: input.wireFormat, content, auth }, next, path: placed };
}
