import {
  decodeExact,
  decodeMlsMessage,
  encode,
  encodeKeyPackage,
  encodeMlsMessage,
  EXTENSION_TYPE,
  findExtension,
  replaceExtension,
  type CipherSuite,
  type GroupInfo,
  type KeyPackage,
  type MlsMessage,
} from "@latchkey/mls";
import {
  computeMembershipTag,
  decodeGroupInfo,
  decodeRatchetTree,
  deriveWelcomeKey,
  deriveWelcomeSecret,
  encodeGroupSecrets,
  encodeRatchetTree,
  encryptWithLabel,
  leafTreeNode,
  parentTreeNode,
  RatchetTree,
  SecretTree,
  sealPrivateMessage,
  signFramedContent,
  signGroupInfo,
  signLeafNode,
  signWithLabel,
  zeroSecret,
} from "@latchkey/mls/internals";
import type { SeededRandom } from "../random.ts";
import type { Corpus } from "./corpus.ts";
import { EDGES, mutateValue } from "./mutate.ts";

/** Damage that carries valid signatures, tags and encryption: what a member, a joiner or a host of a GroupInfo can send. */
export interface Forgery {
  readonly bytes: Uint8Array;
  readonly how: string;
}

type PublicMessage = Extract<MlsMessage, { wireFormat: "public_message" }>["message"];

const EMPTY = new Uint8Array(0);

const suiteOf = ({ config, bob }: Corpus): CipherSuite => config.crypto.suite(bob.cipherSuite);

/** The PublicMessages among the samples. */
function publicMessages(corpus: Corpus): PublicMessage[] {
  return corpus.messages.flatMap(({ bytes }) => {
    const decoded = decodeMlsMessage(bytes);
    return decoded.wireFormat === "public_message" ? [decoded.message] : [];
  });
}

/** Other content in a PublicMessage, signed by alice with her membership tag, or by the outsider. */
export async function forgePublicMessage(corpus: Corpus, random: SeededRandom): Promise<Forgery> {
  const { insider, outsider, bob } = corpus;
  const suite = suiteOf(corpus);
  const original = random.pick(publicMessages(corpus));
  const { value, how } = mutateValue({ content: original.content, auth: original.auth }, random);
  const isMember = original.content.sender.kind === "member";
  const content = isMember && random.chance(0.8) ? { ...value.content, sender: aliceAsSender(corpus) } : value.content;
  const { privateKey } = (isMember ? insider : { config: outsider }).config.identity.signatureKeyPair;
  const signature = await signFramedContent(suite, privateKey, "public_message", content, bob.contextBytes);
  const auth = { ...value.auth, signature };
  const membershipTag = isMember
    ? computeMembershipTag(suite, insider.secrets.membership, content, auth, bob.contextBytes)
    : undefined;
  const message = { content, auth, membershipTag };
  return { bytes: encodeMlsMessage({ wireFormat: "public_message", message }), how };
}

function aliceAsSender({ insider }: Corpus) {
  return { kind: "member", leafIndex: insider.group.ownLeafIndex } as const;
}

/** Other content in a PrivateMessage that alice encrypts, at any generation. */
export async function forgePrivateMessage(corpus: Corpus, random: SeededRandom): Promise<Forgery> {
  const { insider, bob } = corpus;
  const suite = suiteOf(corpus);
  const members = publicMessages(corpus).filter(({ content }) => content.sender.kind === "member");
  const original = random.pick(members);
  const { value, how } = mutateValue({ content: original.content, auth: original.auth }, random);
  const content = { ...value.content, sender: aliceAsSender(corpus) };
  const { privateKey } = insider.config.identity.signatureKeyPair;
  const signature = await signFramedContent(suite, privateKey, "private_message", content, bob.contextBytes);
  const auth = { ...value.auth, signature };
  const generation = random.chance(0.7) ? random.int(40) : random.pick([...EDGES, 2 ** 31, 2 ** 32 - 1]);
  const leaf = insider.group.ownLeafIndex;
  const tree = SecretTree.fromEncryptionSecret(suite, 8, insider.secrets.encryption);
  const key = tree.take(leaf, content.content.kind, Math.min(generation, 40))?.key;
  if (key === undefined) throw new Error("the generation is used up");
  const authenticated = { wireFormat: "private_message", content, auth } as const;
  const padding = random.pick([0, 0, 1, 5000]);
  const { senderData } = insider.secrets;
  const message = sealPrivateMessage(suite, authenticated, leaf, generation, key, senderData, padding);
  return {
    bytes: encodeMlsMessage({ wireFormat: "private_message", message }),
    how: `${how}, generation ${generation}`,
  };
}

/** Another ratchet tree with its own tree hash in the context, so that what comes behind that check is reached. */
function withOtherTree(suite: CipherSuite, groupInfo: GroupInfo, random: SeededRandom) {
  const data = findExtension(groupInfo.extensions, EXTENSION_TYPE.ratchetTree) ?? EMPTY;
  const { value, how } = mutateValue(decodeRatchetTree(data), random);
  const nodes = value.map((node) => {
    if (node === undefined) return undefined;
    return node.kind === "leaf" ? leafTreeNode(node.leaf) : parentTreeNode(node.parent);
  });
  const context = { ...groupInfo.context, treeHash: new RatchetTree(suite, nodes).treeHash() };
  const extension = { type: EXTENSION_TYPE.ratchetTree, data: encodeRatchetTree(nodes) };
  const extensions = replaceExtension(groupInfo.extensions, extension);
  return { value: { ...groupInfo, context, extensions }, how: `tree ${how}` };
}

async function forgedGroupInfo(corpus: Corpus, groupInfo: GroupInfo, random: SeededRandom) {
  const { value, how } = random.chance(0.5)
    ? withOtherTree(suiteOf(corpus), groupInfo, random)
    : mutateValue(groupInfo, random);
  const { privateKey } = corpus.insider.config.identity.signatureKeyPair;
  return { message: await signGroupInfo(suiteOf(corpus), privateKey, value), how };
}

/** A GroupInfo with something else in it, ratchet tree included, signed by alice. */
export async function forgeGroupInfo(corpus: Corpus, random: SeededRandom): Promise<Forgery> {
  const decoded = decodeMlsMessage(corpus.groupInfo);
  if (decoded.wireFormat !== "group_info") throw new Error("expected a GroupInfo");
  const { message, how } = await forgedGroupInfo(corpus, decoded.message, random);
  return { bytes: encodeMlsMessage({ wireFormat: "group_info", message }), how };
}

/** A key package with something else in it, leaf and package signed by its owner. */
export async function forgeKeyPackage(corpus: Corpus, random: SeededRandom): Promise<Forgery> {
  const suite = suiteOf(corpus);
  const { privateKey } = corpus.guest.identity.signatureKeyPair;
  const { value, how } = mutateValue<KeyPackage>(corpus.bundle.keyPackage, random);
  const position = { groupId: EMPTY, leafIndex: corpus.bob.ownLeafIndex };
  const leafNode = await signLeafNode(suite, privateKey, value.leafNode, position);
  const unsigned = encode({ ...value, leafNode, signature: EMPTY }, encodeKeyPackage);
  const signature = await signWithLabel(suite, privateKey, "KeyPackageTBS", unsigned.subarray(0, unsigned.length - 1));
  return { bytes: encode({ ...value, leafNode, signature }, encodeKeyPackage), how };
}

/** A Welcome by alice whose GroupInfo or group secrets hold something else, rightly encrypted. */
export async function forgeWelcome(corpus: Corpus, random: SeededRandom): Promise<Forgery> {
  const suite = suiteOf(corpus);
  const decoded = decodeMlsMessage(corpus.welcome);
  if (decoded.wireFormat !== "welcome") throw new Error("expected a Welcome");
  const { joinerSecret } = corpus.insider;
  const { key, nonce } = deriveWelcomeKey(suite, deriveWelcomeSecret(suite, joinerSecret, zeroSecret(suite)));
  const opened = suite.aeadOpen(key, nonce, EMPTY, decoded.message.encryptedGroupInfo);
  const { message, how } = await forgedGroupInfo(corpus, decodeExact(opened, decodeGroupInfo), random);
  const groupInfo = encodeMlsMessage({ wireFormat: "group_info", message }).subarray(4);
  const encryptedGroupInfo = suite.aeadSeal(key, nonce, EMPTY, groupInfo);
  const pathSecret = new Uint8Array(suite.hashLength);
  const secrets = random.chance(0.3)
    ? mutateValue({ joinerSecret, pathSecret, psks: [] }, random).value
    : { joinerSecret, pathSecret: undefined, psks: [] };
  const { initKey } = corpus.bundle.keyPackage;
  const encryptedGroupSecrets = await encryptWithLabel(
    suite,
    initKey,
    "Welcome",
    encryptedGroupInfo,
    encodeGroupSecrets(secrets),
  );
  const entry = { newMember: corpus.bundle.reference, encryptedGroupSecrets };
  const welcome = { ...decoded.message, secrets: [entry], encryptedGroupInfo };
  return { bytes: encodeMlsMessage({ wireFormat: "welcome", message: welcome }), how };
}
