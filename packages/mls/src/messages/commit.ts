import type { Reader } from "../codec/reader.ts";
import type { Writer } from "../codec/writer.ts";
import { decodeHpkeCiphertext, encodeHpkeCiphertext, type HpkeCiphertext } from "../crypto/hpke.ts";
import { DecodeError } from "../errors.ts";
import { MLS_LIMITS } from "../limits.ts";
import { decodeLeafNode, encodeLeafNode, type LeafNode } from "./leaf-node.ts";
import { decodeProposal, encodeProposal, type Proposal } from "./proposal.ts";

/** ProposalOrRef (RFC 9420 §12.4). */
export type ProposalOrRef =
  | { readonly kind: "proposal"; readonly proposal: Proposal }
  | { readonly kind: "reference"; readonly reference: Uint8Array };

/** UpdatePathNode (RFC 9420 §7.6). */
export interface UpdatePathNode {
  readonly encryptionKey: Uint8Array;
  readonly encryptedPathSecrets: readonly HpkeCiphertext[];
}

/** UpdatePath (RFC 9420 §7.6): the committer's new leaf and one node for each level of its filtered direct path. */
export interface UpdatePath {
  readonly leafNode: LeafNode;
  readonly nodes: readonly UpdatePathNode[];
}

/** Commit (RFC 9420 §12.4). */
export interface Commit {
  readonly proposals: readonly ProposalOrRef[];
  readonly path: UpdatePath | undefined;
}

const PROPOSAL = 1;
const REFERENCE = 2;

export function encodeUpdatePath(writer: Writer, path: UpdatePath): void {
  encodeLeafNode(writer, path.leafNode);
  writer.vector(path.nodes, (inner, node) => {
    inner.opaque(node.encryptionKey);
    inner.vector(node.encryptedPathSecrets, encodeHpkeCiphertext);
  });
}

export function decodeUpdatePath(reader: Reader): UpdatePath {
  return {
    leafNode: decodeLeafNode(reader),
    nodes: reader.vector((inner) => ({
      encryptionKey: inner.opaque(),
      encryptedPathSecrets: inner.vector(decodeHpkeCiphertext, MLS_LIMITS.maxLeaves),
    })),
  };
}

export function encodeCommit(writer: Writer, commit: Commit): void {
  writer.vector(commit.proposals, (inner, item) => {
    if (item.kind === "proposal") {
      inner.u8(PROPOSAL);
      encodeProposal(inner, item.proposal);
    } else {
      inner.u8(REFERENCE);
      inner.opaque(item.reference);
    }
  });
  writer.optional(commit.path, encodeUpdatePath);
}

function decodeProposalOrRef(reader: Reader): ProposalOrRef {
  const type = reader.u8();
  if (type === PROPOSAL) return { kind: "proposal", proposal: decodeProposal(reader) };
  if (type === REFERENCE) return { kind: "reference", reference: reader.opaque() };
  throw new DecodeError(`ProposalOrRef type ${type} is unknown`);
}

export function decodeCommit(reader: Reader): Commit {
  return {
    proposals: reader.vector(decodeProposalOrRef, MLS_LIMITS.maxProposals),
    path: reader.optional(decodeUpdatePath),
  };
}
