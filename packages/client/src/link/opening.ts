import {
  concatBytes,
  constantTimeEqual,
  hpkeOpen,
  hpkeSeal,
  utf8,
  type CipherSuite,
  type KeyPair,
} from "@latchkey/mls";
import { resolveService, ownService, servicePointer } from "../invite/service.ts";
import { clientError } from "../errors.ts";
import { CLIENT_LIMITS } from "../limits.ts";
import { encodeLinkCode, linkCodeBytes, type LinkCode, type LinkRole } from "./code.ts";
import {
  commitment,
  linkDigits,
  openingBox,
  sharedSecret,
  transcriptHash,
  type Revelation,
  type Transcript,
} from "./key-schedule.ts";
import { linkSuite, type LinkContext } from "./link-context.ts";
import { disturbed, expired } from "./link-errors.ts";
import { LinkMailbox, type BoxWait, type FilledBox } from "./mailbox.ts";

const NONCE_BYTES = 32;
const KEY_BYTES = 32;
const SECRET_BYTES = 16;
const INFO = utf8("latchkey link 1 reveal");
const { linkCodeMs, linkMessageBytes } = CLIENT_LIMITS;

/** Both devices have the same secret, unless somebody stands between them: the digits show whether. */
export interface OpenedLink {
  readonly mailbox: LinkMailbox;
  /** 32 bytes. */
  readonly shared: Uint8Array;
  /** Six decimal digits, the same on both devices. */
  readonly digits: string;
  /** The first boxes, which have to stay as they are until the digits were compared. */
  readonly guarded: readonly FilledBox[];
  /** End of the code, by the node's clock. */
  readonly deadlineNs: bigint;
}

function deadlineOf({ expiresAtSeconds }: LinkCode): bigint {
  return BigInt(expiresAtSeconds) * 1_000_000_000n;
}

async function openedLink(
  suite: CipherSuite,
  dh: Uint8Array,
  transcript: Transcript,
  rest: Pick<OpenedLink, "mailbox" | "guarded" | "deadlineNs">,
): Promise<OpenedLink> {
  const hash = transcriptHash(suite, transcript);
  return { ...rest, shared: sharedSecret(suite, hash, dh), digits: linkDigits(suite, hash) };
}

/** What the box with the revelation binds: nobody can move it into another link. */
function revealContext({ commitment: committed, nonce }: Pick<Transcript, "commitment" | "nonce">): Uint8Array {
  return concatBytes(committed, nonce);
}

async function freshKeyPair(suite: CipherSuite): Promise<KeyPair> {
  const privateKey = suite.randomBytes(suite.hpkePrivateKeyLength);
  return { privateKey, publicKey: await suite.dhPublicKey(privateKey) };
}

/**
 * Shows a code and opens the link with the device that reads it (A of the protocol). Its key lives in memory, so that the
 * code is worth nothing once this call has ended.
 *
 * @throws LINK_DISTURBED, LINK_EXPIRED; ARGUMENT_INVALID without an invite service; errors of the network once two minutes are over.
 */
export async function openByShowing(
  context: LinkContext,
  { role, inboxId }: { readonly role: LinkRole; readonly inboxId: string | undefined },
  show: (code: string) => void,
  signal: AbortSignal,
): Promise<OpenedLink> {
  const suite = linkSuite(context);
  const [service] = ownService(context);
  if (service === undefined) {
    throw clientError("ARGUMENT_INVALID", "linking needs an invite service: set `inviteServiceUrl`", {
      data: { argument: "inviteServiceUrl" },
    });
  }
  const keyPair = await freshKeyPair(suite);
  const code: LinkCode = {
    role,
    publicKey: keyPair.publicKey,
    secret: suite.randomBytes(SECRET_BYTES),
    expiresAtSeconds: Number(context.time.bestNs() / 1_000_000_000n) + linkCodeMs / 1_000,
    inboxId,
    serviceUrl: service.url,
  };
  const wait: BoxWait = { deadlineNs: deadlineOf(code), signal };
  const mailbox = new LinkMailbox(context, service);
  const boxes = [0, 1, 2].map((index) => openingBox(suite, code.secret, index as 0 | 1 | 2));
  const [box0, box1, box2] = boxes as [(typeof boxes)[0], (typeof boxes)[0], (typeof boxes)[0]];
  show(encodeLinkCode(suite, code));

  const first = await mailbox.take(box0, wait);
  const committed = first.plaintext;
  // Made only now: whoever committed could not know it.
  const nonce = suite.randomBytes(NONCE_BYTES);
  const second = await mailbox.put(box1, nonce, wait, linkMessageBytes);
  const third = await mailbox.take(box2, wait, [first, second]);
  const revelation = await openRevelation(suite, keyPair, { commitment: committed, nonce }, third.plaintext);
  const bytes = linkCodeBytes(code);
  if (!constantTimeEqual(commitment(suite, bytes, revelation), committed)) throw disturbed();
  const transcript = { code: bytes, commitment: committed, nonce, revelation };
  const dh = await suite.dh(keyPair.privateKey, revelation.publicKey).catch((error: unknown) => {
    throw disturbed(error);
  });
  const guarded = [first, second, third];
  return openedLink(suite, dh, transcript, { mailbox, guarded, deadlineNs: wait.deadlineNs });
}

async function openRevelation(
  suite: CipherSuite,
  keyPair: KeyPair,
  seen: Pick<Transcript, "commitment" | "nonce">,
  sealed: Uint8Array,
): Promise<Revelation> {
  const kemOutput = sealed.subarray(0, suite.hpkePublicKeyLength);
  const ciphertext = sealed.subarray(suite.hpkePublicKeyLength);
  try {
    const bytes = await hpkeOpen(suite, keyPair, INFO, revealContext(seen), { kemOutput, ciphertext });
    if (bytes.length === KEY_BYTES + NONCE_BYTES) {
      return { publicKey: bytes.slice(0, KEY_BYTES), nonce: bytes.slice(KEY_BYTES) };
    }
  } catch (error) {
    throw disturbed(error);
  }
  throw disturbed();
}

/**
 * Opens the link with the device that shows a code (B of the protocol).
 *
 * @throws LINK_DISTURBED, LINK_EXPIRED, INVITE_MALFORMED for a service that may not be spoken to; errors of the network.
 */
export async function openByReading(context: LinkContext, code: LinkCode, signal: AbortSignal): Promise<OpenedLink> {
  const suite = linkSuite(context);
  const wait: BoxWait = { deadlineNs: deadlineOf(code), signal };
  if (context.time.bestNs() >= wait.deadlineNs) throw expired();
  const mailbox = new LinkMailbox(context, await resolveService(context, servicePointer(code.serviceUrl), signal));
  const keyPair = await freshKeyPair(suite);
  const revelation: Revelation = { publicKey: keyPair.publicKey, nonce: suite.randomBytes(NONCE_BYTES) };
  const bytes = linkCodeBytes(code);
  const committed = commitment(suite, bytes, revelation);

  const first = await mailbox.put(openingBox(suite, code.secret, 0), committed, wait, linkMessageBytes);
  const second = await mailbox.take(openingBox(suite, code.secret, 1), wait, [first]);
  const nonce = second.plaintext;
  if (nonce.length !== NONCE_BYTES) throw disturbed();
  const seen = { commitment: committed, nonce };
  const plaintext = concatBytes(revelation.publicKey, revelation.nonce);
  const { kemOutput, ciphertext } = await hpkeSeal(suite, code.publicKey, INFO, revealContext(seen), plaintext);
  const sealed = concatBytes(kemOutput, ciphertext);
  const third = await mailbox.put(openingBox(suite, code.secret, 2), sealed, wait, linkMessageBytes);
  const dh = await suite.dh(keyPair.privateKey, code.publicKey);
  const guarded = [first, second, third];
  return openedLink(suite, dh, { code: bytes, ...seen, revelation }, { mailbox, guarded, deadlineNs: wait.deadlineNs });
}
