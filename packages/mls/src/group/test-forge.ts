import { hpkeSetupSender } from "../crypto/hpke.ts";
import { utf8 } from "../bytes.ts";
import type { Commit, ProposalOrRef } from "../messages/commit.ts";
import { signFramedContent, type FramedContent } from "../messages/framing.ts";
import { decodeMlsMessage, encodeMlsMessage } from "../messages/mls-message.ts";
import type { Proposal } from "../messages/proposal.ts";
import { computeMembershipTag, type PublicMessage } from "../messages/public-message.ts";
import { nodeCrypto } from "../node/index.ts";
import { EXTERNAL_INIT_LABEL } from "../schedule/key-schedule.ts";
import { interimTranscriptHash } from "../schedule/transcript.ts";
import { TreeDraft } from "../tree/tree-draft.ts";
import { buildCommit } from "./build-commit.ts";
import type { GroupConfig } from "./config.ts";
import { LEAF, SUITE, type TestMember } from "./test-groups.ts";
import { loadState } from "./state.ts";
import type { VerifiedGroupInfo } from "./verify-group-info.ts";

/** Builders of illegal messages: correctly signed and framed, and breaking one rule each. */

const suite = nodeCrypto.suite(SUITE);
const NO_DATA = new Uint8Array(0);
const NOTHING_APPLIED = {
  added: [],
  removed: [],
  updated: [],
  extensions: [],
  touchedComponents: new Set<number>(),
  checks: [],
};

/** The PublicMessage in an encoded MLSMessage. */
export function publicMessageIn(message: Uint8Array): PublicMessage {
  const decoded = decodeMlsMessage(message);
  if (decoded.wireFormat !== "public_message") throw new Error(`expected a PublicMessage, got ${decoded.wireFormat}`);
  return decoded.message;
}

export function encodePublic(message: PublicMessage): Uint8Array {
  return encodeMlsMessage({ wireFormat: "public_message", message });
}

/** An external commit with any proposals, properly signed; what it does to the tree is not even tried. */
export async function forgeExternalCommit(
  config: GroupConfig,
  info: VerifiedGroupInfo,
  proposals: readonly ProposalOrRef[],
): Promise<Uint8Array> {
  const draft = new TreeDraft(info.tree);
  const built = await buildCommit({
    suite,
    identity: config.identity,
    draft,
    applied: NOTHING_APPLIED,
    context: info.context,
    contextBytes: info.contextBytes,
    interimTranscriptHash: interimTranscriptHash(suite, info.context.confirmedTranscriptHash, NO_DATA),
    extensions: [],
    sender: { kind: "new_member_commit" },
    committer: draft.reserveLeaf(),
    proposals,
    leaf: LEAF,
    initSecret: suite.randomBytes(32),
    wireFormat: "public_message",
    authenticatedData: NO_DATA,
  });
  const { content, auth } = built.message;
  return encodePublic({ content, auth, membershipTag: undefined });
}

/** A good ExternalInit for a group. */
export async function externalInit(info: VerifiedGroupInfo): Promise<ProposalOrRef> {
  if (info.externalPub === undefined) throw new Error("no external_pub");
  const { kemOutput, context } = await hpkeSetupSender(suite, info.externalPub, NO_DATA);
  context.export(utf8(EXTERNAL_INIT_LABEL), 32);
  return byValue({ kind: "external_init", kemOutput });
}

export function byValue(proposal: Proposal): ProposalOrRef {
  return { kind: "proposal", proposal };
}

/** Changes a member's PublicMessage and signs and tags it again, as that member could. */
export async function forgeMemberMessage(
  member: TestMember,
  message: PublicMessage,
  change: (content: FramedContent) => FramedContent,
): Promise<Uint8Array> {
  const { secrets, contextBytes } = loadState(member.config, member.rows).head;
  const content = change(message.content);
  const { privateKey } = member.config.identity.signatureKeyPair;
  const signature = await signFramedContent(suite, privateKey, "public_message", content, contextBytes);
  const auth = { ...message.auth, signature };
  const membershipTag = computeMembershipTag(suite, secrets.membership, content, auth, contextBytes);
  return encodePublic({ content, auth, membershipTag });
}

/** A commit of a member with changed parts, signed and tagged again. */
export async function forgeMemberCommit(member: TestMember, change: (commit: Commit) => Commit): Promise<Uint8Array> {
  const { message } = await member.group.createCommit({ wireFormat: "public_message", references: [] });
  return forgeMemberMessage(member, publicMessageIn(message), (content) => {
    if (content.content.kind !== "commit") throw new Error("not a commit");
    return { ...content, content: { kind: "commit", commit: change(content.content.commit) } };
  });
}
