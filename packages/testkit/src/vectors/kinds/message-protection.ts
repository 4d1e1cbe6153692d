import {
  asLeafIndex,
  type CipherSuite,
  type CryptoProvider,
  decodeExact,
  decodeMlsMessage,
  encode,
  encodeMlsMessage,
  type FramingWireFormat,
  groupContextBytes,
  PROTOCOL_VERSION_MLS10,
} from "@latchkey/mls";
import {
  type AuthenticatedContent,
  computeMembershipTag,
  type Content,
  decodeCommit,
  decodeProposal,
  encodeContentBody,
  framedContentCheck,
  membershipTagMatches,
  openPrivateContent,
  openSenderData,
  sealPrivateMessage,
  SecretTree,
  signFramedContent,
} from "@latchkey/mls/internals";
import { expectBytes, expectSame, expectSignature, expectTrue, VectorMismatch } from "../expect.ts";
import { bytesField, numberField, type Fields } from "../fields.ts";
import { suiteOf, type VectorKind } from "../kind.ts";

const SENDER = asLeafIndex(1);
const MEMBERS = 2;
const PADDING = 7;

interface Group {
  readonly suite: CipherSuite;
  readonly groupId: Uint8Array;
  readonly epoch: bigint;
  readonly contextBytes: Uint8Array;
  readonly signaturePrivateKey: Uint8Array;
  readonly signatureKey: Uint8Array;
  readonly encryptionSecret: Uint8Array;
  readonly senderDataSecret: Uint8Array;
  readonly membershipKey: Uint8Array;
}

function readGroup(vector: Fields, crypto: CryptoProvider): Group {
  const suite = suiteOf(vector, crypto);
  const groupId = bytesField(vector, "group_id");
  const epoch = BigInt(numberField(vector, "epoch"));
  return {
    suite,
    groupId,
    epoch,
    contextBytes: groupContextBytes({
      version: PROTOCOL_VERSION_MLS10,
      cipherSuite: suite.id,
      groupId,
      epoch,
      treeHash: bytesField(vector, "tree_hash"),
      confirmedTranscriptHash: bytesField(vector, "confirmed_transcript_hash"),
      extensions: [],
    }),
    signaturePrivateKey: bytesField(vector, "signature_priv"),
    signatureKey: bytesField(vector, "signature_pub"),
    encryptionSecret: bytesField(vector, "encryption_secret"),
    senderDataSecret: bytesField(vector, "sender_data_secret"),
    membershipKey: bytesField(vector, "membership_key"),
  };
}

/** Checks what both framings have in common: sender, place, signature and the protected value. */
async function expectContent(group: Group, message: AuthenticatedContent, raw: Content): Promise<void> {
  const { content } = message;
  const name = `the ${message.wireFormat} with the ${raw.kind}`;
  expectBytes(`the group id of ${name}`, content.groupId, group.groupId);
  expectTrue(`the epoch of ${name} is that of the case`, content.epoch === group.epoch);
  expectTrue(
    `the sender of ${name} is member 1`,
    content.sender.kind === "member" && content.sender.leafIndex === SENDER,
  );
  expectSame<string>(`the content of ${name}`, content.content.kind, raw.kind);
  expectBytes(`the value in ${name}`, encode(content.content, encodeContentBody), encode(raw, encodeContentBody));
  const check = framedContentCheck(message, group.signatureKey, group.contextBytes);
  await expectSignature(name, group.suite, check);
}

async function unprotectPublic(group: Group, bytes: Uint8Array, raw: Content): Promise<AuthenticatedContent> {
  const decoded = decodeMlsMessage(bytes);
  if (decoded.wireFormat !== "public_message") throw new VectorMismatch("a public message is of another wire format");
  const { message } = decoded;
  const tagMatches = membershipTagMatches(group.suite, group.membershipKey, message, group.contextBytes);
  expectTrue(`the membership tag of the ${raw.kind} matches`, tagMatches);
  const signed: AuthenticatedContent = { wireFormat: "public_message", content: message.content, auth: message.auth };
  await expectContent(group, signed, raw);
  return signed;
}

async function unprotectPrivate(group: Group, bytes: Uint8Array, raw: Content): Promise<AuthenticatedContent> {
  const { suite } = group;
  const decoded = decodeMlsMessage(bytes);
  if (decoded.wireFormat !== "private_message") throw new VectorMismatch("a private message is of another wire format");
  const { message } = decoded;
  const senderData = openSenderData(suite, message, group.senderDataSecret);
  const tree = SecretTree.fromEncryptionSecret(suite, MEMBERS, group.encryptionSecret);
  const taken = tree.take(senderData.leafIndex, message.contentKind, senderData.generation);
  if (taken === undefined) throw new VectorMismatch("a fresh secret tree has no key for the message");
  const { content, auth } = openPrivateContent(suite, message, senderData, taken.key);
  const signed: AuthenticatedContent = {
    wireFormat: "private_message",
    content: {
      groupId: message.groupId,
      epoch: message.epoch,
      sender: { kind: "member", leafIndex: senderData.leafIndex },
      authenticatedData: message.authenticatedData,
      content,
    },
    auth,
  };
  await expectContent(group, signed, raw);
  return signed;
}

async function sign(group: Group, wireFormat: FramingWireFormat, like: AuthenticatedContent, raw: Content) {
  const { suite, signaturePrivateKey, contextBytes } = group;
  const content = { ...like.content, content: raw };
  const signature = await signFramedContent(suite, signaturePrivateKey, wireFormat, content, contextBytes);
  return { wireFormat, content, auth: { signature, confirmationTag: like.auth.confirmationTag } };
}

async function protectPublic(group: Group, like: AuthenticatedContent, raw: Content): Promise<Uint8Array> {
  const { suite, membershipKey, contextBytes } = group;
  const { content, auth } = await sign(group, "public_message", like, raw);
  const membershipTag = computeMembershipTag(suite, membershipKey, content, auth, contextBytes);
  return encodeMlsMessage({ wireFormat: "public_message", message: { content, auth, membershipTag } });
}

async function protectPrivate(group: Group, like: AuthenticatedContent, raw: Content): Promise<Uint8Array> {
  const { suite } = group;
  const signed = await sign(group, "private_message", like, raw);
  const tree = SecretTree.fromEncryptionSecret(suite, MEMBERS, group.encryptionSecret);
  const { generation, key } = tree.next(SENDER, raw.kind);
  const message = sealPrivateMessage(suite, signed, SENDER, generation, key, group.senderDataSecret, PADDING);
  return encodeMlsMessage({ wireFormat: "private_message", message });
}

async function verify(vector: Fields, crypto: CryptoProvider): Promise<void> {
  const group = readGroup(vector, crypto);
  const raws: readonly Content[] = [
    { kind: "proposal", proposal: decodeExact(bytesField(vector, "proposal"), decodeProposal) },
    { kind: "commit", commit: decodeExact(bytesField(vector, "commit"), decodeCommit) },
    { kind: "application", data: bytesField(vector, "application") },
  ];
  for (const raw of raws) {
    const received = await unprotectPrivate(group, bytesField(vector, `${raw.kind}_priv`), raw);
    await unprotectPrivate(group, await protectPrivate(group, received, raw), raw);
    // Protecting application data as a PublicMessage must fail; the engine has no function that would do it.
    if (raw.kind === "application") continue;
    await unprotectPublic(group, bytesField(vector, `${raw.kind}_pub`), raw);
    await unprotectPublic(group, await protectPublic(group, received, raw), raw);
  }
}

/** "Message Protection": both framings, both directions (RFC 9420 §6). */
export const messageProtection: VectorKind = {
  files: ["message-protection"],
  shape: ["proposal_pub", "commit_priv", "application_priv"],
  verify,
};
