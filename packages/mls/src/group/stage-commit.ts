import { constantTimeEqual, utf8 } from "../bytes.ts";
import { hpkeSetupReceiver } from "../crypto/hpke.ts";
import { ValidationError } from "../errors.ts";
import type { AppDataChanges } from "../messages/app-data.ts";
import { groupContextBytes, type GroupContext } from "../messages/group-context.ts";
import { deriveExternalKeyPair, EXTERNAL_INIT_LABEL, zeroSecret } from "../schedule/key-schedule.ts";
import type { NodeIndex } from "../tree/math.ts";
import { decryptPathSecrets } from "../tree/treekem.ts";
import { checkMemberSupport, writeAppData } from "./apply-proposals.ts";
import type { Change, GroupChange } from "./change.ts";
import { addPathKeys, epochChange, keptPrivateKeys, ownNode, removalChange } from "./epoch-change.ts";
import type { EpochState } from "./epoch-state.ts";
import { deriveNextEpoch, epochStateOf, nextContext } from "./next-epoch.ts";
import { applyReceivedPath } from "./path-rules.ts";
import { reinitOf, type ResolvedProposal } from "./proposals.ts";
import { pskIdsOf, resolvePskSecret } from "./psks.ts";
import type { GroupState } from "./state.ts";
import { takeWork, type VerifiedCommit, type Work } from "./verify-commit.ts";

/** A commit that fits: merging its change brings the group into the next epoch. */
export interface StagedCommit extends GroupChange {
  readonly context: GroupContext;
  readonly contextBytes: Uint8Array;
  readonly epochAuthenticator: Uint8Array;
  /** True when the commit removes this member; the group then stays at its last epoch and is inactive. */
  readonly selfRemoved: boolean;
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
  const work = takeWork(verified, state);
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
  const nextHead: EpochState = { ...epochStateOf(suite, next, head.ownLeafIndex, draft.leafCount), reinit };
  const { revision, secretTree } = work;
  return staged(epochChange(state, { draft, head: nextHead, privateKeys, secretTree, revision }), nextHead, false);
}

function removed({ state, secretTree, revision }: Work): StagedCommit {
  return staged(removalChange(state, secretTree, revision), state.head, true);
}

function staged(change: Change, head: EpochState, selfRemoved: boolean): StagedCommit {
  const { context, contextBytes, secrets } = head;
  return Object.assign(change, { context, contextBytes, epochAuthenticator: secrets.authentication, selfRemoved });
}
