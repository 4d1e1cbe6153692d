import { equalBytes } from "../bytes.ts";
import { encode } from "../codec/writer.ts";
import { StateError, ValidationError } from "../errors.ts";
import { encodeCredential } from "../messages/credential.ts";
import type { Commit } from "../messages/commit.ts";
import {
  framedContentCheck,
  type AuthenticatedContent,
  type FramingWireFormat,
  type Sender,
} from "../messages/framing.ts";
import { type GroupContext } from "../messages/group-context.ts";
import type { KeyPackage } from "../messages/key-package.ts";
import { encodeLeafNode, leafNodeCheck, type LeafNode } from "../messages/leaf-node.ts";
import type { SecretTreeChange } from "../schedule/secret-tree.ts";
import type { LeafIndex } from "../tree/math.ts";
import { TreeDraft } from "../tree/tree-draft.ts";
import { applyProposals, type AppliedProposals } from "./apply-proposals.ts";
import { RFC_9420_EXTERNAL_COMMITS } from "./config.ts";
import {
  checkExternalProposals,
  checkMemberProposals,
  isPathRequired,
  resolveProposals,
  type ResolvedProposal,
} from "./proposals.ts";
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
export interface Work {
  readonly state: GroupState;
  readonly revision: number;
  readonly draft: TreeDraft;
  readonly applied: AppliedProposals;
  readonly message: AuthenticatedContent;
  readonly commit: Commit;
  readonly secretTree: SecretTreeChange | undefined;
}

/** A verified commit that keeps the results of its verification, so that staging need not repeat them. */
class StageableCommit implements VerifiedCommit {
  readonly wireFormat: VerifiedCommit["wireFormat"];
  readonly sender: VerifiedCommit["sender"];
  readonly context: VerifiedCommit["context"];
  readonly proposals: VerifiedCommit["proposals"];
  readonly pathLeaf: VerifiedCommit["pathLeaf"];
  readonly committerLeafIndex: VerifiedCommit["committerLeafIndex"];
  readonly added: VerifiedCommit["added"];
  readonly removed: VerifiedCommit["removed"];
  readonly updated: VerifiedCommit["updated"];
  #work: Work | undefined;

  constructor(seen: VerifiedCommit, work: Work) {
    this.wireFormat = seen.wireFormat;
    this.sender = seen.sender;
    this.context = seen.context;
    this.proposals = seen.proposals;
    this.pathLeaf = seen.pathLeaf;
    this.committerLeafIndex = seen.committerLeafIndex;
    this.added = seen.added;
    this.removed = seen.removed;
    this.updated = seen.updated;
    this.#work = work;
  }

  /** Returns the work once, then undefined. */
  static takeWork(verified: VerifiedCommit): Work | undefined {
    if (!(#work in verified)) return undefined;
    const work = verified.#work;
    verified.#work = undefined;
    return work;
  }
}

/** The work of a commit that was verified in the present state of the group and not staged yet; else StateError. */
export function takeWork(verified: VerifiedCommit, state: GroupState): Work {
  const work = StageableCommit.takeWork(verified);
  if (work?.state !== state || work.revision !== state.revision) {
    throw new StateError("the commit was staged already or the group has moved on; verify it again");
  }
  return work;
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
  const seen: VerifiedCommit = {
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
  return new StageableCommit(seen, { state, revision: state.revision, draft, applied, message, commit, secretTree });
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
