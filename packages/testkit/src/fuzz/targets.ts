import {
  createExternalCommit,
  decodeAppDataDictionary,
  decodeExact,
  decodeExternalSenders,
  decodeKeyPackage,
  decodeKeyPackageBundle,
  decodeMlsMessage,
  decodeRequiredCapabilities,
  decodeRows,
  encode,
  encodeAppDataDictionary,
  encodeKeyPackageBundle,
  encodeMlsMessage,
  encodeRequiredCapabilities,
  encodeRows,
  equalBytes,
  EXTENSION_TYPE,
  findExtension,
  LatchkeyError,
  MlsGroup,
  peekMlsMessage,
  VerifiedTreeCache,
  verifyGroupInfo,
  verifyKeyPackage,
} from "@latchkey/mls";
import {
  decodeCommit,
  decodeGroupInfo,
  decodeGroupSecrets,
  decodeProposal,
  decodeRatchetTree,
  encodeCommit,
  encodeGroupSecrets,
  encodeProposal,
  encodeRatchetTree,
} from "@latchkey/mls/internals";
import type { SeededRandom } from "../random.ts";
import { allMessages, COMPONENT, LEAF, type Corpus } from "./corpus.ts";
import { forgeGroupInfo, forgeKeyPackage, forgePrivateMessage, forgePublicMessage, forgeWelcome } from "./forge.ts";
import type { Forgery } from "./forge.ts";
import { mutateBytes } from "./mutate.ts";

/** Something that takes bytes from outside, and how those are made. */
export interface Target {
  readonly name: string;
  /** What it may throw: a decoder only DecodeError, the rest any error of the family. */
  readonly throws: "DecodeError" | "LatchkeyError";
  readonly make: (random: SeededRandom) => Forgery | Promise<Forgery>;
  readonly take: (bytes: Uint8Array) => unknown;
}

/** Blind damage to one of some real values. */
function damaged(samples: readonly Uint8Array[]): Target["make"] {
  return (random) => mutateBytes(random.pick(samples), random, random.pick(samples));
}

/** Decodes, and checks that what was decoded is encoded to the same bytes. */
function canonical<T>(decode: (bytes: Uint8Array) => T, encodeAgain: (value: T) => Uint8Array): Target["take"] {
  return (bytes) => {
    if (!equalBytes(encodeAgain(decode(bytes)), bytes)) throw new Error("what was decoded has another encoding");
  };
}

function decoder(name: string, samples: readonly Uint8Array[], take: Target["take"]): Target {
  return { name, throws: "DecodeError", make: damaged(samples), take };
}

function decoders(corpus: Corpus): Target[] {
  const messages = allMessages(corpus).map(({ bytes }) => bytes);
  const info = decodeMlsMessage(corpus.groupInfo);
  if (info.wireFormat !== "group_info") throw new Error("expected a GroupInfo");
  const { extensions, context } = info.message;
  const extension = (type: number, from = extensions) => [findExtension(from, type) ?? new Uint8Array(0)];
  const contents = messages.flatMap((bytes) => {
    const decoded = decodeMlsMessage(bytes);
    return decoded.wireFormat === "public_message" ? [decoded.message.content.content] : [];
  });
  const commits = contents.flatMap((content) =>
    content.kind === "commit" ? [encode(content.commit, encodeCommit)] : [],
  );
  const proposals = contents.flatMap((content) =>
    content.kind === "proposal" ? [encode(content.proposal, encodeProposal)] : [],
  );
  const types = [1, 2, 3];
  const required = { extensionTypes: types, proposalTypes: types, credentialTypes: types };
  const secrets = { joinerSecret: new Uint8Array(32), pathSecret: new Uint8Array(32), psks: [] };
  const appData = encodeAppDataDictionary(new Map([[COMPONENT, new Uint8Array(40)]]));
  return [
    decoder("decodeMlsMessage", messages, canonical(decodeMlsMessage, encodeMlsMessage)),
    decoder("peekMlsMessage", messages, peekMlsMessage),
    decoder(
      "decodeCommit",
      commits,
      canonical(
        (bytes) => decodeExact(bytes, decodeCommit),
        (commit) => encode(commit, encodeCommit),
      ),
    ),
    decoder(
      "decodeProposal",
      proposals,
      canonical(
        (bytes) => decodeExact(bytes, decodeProposal),
        (proposal) => encode(proposal, encodeProposal),
      ),
    ),
    decoder("decodeKeyPackage", [corpus.bundle.bytes], (bytes) => decodeExact(bytes, decodeKeyPackage)),
    decoder("decodeGroupInfo", [corpus.groupInfo.subarray(4)], (bytes) => decodeExact(bytes, decodeGroupInfo)),
    decoder(
      "decodeRatchetTree",
      extension(EXTENSION_TYPE.ratchetTree),
      canonical(decodeRatchetTree, encodeRatchetTree),
    ),
    decoder(
      "decodeExternalSenders",
      extension(EXTENSION_TYPE.externalSenders, context.extensions),
      decodeExternalSenders,
    ),
    decoder(
      "decodeRequiredCapabilities",
      [encodeRequiredCapabilities(required)],
      canonical(decodeRequiredCapabilities, encodeRequiredCapabilities),
    ),
    decoder("decodeAppDataDictionary", [appData], canonical(decodeAppDataDictionary, encodeAppDataDictionary)),
    decoder("decodeGroupSecrets", [encodeGroupSecrets(secrets)], canonical(decodeGroupSecrets, encodeGroupSecrets)),
    decoder("decodeKeyPackageBundle", [encodeKeyPackageBundle(corpus.bundle)], decodeKeyPackageBundle),
    decoder("decodeRows", [encodeRows(corpus.bob.snapshot())], decodeRows),
  ];
}

function typed(name: string, make: Target["make"], take: Target["take"]): Target {
  return { name, throws: "LatchkeyError", make, take };
}

/** The rule that a GroupInfo breaks, or else the code of its error; undefined for a good one. */
async function verdictOn(
  config: Parameters<typeof verifyGroupInfo>[0],
  bytes: Uint8Array,
): Promise<string | undefined> {
  try {
    await verifyGroupInfo(config, bytes);
    return undefined;
  } catch (error) {
    if (error instanceof LatchkeyError) return error.rule ?? error.code;
    throw error;
  }
}

/** A GroupInfo is judged alike by itself and beside the good one it was made from. */
async function expectOneVerdict({ outsider, groupInfo }: Corpus, bytes: Uint8Array): Promise<void> {
  const retrying = { ...outsider, verifiedTrees: new VerifiedTreeCache() };
  await verifyGroupInfo(retrying, groupInfo);
  const [alone, beside] = [await verdictOn(outsider, bytes), await verdictOn(retrying, bytes)];
  if (alone === beside) return;
  throw new Error(`a GroupInfo is ${alone ?? "good"} by itself and ${beside ?? "good"} beside a verified tree`);
}

/** All rows of a group, one of them damaged. */
function damagedRow(rows: readonly (readonly [string, Uint8Array])[]): Target["make"] {
  return (random) => {
    const at = random.int(rows.length);
    let how = "";
    const damagedRows = rows.map(([key, value], index) => {
      if (index !== at) return [key, value] as const;
      const mutated = mutateBytes(value, random, random.pick(rows)[1]);
      how = `${key}: ${mutated.how}`;
      return [key, mutated.bytes] as const;
    });
    return { bytes: encodeRows(new Map(damagedRows)), how };
  };
}

/** All that reads bytes from outside, with everything the corpus knows to send there. */
export function targetsOf(corpus: Corpus): Target[] {
  const { bob, config, outsider, guest, bundle } = corpus;
  const messages = allMessages(corpus).map(({ bytes }) => bytes);
  const take = async (message: Uint8Array): Promise<void> => {
    const received = await bob.verify(message);
    if (received.kind === "commit") await bob.stage(received.commit);
  };
  const joinExternally = async (groupInfo: Uint8Array): Promise<void> => {
    await expectOneVerdict(corpus, groupInfo);
    await createExternalCommit(outsider, await verifyGroupInfo(outsider, groupInfo), { leaf: LEAF });
  };
  const joinByWelcome = (welcome: Uint8Array) => MlsGroup.fromWelcome(guest, welcome, [bundle]);
  const checkKeyPackage = (bytes: Uint8Array) =>
    verifyKeyPackage(config.crypto, bytes, { cipherSuite: bob.cipherSuite, nowSeconds: 1_800_000_000n });
  const rows = [...bob.snapshot()];
  const forged = (forge: (from: Corpus, random: SeededRandom) => Promise<Forgery>) => (random: SeededRandom) =>
    forge(corpus, random);
  return [
    ...decoders(corpus),
    typed("verify, damaged", damaged(messages), take),
    typed("verify, PublicMessage forged by a member or a joiner", forged(forgePublicMessage), take),
    typed("verify, PrivateMessage forged by a member", forged(forgePrivateMessage), take),
    typed("external join, damaged", damaged([corpus.groupInfo]), joinExternally),
    typed("external join, forged by a member", forged(forgeGroupInfo), joinExternally),
    typed("Welcome, damaged", damaged([corpus.welcome]), joinByWelcome),
    typed("Welcome, forged by a member", forged(forgeWelcome), joinByWelcome),
    typed("verifyKeyPackage, damaged", damaged([bundle.bytes]), checkKeyPackage),
    typed("verifyKeyPackage, forged by its owner", forged(forgeKeyPackage), checkKeyPackage),
    typed("load, one stored row damaged", damagedRow(rows), (bytes) => {
      MlsGroup.load(
        config,
        [...decodeRows(bytes)].flatMap(([key, value]) => (value === null ? [] : [[key, value]])),
      );
    }),
  ];
}
