import { toHex } from "@latchkey/mls";
import { deviceLinkText, InstallationKey, localWallet, type WalletSigner } from "@latchkey/xmtp";
import { byApplication, tell, untilAborted } from "../callbacks.ts";
import { isAborted } from "../clock.ts";
import { clientError } from "../errors.ts";
import { withClockChecked } from "../identity/check-clock.ts";
import { keepKeyPackage } from "../identity/key-packages.ts";
import { groupConfigOf, newIdentityRecord, ownIdentityOf } from "../identity/own-identity.ts";
import { CLIENT_LIMITS } from "../limits.ts";
import { Mutex } from "../mutex.ts";
import type { DeviceLinkRecord } from "../store/device-link-record.ts";
import { LinkChannel } from "./channel.ts";
import type { LinkContext } from "./link-context.ts";
import { linkOpen, notAsAgreed, notOwnInbox } from "./link-errors.ts";
import { endsAtNs, finishLink, linkedMember, settleLink, undoLink } from "./link-journal.ts";
import type { Offer } from "./messages.ts";
import { openLink, type SideOpened } from "./open-link.ts";
import type { LinkNewDeviceOptions } from "./options.ts";

/** Bytes of the key of a wallet that signs once. */
const WALLET_KEY_BYTES = 32;

type Options = LinkNewDeviceOptions & { readonly signal: AbortSignal };

/** Learns the node's time, by which codes end; what is asked for is nobody's. Throws CLOCK_WRONG; as `Transport`. */
async function learnTime({ directory, time, crypto }: LinkContext, signal: AbortSignal): Promise<void> {
  const nobody = toHex(crypto.randomBytes(32));
  await withClockChecked(time, () => directory.lookup([], { fresh: [nobody], signal }));
}

/**
 * Makes this empty device a part of somebody's inbox; the identity is in the store then. A link that was interrupted
 * behind the signatures is finished without a code where the inbox has the device by now. Returns the channel to the other
 * device; undefined where an earlier link was finished.
 *
 * @throws LINK_NOT_EMPTY, LINK_MALFORMED, LINK_DISTURBED, LINK_FAILED, LINK_EXPIRED, after which the device is empty as
 * before; LINK_OPEN; CLOCK_WRONG; errors of the network.
 */
export async function linkToInbox(context: LinkContext, options: Options): Promise<LinkChannel | undefined> {
  const { code, onProgress, signal } = options;
  await learnTime(context, signal);
  const row = context.store.deviceLinks.get("self");
  if (row !== undefined && (await settleLink(context, signal)) !== "undone") {
    await waitForLog(context, row, undefined, signal);
    return undefined;
  }
  if (context.store.identity.get("self") !== undefined) {
    throw clientError(
      "LINK_NOT_EMPTY",
      "this device has an inbox already; link an empty one, or name another database",
    );
  }
  const link = await openLink(context, { role: "new", inboxId: undefined, code, onProgress }, signal);
  const channel = new LinkChannel(context, link, "new");
  try {
    await answerOffer(context, channel, link, options);
  } catch (error) {
    await channel.end(error);
    throw error;
  }
  return channel;
}

async function answerOffer(context: LinkContext, channel: LinkChannel, link: SideOpened, options: Options) {
  const { onProgress, confirmInbox, signal } = options;
  tell(onProgress, { step: "digits", digits: link.digits });
  // The digits may be typed in the last moment; what they bring is on its way then.
  const deadlineNs = link.deadlineNs + BigInt(CLIENT_LIMITS.linkFarewellMs) * 1_000_000n;
  const offer = await channel.receive("offer", { deadlineNs, signal }, link.guarded);
  const { inboxId } = offer;
  if (link.inboxId !== undefined && link.inboxId !== inboxId) throw notAsAgreed();
  requireHonestTime(context, offer);
  tell(onProgress, { step: "inbox", inboxId });
  if (confirmInbox !== undefined) {
    const isOwn = await untilAborted(() => byApplication(() => confirmInbox(inboxId, signal)), signal);
    if (!isOwn) throw notOwnInbox();
  }
  const wallet = offer.form === "wallet" ? undefined : localWallet(context.crypto.randomBytes(WALLET_KEY_BYTES));
  const row = await prepare(context, offer, wallet, signal);
  try {
    await sign(context, channel, offer, wallet, signal);
  } catch (error) {
    // The box may hold the answer although its upload failed.
    throw linkOpen(inboxId, toHex(row.installationKey), error);
  }
  await waitForLog(context, row, channel, signal);
  tell(onProgress, { step: "registered", installationId: toHex(row.installationKey) });
}

/** Throws LINK_FAILED for an offer that keeps the new device waiting for longer than agreed. */
function requireHonestTime({ time }: LinkContext, { deadlineNs, timestampNs }: Offer): void {
  const spanNs = BigInt(CLIENT_LIMITS.linkSignMs) * 1_000_000n;
  const latestNs = time.bestNs() + 2n * spanNs;
  if (timestampNs > deadlineNs || deadlineNs - timestampNs > spanNs || deadlineNs > latestNs) throw notAsAgreed();
}

/** Writes the identity down, and gives the node a key package: whoever adds this device finds one. */
async function prepare(
  context: LinkContext,
  { inboxId, deadlineNs }: Offer,
  wallet: WalletSigner | undefined,
  signal: AbortSignal,
): Promise<DeviceLinkRecord> {
  // A wallet of the inbox stays on the other device: its address is not known here, and none is needed to open.
  const identity = newIdentityRecord(context.crypto, { inboxId, address: wallet?.identifier ?? "" });
  const row: DeviceLinkRecord = {
    name: "self",
    role: "new",
    inboxId,
    installationKey: identity.signaturePublicKey,
    update: new Uint8Array(0),
    deadlineNs,
  };
  context.store.transaction((tables) => {
    tables.identity.put(identity);
    tables.deviceLinks.put(row);
  });
  try {
    const own = ownIdentityOf(identity);
    const groupConfig = groupConfigOf(context.crypto, identity);
    await keepKeyPackage({ ...context, own, groupConfig, keyPackageTurn: new Mutex() }, signal);
  } catch (error) {
    undoLink(context);
    throw error;
  }
  return row;
}

async function sign(
  context: LinkContext,
  channel: LinkChannel,
  { inboxId, timestampNs, deadlineNs }: Offer,
  wallet: WalletSigner | undefined,
  signal: AbortSignal,
): Promise<void> {
  const identity = context.store.identity.get("self");
  if (identity === undefined) throw notAsAgreed();
  const installationKey = identity.signaturePublicKey;
  const text = deviceLinkText({ inboxId, timestampNs, installationKey, address: wallet?.identifier });
  const installationSignature = new InstallationKey(identity.signaturePrivateKey).sign(text);
  const signed =
    wallet === undefined ? undefined : { address: wallet.identifier, signature: await wallet.signMessage(text) };
  await channel.send(
    { kind: "answer", installationKey, installationSignature, wallet: signed },
    { deadlineNs, signal },
  );
}

/**
 * Waits until the identity log lists this installation; then it is registered.
 *
 * @throws LINK_OPEN when it does not in time; what the other device ended the link with, which has published nothing.
 */
async function waitForLog(
  context: LinkContext,
  row: DeviceLinkRecord,
  channel: LinkChannel | undefined,
  signal: AbortSignal,
): Promise<void> {
  const { clock, time } = context;
  let failure: unknown;
  let pauseMs: number = CLIENT_LIMITS.linkPollMs;
  try {
    for (;;) {
      signal.throwIfAborted();
      const seen = await lookOnce(context, row, signal);
      if (seen.member !== undefined) {
        finishLink(context, seen.member);
        return;
      }
      failure = seen.failure;
      const ended = channel === undefined ? undefined : await endOf(channel, signal);
      if (ended !== undefined) throw await orUndone(context, row, ended, signal);
      if (time.bestNs() >= endsAtNs(row)) break;
      await clock.sleep(pauseMs, signal);
      pauseMs = Math.min(pauseMs * 1.25, CLIENT_LIMITS.maxLinkPollMs);
    }
  } catch (error) {
    if (!isAborted(signal)) throw error;
    failure = error;
  }
  throw linkOpen(row.inboxId, toHex(row.installationKey), failure);
}

/** The installation as the log lists it, or why that cannot be seen. */
async function lookOnce(context: LinkContext, row: DeviceLinkRecord, signal: AbortSignal) {
  try {
    return { member: await linkedMember(context, row, signal), failure: undefined };
  } catch (error) {
    if (isAborted(signal)) throw error;
    return { member: undefined, failure: error };
  }
}

/** What the other device ended the link with; undefined while it did not, and where it cannot be heard. */
async function endOf(channel: LinkChannel, signal: AbortSignal): Promise<unknown> {
  try {
    return await channel.peekEnd(signal);
  } catch (error) {
    if (isAborted(signal)) throw error;
    return undefined;
  }
}

/**
 * The other device has ended the link before it published: nothing is left of it here, and the reason is returned.
 * LINK_OPEN where the log says otherwise, or cannot be read.
 */
async function orUndone(
  context: LinkContext,
  row: DeviceLinkRecord,
  reason: unknown,
  signal: AbortSignal,
): Promise<unknown> {
  const { member, failure } = await lookOnce(context, row, signal);
  if (member !== undefined || failure !== undefined) return linkOpen(row.inboxId, toHex(row.installationKey), failure);
  undoLink(context);
  return reason;
}
