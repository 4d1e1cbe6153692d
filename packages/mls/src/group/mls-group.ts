import { generateHpkeKeyPair } from "../crypto/hpke.ts";
import { StateError, type ValidationError } from "../errors.ts";
import type { AppData, AppDataChanges } from "../messages/app-data.ts";
import { encodeExternalPub, EXTENSION_TYPE, type Extension } from "../messages/extension.ts";
import type { FramingWireFormat } from "../messages/framing.ts";
import type { GroupContext } from "../messages/group-context.ts";
import { signGroupInfo } from "../messages/group-info.ts";
import { signLeafNode, type LeafNode } from "../messages/leaf-node.ts";
import { encodeMlsMessage } from "../messages/mls-message.ts";
import type { PreSharedKeyId, Proposal, ReInit } from "../messages/proposal.ts";
import { deriveExternalKeyPair, exportSecret } from "../schedule/key-schedule.ts";
import type { LeafIndex } from "../tree/math.ts";
import { encodeRatchetTree } from "../tree/node.ts";
import { Change, type GroupChange } from "./change.ts";
import type { GroupConfig } from "./config.ts";
import { createCommit, ownLeafParameters, type CommitOptions, type PendingCommit } from "./create-commit.ts";
import type { LeafParameters } from "./build-commit.ts";
import { createGroup, type GroupOptions } from "./create-group.ts";
import { messageChange } from "./epoch-change.ts";
import { externalJoin, type ExternalCommitOptions } from "./external-join.ts";
import { joinByWelcome } from "./join-welcome.ts";
import type { KeyPackageBundle } from "./key-packages.ts";
import type { PendingProposal } from "./proposals.ts";
import { PSK_USAGE } from "./psks.ts";
import { protect, signContent } from "./protect.ts";
import { keepProposal, receive, type Received } from "./receive.ts";
import { stageCommit, type StagedCommit } from "./stage-commit.ts";
import type { VerifiedCommit } from "./verify-commit.ts";
import { currentEpoch, loadState, snapshotRows, type GroupState } from "./state.ts";
import { tryAdds, type AddsToTry } from "./try-adds.ts";
import type { VerifiedGroupInfo } from "./verify-group-info.ts";

const EMPTY = new Uint8Array(0);

/** Options of an own message. */
export interface MessageOptions {
  /** Default `private_message`; a SelfRemove is a `public_message` always, so that joiners can read it. */
  readonly wireFormat?: FramingWireFormat;
  readonly authenticatedData?: Uint8Array;
  /** Zero bytes that hide the length of a PrivateMessage's content (RFC 9420 §6.3.1); default 0. */
  readonly padding?: number;
}

/** Options of an application message. */
export interface ApplicationOptions extends Omit<MessageOptions, "wireFormat"> {
  /**
   * Send although proposals of the epoch wait for a commit, which RFC 9420 §12.4 forbids: whoever they remove reads the
   * message. For applications in which a proposal whose commit was lost must not silence the group.
   */
  readonly despiteProposals?: boolean;
}

/** An own proposal: write and merge `change` before the message leaves. */
export interface SentProposal {
  readonly message: Uint8Array;
  readonly reference: Uint8Array;
  readonly change: GroupChange;
}

/**
 * One member's view of a group (RFC 9420).
 *
 * No method but `merge` changes it: everything else returns a change, to be written first and merged then, so that
 * memory is never ahead of disk. Calls that end in a merge are made one after the other; a change that was overtaken is
 * refused with StateError.
 */
export class MlsGroup {
  readonly #state: GroupState;

  private constructor(state: GroupState) {
    this.#state = state;
  }

  /** A new group with this member alone, in memory: store `snapshot()` (RFC 9420 §11). */
  static async create(config: GroupConfig, options: GroupOptions): Promise<MlsGroup> {
    return new MlsGroup(await createGroup(config, options));
  }

  /**
   * Joins by a Welcome, in memory: store `snapshot()` (RFC 9420 §12.4.3.1). `ratchetTree` is the data of a
   * `ratchet_tree` extension for a Welcome whose GroupInfo does not carry one.
   * Throws StateError when the Welcome is for none of the key packages; DecodeError, CryptoError, ValidationError.
   */
  static async fromWelcome(
    config: GroupConfig,
    welcome: Uint8Array,
    bundles: readonly KeyPackageBundle[],
    options: { readonly ratchetTree?: Uint8Array } = {},
  ): Promise<{ group: MlsGroup; signer: LeafIndex; bundle: KeyPackageBundle }> {
    const { state, signer, bundle } = await joinByWelcome(config, welcome, bundles, options.ratchetTree);
    return { group: new MlsGroup(state), signer, bundle };
  }

  /** See `createExternalCommit`. */
  static async byExternalCommit(
    config: GroupConfig,
    info: VerifiedGroupInfo,
    options: ExternalCommitOptions,
  ): Promise<{ message: Uint8Array; welcome: Uint8Array | undefined; group: MlsGroup }> {
    const { message, welcome, state } = await externalJoin(config, info, options);
    return { message, welcome, group: new MlsGroup(state) };
  }

  /** From stored rows; throws DecodeError when they are not whole. O(members). */
  static load(config: GroupConfig, rows: Iterable<readonly [string, Uint8Array]>): MlsGroup {
    return new MlsGroup(loadState(config, rows));
  }

  /** All rows of the group. */
  snapshot(): Map<string, Uint8Array> {
    return snapshotRows(this.#state);
  }

  get groupId(): Uint8Array {
    return this.context.groupId;
  }

  get epoch(): bigint {
    return this.context.epoch;
  }

  get cipherSuite(): number {
    return this.context.cipherSuite;
  }

  get context(): GroupContext {
    return this.#state.head.context;
  }

  /** The TLS GroupContext. */
  get contextBytes(): Uint8Array {
    return this.#state.head.contextBytes;
  }

  get appData(): AppData {
    return this.#state.appData;
  }

  get ownLeafIndex(): LeafIndex {
    return this.#state.head.ownLeafIndex;
  }

  /** False once this member was removed. */
  get active(): boolean {
    return this.#state.head.active;
  }

  /** What takes the place of this group, once a ReInit was committed: nothing more is sent here (RFC 9420 §11.2). */
  get reinit(): ReInit | undefined {
    return this.#state.head.reinit;
  }

  get memberCount(): number {
    return this.#state.tree.memberCount;
  }

  get treeHash(): Uint8Array {
    return this.context.treeHash;
  }

  get confirmedTranscriptHash(): Uint8Array {
    return this.context.confirmedTranscriptHash;
  }

  /** Equal for all members of one epoch and only for them (RFC 9420 §8.7). */
  get epochAuthenticator(): Uint8Array {
    return this.#state.head.secrets.authentication;
  }

  /** Members in the order of their leaves. */
  members(): Iterable<{ leafIndex: LeafIndex; leafNode: LeafNode }> {
    return this.#state.tree.members();
  }

  leaf(leafIndex: LeafIndex): LeafNode | undefined {
    return this.#state.tree.leaf(leafIndex);
  }

  /** O(1). */
  findBySignatureKey(signatureKey: Uint8Array): LeafIndex | undefined {
    return this.#state.tree.findBySignatureKey(signatureKey);
  }

  /** Tries Adds of key packages, each as `tryAdds` does. */
  tryAdds(adds: AddsToTry): (ValidationError | undefined)[] {
    const { tree, head } = this.#state;
    return tryAdds({ tree, context: head.context }, adds);
  }

  /** Whether every member, but for that leaf, lists the extension type in its capabilities, O(1) (RFC 9420 §7.2). */
  isSupportedByAll(extensionType: number, except?: LeafIndex): boolean {
    return this.#state.tree.isSupportedByAll("extension", extensionType, except);
  }

  /**
   * Members of an identity as `GroupConfig.identityOf` tells it, in the order of their leaves: O(members) when first
   * called for this group, O(1) from then on. Throws StateError without `identityOf`.
   */
  leavesOf(identity: string): { leafIndex: LeafIndex; leafNode: LeafNode }[] {
    const { tree, config } = this.#state;
    if (config.identityOf === undefined) throw new StateError("the group was not told how to tell whose a leaf is");
    return tree.leavesOf(identity, config.identityOf).flatMap((leafIndex) => {
      const leafNode = tree.leaf(leafIndex);
      return leafNode === undefined ? [] : [{ leafIndex, leafNode }];
    });
  }

  /** Proposals of this epoch that wait for a commit. */
  pendingProposals(): PendingProposal[] {
    return [...this.#state.proposals.values()];
  }

  /** MLS-Exporter (RFC 9420 §8.5): `length` bytes bound to label and context. */
  exportSecret(label: string, context: Uint8Array, length: number): Uint8Array {
    return exportSecret(this.#state.suite, this.#state.head.secrets.exporter, label, context, length);
  }

  /**
   * The PSK that ties a new group to this epoch (RFC 9420 §8.6): its id, with a fresh nonce, for the first commit of a
   * group that reinitializes this one or branches off it, and its secret for `GroupConfig.resumptionPsk`.
   */
  resumptionPsk(usage: "reinit" | "branch"): { id: PreSharedKeyId; secret: Uint8Array } {
    const { suite, head } = this.#state;
    const { groupId, epoch } = head.context;
    const nonce = suite.randomBytes(suite.hashLength);
    return {
      id: { kind: "resumption", usage: PSK_USAGE[usage], groupId, epoch, nonce },
      secret: head.secrets.resumption,
    };
  }

  /**
   * A GroupInfo with `ratchet_tree` and `external_pub`, for joining by external commit; an MLSMessage. `extensions` of
   * other types follow behind these two. O(members).
   */
  async exportGroupInfo(options: { readonly extensions?: readonly Extension[] } = {}): Promise<Uint8Array> {
    const { suite, head, tree, config } = this.#activeState();
    const { publicKey } = await deriveExternalKeyPair(suite, head.secrets.external);
    const message = await signGroupInfo(suite, config.identity.signatureKeyPair.privateKey, {
      context: head.context,
      extensions: [
        { type: EXTENSION_TYPE.ratchetTree, data: encodeRatchetTree(tree.nodes()) },
        { type: EXTENSION_TYPE.externalPub, data: encodeExternalPub(publicKey) },
        ...(options.extensions ?? []),
      ],
      confirmationTag: head.confirmationTag,
      signer: head.ownLeafIndex,
    });
    return encodeMlsMessage({ wireFormat: "group_info", message });
  }

  /**
   * Encrypts application data; write and merge `change` before the message leaves. Throws StateError while proposals
   * wait for a commit (RFC 9420 §12.4).
   */
  async encryptApplication(
    data: Uint8Array,
    options: ApplicationOptions = {},
  ): Promise<{ message: Uint8Array; change: GroupChange }> {
    const state = this.#activeState();
    const { authenticatedData = EMPTY, padding = 0, despiteProposals = false } = options;
    if (state.proposals.size > 0 && !despiteProposals) {
      throw new StateError("proposals of this epoch wait for a commit; commit before you send application data");
    }
    const content = { kind: "application", data } as const;
    const signed = await signContent(state, "private_message", content, authenticatedData);
    const { message, secretTree } = protect(state, signed, padding);
    return { message, change: messageChange(state, currentEpoch(state), secretTree) };
  }

  /** Frames a proposal of any kind but Update and keeps it for a commit by reference. */
  async createProposal(proposal: Proposal, options: MessageOptions = {}): Promise<SentProposal> {
    if (proposal.kind === "update") throw new StateError("use createUpdate: an Update brings a new leaf of one's own");
    return this.#propose(proposal, undefined, options);
  }

  /** Frames an Update of the own leaf with a fresh encryption key (RFC 9420 §12.1.2). */
  async createUpdate(
    options: MessageOptions & { readonly leaf?: Partial<LeafParameters> } = {},
  ): Promise<SentProposal> {
    const state = this.#activeState();
    const { suite, config, head } = state;
    const keyPair = await generateHpkeKeyPair(suite);
    const { credential, signatureKeyPair } = config.identity;
    const leafNode = await signLeafNode(
      suite,
      signatureKeyPair.privateKey,
      {
        encryptionKey: keyPair.publicKey,
        signatureKey: signatureKeyPair.publicKey,
        credential,
        source: { kind: "update" },
        ...ownLeafParameters(state, options.leaf),
      },
      { groupId: head.context.groupId, leafIndex: head.ownLeafIndex },
    );
    return this.#propose({ kind: "update", leafNode }, keyPair.privateKey, options);
  }

  /** Builds an own commit; the group stays as it is until the commit is merged (RFC 9420 §12.4.1). */
  async createCommit(options: CommitOptions = {}): Promise<PendingCommit> {
    return createCommit(this.#activeState(), options);
  }

  /** Verifies a received MLSMessage; see `Received`. */
  async verify(message: Uint8Array): Promise<Received> {
    return receive(this.#state, message);
  }

  /** Derives the epoch that a verified commit starts; see `stageCommit`. */
  async stage(commit: VerifiedCommit, options: { readonly appData?: AppDataChanges } = {}): Promise<StagedCommit> {
    return stageCommit(this.#activeState(), commit, options.appData ?? new Map());
  }

  /** Takes over a change whose rows were written. Throws StateError when it was overtaken. */
  merge(change: GroupChange): void {
    if (!(change instanceof Change)) throw new StateError("only changes made by this engine can be merged");
    change.merge(this.#state);
  }

  #activeState(): GroupState {
    const { active, reinit } = this.#state.head;
    if (!active) throw new StateError("this member was removed from the group");
    if (reinit !== undefined) throw new StateError("the group was closed by a ReInit; use the group it announced");
    return this.#state;
  }

  async #propose(
    proposal: Proposal,
    leafPrivateKey: Uint8Array | undefined,
    options: MessageOptions,
  ): Promise<SentProposal> {
    const state = this.#activeState();
    const usual = proposal.kind === "self_remove" ? "public_message" : "private_message";
    const { wireFormat = usual, authenticatedData = EMPTY, padding = 0 } = options;
    if (proposal.kind === "self_remove" && wireFormat !== usual) {
      throw new StateError("a SelfRemove is sent as a PublicMessage, so that joiners can read it");
    }
    const signed = await signContent(state, wireFormat, { kind: "proposal", proposal }, authenticatedData);
    const { message, secretTree } = protect(state, signed, padding);
    const { change, reference } = keepProposal(state, signed, proposal, leafPrivateKey, secretTree);
    return { message, reference, change };
  }
}

/**
 * Joins by one external commit, in memory (RFC 9420 §12.4.3.2; with by-value Adds and AppDataUpdates under
 * `XIP_82_EXTERNAL_COMMITS`): publish `message`, and store `group.snapshot()` once it is known to be the first of its
 * epoch. `info` stays as it is.
 */
export async function createExternalCommit(
  config: GroupConfig,
  info: VerifiedGroupInfo,
  options: ExternalCommitOptions,
): Promise<{ message: Uint8Array; welcome: Uint8Array | undefined; group: MlsGroup }> {
  return MlsGroup.byExternalCommit(config, info, options);
}
