import { constantTimeEqual, equalBytes, utf8 } from "../bytes.ts";
import { encode } from "../codec/writer.ts";
import { hpkeSetupReceiver } from "../crypto/hpke.ts";
import { StateError, ValidationError } from "../errors.ts";
import type { AppDataChanges } from "../messages/app-data.ts";
import { encodeCredential } from "../messages/credential.ts";
import type { Commit } from "../messages/commit.ts";
import {
  framedContentCheck,
  type AuthenticatedContent,
  type FramingWireFormat,
  type Sender,
} from "../messages/framing.ts";
import { groupContextBytes, type GroupContext } from "../messages/group-context.ts";
import type { KeyPackage } from "../messages/key-package.ts";
import { encodeLeafNode, leafNodeCheck, type LeafNode } from "../messages/leaf-node.ts";
import { deriveExternalKeyPair, EXTERNAL_INIT_LABEL, zeroSecret } from "../schedule/key-schedule.ts";
import type { SecretTreeChange } from "../schedule/secret-tree.ts";
import type { LeafIndex, NodeIndex } from "../tree/math.ts";
import { TreeDraft } from "../tree/tree-draft.ts";
import { decryptPathSecrets } from "../tree/treekem.ts";
import { applyProposals, checkMemberSupport, writeAppData, type AppliedProposals } from "./apply-proposals.ts";
import type { Change, GroupChange } from "./change.ts";
import { RFC_9420_EXTERNAL_COMMITS } from "./config.ts";
import { addPathKeys, epochChange, keptPrivateKeys, ownNode, removalChange } from "./epoch-change.ts";
import type { Head } from "./head.ts";
import { deriveNextEpoch, headOf, nextContext } from "./next-epoch.ts";
import { applyReceivedPath } from "./path-rules.ts";
import {
  checkExternalProposals,
  checkMemberProposals,
  isPathRequired,
  reinitOf,
  resolveProposals,
  type ResolvedProposal,
} from "./proposals.ts";
import { pskIdsOf, resolvePskSecret } from "./psks.ts";
import { verifyPublicKeys, verifySignatures, type Opened } from "./protect.ts";
import type { GroupState } from "./state.ts";

/** Who commits: a member, or somebody who joins by committing. */
export type Committer = Extract<Sender, { kind: "member" | "new_member_commit" }>;

/**
 * A commit whose signatures and proposal list are good: what an application decides on before it is staged.
 *
 * Nothing of the group has changed yet.
 */
export interface VerifiedCommit {
  readonly wireFormat: FramingWireFormat;
  readonly sender: Committer;
  /** GroupContext of the epoch that the commit ends. */
  readonly context: GroupContext;
  /** In the order of the commit. */
  readonly proposals: readonly ResolvedProposal[];
  readonly pathLeaf: LeafNode | undefined;
  /** Leaf of the committer; for an external commit the one the joiner will have. */
  readonly committerLeafIndex: LeafIndex;
  readonly added: readonly { readonly leafIndex: LeafIndex; readonly keyPackage: KeyPackage }[];
  readonly removed: readonly { readonly leafIndex: LeafIndex; readonly leafNode: LeafNode }[];
  readonly updated: readonly { readonly leafIndex: LeafIndex; readonly before: LeafNode; readonly after: LeafNode }[];
}

/** What `stageCommit` needs of a verified commit beside what applications see. */
interface Work {
  readonly state: GroupState;
  readonly revision: number;
  readonly draft: TreeDraft;
  readonly applied: AppliedProposals;
  readonly message: AuthenticatedContent;
  readonly commit: Commit;
  readonly secretTree: SecretTreeChange | undefined;
}

const works = new WeakMap<VerifiedCommit, Work>();

/** A commit that fits: merging its change brings the group into the next epoch. */
export interface StagedCommit extends GroupChange {
  readonly context: GroupContext;
  readonly contextBytes: Uint8Array;
  readonly epochAuthenticator: Uint8Array;
  /** True when the commit removes this member; the group then stays at its last epoch and is inactive. */
  readonly selfRemoved: boolean;
}

function committerOf(sender: Sender): Committer {
  if (sender.kind === "member" || sender.kind === "new_member_commit") return sender;
  throw new ValidationError("sender", `a ${sender.kind} sender cannot commit`);
}

/** Verifies a commit of the current epoch up to its signatures (RFC 9420 §12.4.2, first half). */
export async function verifyCommit(state: GroupState, opened: Opened): Promise<VerifiedCommit> {
  const { message } = opened;
  const { content } = message.content;
  if (content.kind !== "commit") throw new StateError("the message is not a commit");
  const { context, contextBytes } = state.head;
  const { commit } = content;
  const sender = committerOf(message.content.sender);
  const proposals = resolveProposals(commit, sender, state.proposals);
  if (sender.kind === "member") checkMemberProposals(proposals, sender, context.extensions);
  else {
    const policy = state.config.externalCommitPolicy ?? RFC_9420_EXTERNAL_COMMITS;
    checkExternalProposals(proposals, policy, context.extensions);
  }
  if (commit.path === undefined && isPathRequired(proposals)) {
    throw new ValidationError("path-required", "the commit has no update path although its proposals need one");
  }
  const draft = new TreeDraft(state.tree);
  const applied = applyProposals(draft, context, proposals);
  const committerLeafIndex = sender.kind === "member" ? sender.leafIndex : draft.reserveLeaf();
  const checks = [...applied.checks];
  const pathLeaf = commit.path?.leafNode;
  if (pathLeaf !== undefined) {
    const position = { groupId: context.groupId, leafIndex: committerLeafIndex };
    checks.push(leafNodeCheck(pathLeaf, encode(pathLeaf, encodeLeafNode), position));
    if (sender.kind === "new_member_commit") {
      checkResync(state, applied.removed, pathLeaf);
      checks.push(framedContentCheck(message, pathLeaf.signatureKey, contextBytes));
    }
  }
  if (opened.signature !== undefined) checks.push(opened.signature);
  await verifySignatures(state, checks);
  await verifyPublicKeys(
    state,
    pathLeaf === undefined ? applied.newKeys : [...applied.newKeys, pathLeaf.encryptionKey],
  );
  const { secretTree } = opened;
  const verified: VerifiedCommit = {
    wireFormat: message.wireFormat,
    sender,
    context,
    proposals,
    pathLeaf,
    committerLeafIndex,
    added: applied.added,
    removed: applied.removed.map((leafIndex) => ({ leafIndex, leafNode: leafBefore(state, leafIndex) })),
    updated: proposals.flatMap(({ proposal, sender: from }) =>
      proposal.kind === "update" && from.kind === "member"
        ? [{ leafIndex: from.leafIndex, before: leafBefore(state, from.leafIndex), after: proposal.leafNode }]
        : [],
    ),
  };
  works.set(verified, { state, revision: state.revision, draft, applied, message, commit, secretTree });
  return verified;
}

/**
 * A Remove in an external commit takes out a former leaf of the joiner itself: one with the very credential of the
 * joining leaf (RFC 9420 §12.4.3.2; CVE-2026-71890), which brings a new encryption key as an Update would (§12.2).
 * Applications may want more.
 */
function checkResync(state: GroupState, removed: readonly LeafIndex[], joining: LeafNode): void {
  const credential = encode(joining.credential, encodeCredential);
  for (const leafIndex of removed) {
    const former = leafBefore(state, leafIndex);
    if (!equalBytes(encode(former.credential, encodeCredential), credential)) {
      throw new ValidationError("external-remove", "an external commit removes somebody else than its joiner");
    }
    if (equalBytes(former.encryptionKey, joining.encryptionKey)) {
      throw new ValidationError("leaf-key-change", "a joiner comes back with the encryption key of its former leaf");
    }
  }
}

function leafBefore(state: GroupState, leafIndex: LeafIndex): LeafNode {
  const leaf = state.tree.leaf(leafIndex);
  if (leaf === undefined) throw new StateError(`leaf ${leafIndex} is blank`);
  return leaf;
}

/** The init secret that an external joiner exported (RFC 9420 §8.3). */
async function externalInitSecret(state: GroupState, proposals: readonly ResolvedProposal[]): Promise<Uint8Array> {
  const init = proposals.find(({ proposal }) => proposal.kind === "external_init")?.proposal;
  if (init?.kind !== "external_init")
    throw new ValidationError("external-init", "an external commit has no ExternalInit");
  const keyPair = await deriveExternalKeyPair(state.suite, state.head.secrets.external);
  const context = await hpkeSetupReceiver(state.suite, init.kemOutput, keyPair, new Uint8Array(0));
  return context.export(utf8(EXTERNAL_INIT_LABEL), state.suite.hashLength);
}

/** The own private keys in the new tree, before any path secret: those that still fit, and that of an own Update. */
function ownKeys(work: Work, proposals: readonly ResolvedProposal[]): Map<NodeIndex, Uint8Array> {
  const keys = keptPrivateKeys(work.state, work.draft);
  for (const pending of work.state.proposals.values()) {
    const committed = proposals.some(({ proposal }) => proposal === pending.proposal);
    if (committed && pending.leafPrivateKey !== undefined) keys.set(ownNode(work.state.head), pending.leafPrivateKey);
  }
  return keys;
}

function takeWork(state: GroupState, verified: VerifiedCommit): Work {
  const work = works.get(verified);
  works.delete(verified);
  if (work?.state !== state || work.revision !== state.revision) {
    throw new StateError("the commit was staged already or the group has moved on; verify it again");
  }
  return work;
}

/**
 * Brings a verified commit onto a draft and derives its epoch (RFC 9420 §12.4.2, second half).
 *
 * `appData` holds the new value of every component that AppDataUpdates of the commit touch, as the application computed
 * it from the old value and the updates in order. Throws ValidationError when the commit does not fit; the group is
 * unchanged in any case.
 */
export async function stageCommit(
  state: GroupState,
  verified: VerifiedCommit,
  appData: AppDataChanges,
): Promise<StagedCommit> {
  const work = takeWork(state, verified);
  const { draft, applied, message, commit } = work;
  const { suite, head } = state;
  const committer = verified.committerLeafIndex;
  const extensions = writeAppData(applied, state.appData, appData);
  const added = new Set(applied.added.map(({ leafIndex }) => leafIndex));
  if (commit.path !== undefined) applyReceivedPath(draft, commit.path, committer, extensions, added);
  checkMemberSupport(draft, applied);
  if (applied.removed.includes(head.ownLeafIndex)) return removed(work);
  const provisional = nextContext(head.context, draft.treeHash(), extensions);
  const privateKeys = ownKeys(work, verified.proposals);
  let commitSecret = zeroSecret(suite);
  if (commit.path !== undefined) {
    const { nodes } = commit.path;
    const context = groupContextBytes(provisional);
    const secrets = await decryptPathSecrets(draft, committer, head.ownLeafIndex, privateKeys, nodes, context, added);
    addPathKeys(privateKeys, secrets);
    commitSecret = secrets.commitSecret;
  }
  const external = verified.sender.kind === "new_member_commit";
  const next = deriveNextEpoch({
    suite,
    provisional,
    interimTranscriptHash: head.interimTranscriptHash,
    wireFormat: message.wireFormat,
    content: message.content,
    signature: message.auth.signature,
    initSecret: external ? await externalInitSecret(state, verified.proposals) : head.secrets.init,
    commitSecret,
    pskSecret: resolvePskSecret({ suite, config: state.config, initial: false, state }, pskIdsOf(verified.proposals)),
  });
  if (!constantTimeEqual(next.confirmationTag, message.auth.confirmationTag ?? new Uint8Array(0))) {
    throw new ValidationError("confirmation-tag", "the confirmation tag of the commit is wrong");
  }
  const reinit = reinitOf(verified.proposals, head.context.version);
  const nextHead: Head = { ...headOf(suite, next, head.ownLeafIndex, draft.leafCount), reinit };
  const { revision, secretTree } = work;
  return staged(epochChange(state, { draft, head: nextHead, privateKeys, secretTree, revision }), nextHead, false);
}

function removed({ state, secretTree, revision }: Work): StagedCommit {
  return staged(removalChange(state, secretTree, revision), state.head, true);
}

function staged(change: Change, head: Head, selfRemoved: boolean): StagedCommit {
  const { context, contextBytes, secrets } = head;
  return Object.assign(change, { context, contextBytes, epochAuthenticator: secrets.authentication, selfRemoved });
}
