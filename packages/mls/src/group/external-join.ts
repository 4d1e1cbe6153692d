import { utf8 } from "../bytes.ts";
import { hpkeSetupSender } from "../crypto/hpke.ts";
import { ValidationError } from "../errors.ts";
import type { AppDataChanges } from "../messages/app-data.ts";
import type { KeyPackage } from "../messages/key-package.ts";
import { encodeMlsMessage } from "../messages/mls-message.ts";
import type { PreSharedKeyId, Proposal } from "../messages/proposal.ts";
import { EXTERNAL_INIT_LABEL } from "../schedule/key-schedule.ts";
import { interimTranscriptHash } from "../schedule/transcript.ts";
import { leafNodeIndex, type LeafIndex, type NodeIndex } from "../tree/math.ts";
import { TreeDraft } from "../tree/tree-draft.ts";
import { applyProposals, writeAppData } from "./apply-proposals.ts";
import { buildCommit, type BuiltCommit, type CommitInput, type LeafParameters } from "./build-commit.ts";
import { RFC_9420_EXTERNAL_COMMITS, type GroupConfig } from "./config.ts";
import { addPathKeys } from "./epoch-change.ts";
import { makeWelcome } from "./make-welcome.ts";
import { freshEpoch, epochStateOf } from "./next-epoch.ts";
import { checkExternalProposals, type ResolvedProposal } from "./proposals.ts";
import { resolvePskSecret } from "./psks.ts";
import { verifyPublicKeys, verifySignatures } from "./protect.ts";
import { freshState, type GroupState } from "./state.ts";
import type { VerifiedGroupInfo } from "./verify-group-info.ts";

/** What an external commit carries beside its ExternalInit. */
export interface ExternalCommitOptions {
  readonly leaf: LeafParameters;
  /** Added by value, in this order; they take their leaves before the joiner does (RFC 9420 §12.4.2). */
  readonly adds?: readonly KeyPackage[];
  readonly appDataUpdates?: readonly { readonly componentId: number; readonly update: Uint8Array }[];
  /** New value of every component that the updates touch. */
  readonly appData?: AppDataChanges;
  /** A former leaf of one's own to remove: resync. */
  readonly resync?: LeafIndex;
  readonly psks?: readonly PreSharedKeyId[];
  readonly authenticatedData?: Uint8Array;
}

/** An external commit, built in memory. */
export interface ExternalJoin {
  /** MLSMessage(PublicMessage). */
  readonly message: Uint8Array;
  /** MLSMessage(Welcome) for the added members; undefined without Adds. */
  readonly welcome: Uint8Array | undefined;
  /** The group as it is once the commit was accepted. */
  readonly state: GroupState;
}

/**
 * Builds one commit by which a non-member joins (RFC 9420 §12.4.3.2), with by-value Adds and AppDataUpdates if the
 * configured policy allows them. The GroupInfo and its tree stay as they are, so a lost attempt costs nothing.
 */
export async function externalJoin(
  config: GroupConfig,
  info: VerifiedGroupInfo,
  options: ExternalCommitOptions,
): Promise<ExternalJoin> {
  const { context, contextBytes } = info;
  const suite = config.crypto.suite(context.cipherSuite);
  if (info.externalPub === undefined)
    throw new ValidationError("external-pub", "the GroupInfo carries no external_pub");
  const { kemOutput, context: hpke } = await hpkeSetupSender(suite, info.externalPub, new Uint8Array(0));
  const sender = { kind: "new_member_commit" } as const;
  const psks = options.psks ?? [];
  const proposals: Proposal[] = [
    ...(options.adds ?? []).map((keyPackage): Proposal => ({ kind: "add", keyPackage })),
    { kind: "external_init", kemOutput },
    ...(options.resync === undefined ? [] : [{ kind: "remove", removed: options.resync } as const]),
    ...psks.map((psk): Proposal => ({ kind: "psk", psk })),
    ...(options.appDataUpdates ?? []).map(({ componentId, update }): Proposal => ({
      kind: "app_data_update",
      componentId,
      operation: { kind: "update", update },
    })),
  ];
  const resolved = proposals.map((proposal): ResolvedProposal => ({ proposal, sender, byReference: false }));
  checkExternalProposals(resolved, config.externalCommitPolicy ?? RFC_9420_EXTERNAL_COMMITS, context.extensions);
  const draft = new TreeDraft(info.tree);
  const applied = applyProposals(draft, context, resolved);
  await verifySignatures({ suite }, applied.checks);
  await verifyPublicKeys({ suite }, applied.newKeys);
  const input: CommitInput = {
    suite,
    identity: config.identity,
    draft,
    applied,
    context,
    contextBytes,
    interimTranscriptHash: interimTranscriptHash(
      suite,
      context.confirmedTranscriptHash,
      info.groupInfo.confirmationTag,
    ),
    extensions: writeAppData(applied, info.appData, options.appData ?? new Map()),
    sender,
    committer: draft.reserveLeaf(),
    proposals: proposals.map((proposal) => ({ kind: "proposal", proposal })),
    leaf: options.leaf,
    pskSecret: resolvePskSecret({ suite, config, initial: false }, psks),
    initSecret: hpke.export(utf8(EXTERNAL_INIT_LABEL), suite.hashLength),
    wireFormat: "public_message",
    authenticatedData: options.authenticatedData ?? new Uint8Array(0),
  };
  const built = await buildCommit(input);
  const { content, auth } = built.message;
  return {
    message: encodeMlsMessage({ wireFormat: "public_message", message: { content, auth, membershipTag: undefined } }),
    welcome: await makeWelcome(suite, config.identity, draft, applied.added, input.committer, built, {
      psks,
      pskSecret: input.pskSecret,
    }),
    state: joinedState(config, info, input, built),
  };
}

function joinedState(config: GroupConfig, info: VerifiedGroupInfo, input: CommitInput, built: BuiltCommit): GroupState {
  const { suite, draft, committer } = input;
  const head = epochStateOf(suite, built.next, committer, draft.leafCount);
  const tree = info.tree.clone();
  tree.merge(draft);
  const privateKeys = new Map<NodeIndex, Uint8Array>();
  if (built.path !== undefined) {
    privateKeys.set(leafNodeIndex(committer), built.path.leafPrivateKey);
    addPathKeys(privateKeys, built.path.secrets);
  }
  return freshState({ config, suite, tree, head, privateKeys }, freshEpoch(suite, head));
}
