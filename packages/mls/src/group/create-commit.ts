import { toHex } from "../bytes.ts";
import { StateError } from "../errors.ts";
import type { AppDataChanges } from "../messages/app-data.ts";
import type { ProposalOrRef } from "../messages/commit.ts";
import type { FramingWireFormat, Sender } from "../messages/framing.ts";
import type { Proposal } from "../messages/proposal.ts";
import { TreeDraft } from "../tree/tree-draft.ts";
import { applyProposals, writeAppData, type AppliedProposals } from "./apply-proposals.ts";
import { buildCommit, type LeafParameters } from "./build-commit.ts";
import type { GroupChange } from "./change.ts";
import { selectProposals } from "./select-proposals.ts";
import { addPathKeys, epochChange, keptPrivateKeys, messageChange, ownNode } from "./epoch-change.ts";
import { makeWelcome } from "./make-welcome.ts";
import type { EpochState } from "./epoch-state.ts";
import { epochStateOf } from "./next-epoch.ts";
import {
  checkMemberProposals,
  isPathRequired,
  reinitOf,
  type PendingProposal,
  type ResolvedProposal,
} from "./proposals.ts";
import { pskIdsOf, resolvePskSecret } from "./psks.ts";
import { protect, verifyPublicKeys, verifySignatures } from "./protect.ts";
import { currentEpoch, type GroupState } from "./state.ts";

/** What an own commit carries. */
export interface CommitOptions {
  /** By value, after the referenced ones. */
  readonly proposals?: readonly Proposal[];
  /** Pending proposals to commit by reference; default: all that this member can commit, see `selectProposals`. */
  readonly references?: readonly Uint8Array[];
  /** New value of every component that AppDataUpdates among the proposals touch. */
  readonly appData?: AppDataChanges;
  /** New capabilities or extensions of the own leaf; default: as they are. */
  readonly leaf?: Partial<LeafParameters>;
  /** False leaves the path out where the proposals allow it (RFC 9420 §12.4); default true. */
  readonly path?: boolean;
  /** Default `private_message`. */
  readonly wireFormat?: FramingWireFormat;
  readonly authenticatedData?: Uint8Array;
  /** Zero bytes that hide the length of a PrivateMessage's content (RFC 9420 §6.3.1); default 0. */
  readonly padding?: number;
}

/**
 * An own commit that waits to be read back as the first of its epoch: write and merge it then, drop it otherwise.
 *
 * `sent` takes the message key the commit was encrypted with: write and merge it before the message leaves, so that no
 * key is used twice whatever happens to the commit.
 */
export interface PendingCommit extends GroupChange {
  /** MLSMessage. */
  readonly message: Uint8Array;
  /** MLSMessage(Welcome) for the added members. */
  readonly welcome: Uint8Array | undefined;
  readonly sent: GroupChange;
  /** Its proposals: first those that it refers to, then those by value, without a reference. */
  readonly committed: readonly { readonly proposal: Proposal; readonly reference: Uint8Array | undefined }[];
  readonly added: AppliedProposals["added"];
  readonly contextBytes: Uint8Array;
  readonly epochAuthenticator: Uint8Array;
}

function referenced(state: GroupState, references: readonly Uint8Array[]): PendingProposal[] {
  return references.map((reference) => {
    const pending = state.proposals.get(toHex(reference));
    if (pending === undefined) throw new StateError("there is no pending proposal with that reference in this epoch");
    return pending;
  });
}

/** The parameters of the own leaf, with some of them replaced. */
export function ownLeafParameters(state: GroupState, changed: Partial<LeafParameters> = {}): LeafParameters {
  const leaf = state.tree.leaf(state.head.ownLeafIndex);
  if (leaf === undefined) throw new StateError("the own leaf is blank");
  return { capabilities: leaf.capabilities, extensions: leaf.extensions, ...changed };
}

/** Builds an own commit on a draft (RFC 9420 §12.4.1); the group does not change. */
export async function createCommit(state: GroupState, options: CommitOptions): Promise<PendingCommit> {
  const { suite, head, config } = state;
  const sender: Sender & { kind: "member" } = { kind: "member", leafIndex: head.ownLeafIndex };
  const { proposals: byValue = [], references, appData = new Map() } = options;
  const given = byValue.map((proposal): ResolvedProposal => ({ proposal, sender, byReference: false }));
  const byReference =
    references === undefined ? await selectProposals(state, given, appData) : referenced(state, references);
  const resolved: ResolvedProposal[] = [
    ...byReference.map((pending) => ({ proposal: pending.proposal, sender: pending.sender, byReference: true })),
    ...given,
  ];
  checkMemberProposals(resolved, sender, head.context.extensions);
  const withPath = options.path ?? true;
  if (!withPath && isPathRequired(resolved)) throw new StateError("these proposals need a commit with a path");
  const psks = pskIdsOf(resolved);
  const pskSecret = resolvePskSecret({ suite, config, initial: head.context.epoch === 0n, state }, psks);
  const draft = new TreeDraft(state.tree);
  const applied = applyProposals(draft, head.context, resolved);
  await verifySignatures(state, applied.checks);
  await verifyPublicKeys(state, applied.newKeys);
  const proposals: ProposalOrRef[] = [
    ...byReference.map(({ reference }): ProposalOrRef => ({ kind: "reference", reference })),
    ...byValue.map((proposal): ProposalOrRef => ({ kind: "proposal", proposal })),
  ];
  const built = await buildCommit({
    suite,
    identity: config.identity,
    draft,
    applied,
    context: head.context,
    contextBytes: head.contextBytes,
    interimTranscriptHash: head.interimTranscriptHash,
    extensions: writeAppData(applied, state.appData, appData),
    sender,
    committer: head.ownLeafIndex,
    proposals,
    leaf: withPath ? ownLeafParameters(state, options.leaf) : undefined,
    initSecret: head.secrets.init,
    pskSecret,
    wireFormat: options.wireFormat ?? "private_message",
    authenticatedData: options.authenticatedData ?? new Uint8Array(0),
  });
  const welcome = await makeWelcome(suite, config.identity, draft, applied.added, head.ownLeafIndex, built, {
    psks,
    pskSecret,
  });
  const privateKeys = keptPrivateKeys(state, draft);
  if (built.path !== undefined) {
    privateKeys.set(ownNode(head), built.path.leafPrivateKey);
    addPathKeys(privateKeys, built.path.secrets);
  }
  const reinit = reinitOf(resolved, head.context.version);
  const nextHead: EpochState = { ...epochStateOf(suite, built.next, head.ownLeafIndex, draft.leafCount), reinit };
  const change = epochChange(state, { draft, head: nextHead, privateKeys, secretTree: undefined, revision: undefined });
  const { message, secretTree } = protect(state, built.message, options.padding);
  return Object.assign(change, {
    message,
    welcome,
    sent: messageChange(state, currentEpoch(state), secretTree),
    committed: [...byReference, ...byValue.map((proposal) => ({ proposal, reference: undefined }))].map(
      ({ proposal, reference }) => ({ proposal, reference }),
    ),
    added: applied.added,
    contextBytes: nextHead.contextBytes,
    epochAuthenticator: nextHead.secrets.authentication,
  });
}
