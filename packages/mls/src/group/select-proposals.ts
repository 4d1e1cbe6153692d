import type { SignatureCheck } from "../crypto/provider.ts";
import { DecodeError, ValidationError } from "../errors.ts";
import type { AppDataChanges } from "../messages/app-data.ts";
import type { Extension } from "../messages/extension.ts";
import type { Sender } from "../messages/framing.ts";
import { PROPOSAL_TYPE, type Proposal, type ProposalKind } from "../messages/proposal.ts";
import {
  checkAllSupport,
  checkCredentialFits,
  groupRequirements,
  isDefaultProposal,
  type GroupRequirements,
} from "../tree/leaf-rules.ts";
import { TreeDraft } from "../tree/tree-draft.ts";
import { applyAdd, applyRemove, applyUpdate } from "./apply-proposals.ts";
import {
  checkMemberProposals,
  reinitOf,
  removedLeaf,
  type PendingProposal,
  type ResolvedProposal,
} from "./proposals.ts";
import { verifyPublicKeys, verifySignatures } from "./protect.ts";
import { resolvePskSecret } from "./psks.ts";
import type { GroupState } from "./state.ts";

/** What of a proposal is verified once it is known to fit. */
interface Open {
  readonly checks: readonly SignatureCheck[];
  readonly keys: readonly Uint8Array[];
}

const NOTHING_OPEN: Open = { checks: [], keys: [] };

/** Of those that contradict each other the first one tried is taken, and each is judged by the tree it will meet. */
const ORDER: readonly (readonly [kind: ProposalKind, latestFirst: boolean])[] = [
  ["self_remove", false],
  ["remove", false],
  ["group_context_extensions", true],
  ["update", true],
  ["add", false],
  ["psk", false],
  ["app_data_update", false],
  ["reinit", false],
];

class Selection {
  readonly #state: GroupState;
  readonly #given: readonly ResolvedProposal[];
  readonly #appData: AppDataChanges;
  readonly #draft: TreeDraft;
  readonly #taken: (ResolvedProposal & Open & { readonly pending: PendingProposal })[] = [];
  #extensions: readonly Extension[];

  constructor(state: GroupState, given: readonly ResolvedProposal[], appData: AppDataChanges) {
    this.#state = state;
    this.#given = given;
    this.#appData = appData;
    this.#draft = new TreeDraft(state.tree);
    this.#extensions = state.head.context.extensions;
    for (const { proposal, sender } of given) {
      if (proposal.kind === "group_context_extensions") this.#extensions = proposal.extensions;
      const leaf = removedLeaf(proposal, sender);
      if (leaf !== undefined) applyRemove(this.#draft, leaf);
    }
  }

  async choose(): Promise<PendingProposal[]> {
    const waiting = [...this.#state.proposals.values()];
    for (const [kind, latestFirst] of ORDER) {
      const ofKind = waiting.filter(({ proposal }) => proposal.kind === kind);
      for (const pending of latestFirst ? ofKind.reverse() : ofKind) this.#try(pending);
    }
    const verified = await Promise.all(this.#taken.map((item) => this.#isGenuine(item)));
    return this.#taken.filter((_, index) => verified[index]).map(({ pending }) => pending);
  }

  #try(pending: PendingProposal): void {
    const { proposal, sender } = pending;
    const item: ResolvedProposal = { proposal, sender, byReference: true };
    const own: Sender & { kind: "member" } = { kind: "member", leafIndex: this.#state.head.ownLeafIndex };
    try {
      checkMemberProposals([...this.#taken, item, ...this.#given], own, this.#state.head.context.extensions);
      this.#taken.push({ ...item, pending, ...this.#apply(proposal, sender) });
    } catch (error) {
      if (!(error instanceof ValidationError) && !(error instanceof DecodeError)) throw error;
    }
  }

  /** What every leaf of the new epoch has to support: of its context, and of the proposals that lead to it. */
  #requirements(): GroupRequirements {
    const requirements = groupRequirements(this.#extensions);
    const types = [...this.#taken, ...this.#given].map(({ proposal }) => PROPOSAL_TYPE[proposal.kind]);
    const optional = types.filter((type) => !isDefaultProposal(type));
    return { ...requirements, proposals: [...new Set([...requirements.proposals, ...optional])] };
  }

  /** Applies a proposal to the draft, which stays as it is when the proposal breaks a rule. */
  #apply(proposal: Proposal, sender: Sender): Open {
    const { head, suite, config } = this.#state;
    const type = PROPOSAL_TYPE[proposal.kind];
    if (!isDefaultProposal(type)) {
      checkAllSupport(this.#draft, { extensions: [], proposals: [type], credentials: [] });
    }
    const leaf = removedLeaf(proposal, sender);
    if (leaf !== undefined) applyRemove(this.#draft, leaf);
    if (proposal.kind === "update") {
      const { leafNode } = proposal;
      const leafIndex = sender.kind === "member" ? sender.leafIndex : undefined;
      checkCredentialFits(this.#draft, leafNode);
      const update = { leafNode, leafIndex };
      const check = applyUpdate(this.#draft, head.context.groupId, this.#requirements(), update);
      return { checks: [check], keys: [leafNode.encryptionKey] };
    }
    if (proposal.kind === "add") {
      const { keyPackage } = proposal;
      checkCredentialFits(this.#draft, keyPackage.leafNode);
      const { checks } = applyAdd(this.#draft, head.context, this.#requirements(), keyPackage);
      return { checks, keys: [keyPackage.initKey, keyPackage.leafNode.encryptionKey] };
    }
    if (proposal.kind === "group_context_extensions") {
      checkAllSupport(this.#draft, groupRequirements(proposal.extensions));
      this.#extensions = proposal.extensions;
    }
    if (proposal.kind === "psk") {
      const source = { suite, config, initial: head.context.epoch === 0n, state: this.#state };
      resolvePskSecret(source, [proposal.psk]);
    }
    if (proposal.kind === "app_data_update" && !this.#appData.has(proposal.componentId)) {
      throw new ValidationError("app-data-values", "there is no new value for a component that the proposal changes");
    }
    reinitOf([{ proposal }], head.context.version);
    return NOTHING_OPEN;
  }

  async #isGenuine({ checks, keys }: Open): Promise<boolean> {
    try {
      await verifySignatures(this.#state, checks);
      await verifyPublicKeys(this.#state, keys);
      return true;
    } catch (error) {
      if (error instanceof ValidationError) return false;
      throw error;
    }
  }
}

/**
 * Of the proposals that wait in an epoch all that one commit can cover beside the given ones (RFC 9420 §12.4): whoever
 * sends a bad proposal, or one that contradicts another, keeps nobody from committing the rest. A removal is taken before
 * an Update of the same leaf, the later Update before the earlier, anything before a ReInit (§12.2), an AppDataUpdate
 * only with a new value in `appData`, and an AppEphemeral never: only the application knows whether it is one of its own.
 */
export async function selectProposals(
  state: GroupState,
  given: readonly ResolvedProposal[],
  appData: AppDataChanges,
): Promise<PendingProposal[]> {
  return new Selection(state, given, appData).choose();
}
