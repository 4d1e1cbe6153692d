import { equalBytes } from "../bytes.ts";
import type { CryptoProvider } from "../crypto/provider.ts";
import { StateError } from "../errors.ts";
import { signFramedContent, type FramedContent, type Sender } from "../messages/framing.ts";
import type { KeyPackage } from "../messages/key-package.ts";
import { encodeMlsMessage } from "../messages/mls-message.ts";
import type { Proposal } from "../messages/proposal.ts";
import type { SigningIdentity } from "./config.ts";

/** Which group and epoch a proposal from outside is for. */
export interface ExternalProposalTarget {
  readonly cipherSuite: number;
  readonly groupId: Uint8Array;
  readonly epoch: bigint;
}

type Outsider = { readonly crypto: CryptoProvider; readonly identity: SigningIdentity };

async function frame(config: Outsider, target: ExternalProposalTarget, sender: Sender, proposal: Proposal) {
  const { groupId, epoch } = target;
  const authenticatedData = new Uint8Array(0);
  const content: FramedContent = { groupId, epoch, sender, authenticatedData, content: { kind: "proposal", proposal } };
  const suite = config.crypto.suite(target.cipherSuite);
  const { privateKey } = config.identity.signatureKeyPair;
  const signature = await signFramedContent(suite, privateKey, "public_message", content, new Uint8Array(0));
  const auth = { signature, confirmationTag: undefined };
  return encodeMlsMessage({ wireFormat: "public_message", message: { content, auth, membershipTag: undefined } });
}

/** A proposal by the external sender at that index of the group's `external_senders` (RFC 9420 §12.1.8); an MLSMessage. */
export async function createExternalProposal(
  config: Outsider,
  target: ExternalProposalTarget,
  senderIndex: number,
  proposal: Proposal,
): Promise<Uint8Array> {
  return frame(config, target, { kind: "external", senderIndex }, proposal);
}

/**
 * A proposal by somebody who is not a member to be added (RFC 9420 §12.1.8); an MLSMessage.
 * Throws StateError when the key package is not the proposer's own, because members would refuse that.
 */
export async function createNewMemberProposal(
  config: Outsider,
  target: ExternalProposalTarget,
  keyPackage: KeyPackage,
): Promise<Uint8Array> {
  if (!equalBytes(keyPackage.leafNode.signatureKey, config.identity.signatureKeyPair.publicKey)) {
    throw new StateError("a new member proposes its own key package");
  }
  return frame(config, target, { kind: "new_member_proposal" }, { kind: "add", keyPackage });
}
