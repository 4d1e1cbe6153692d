import { toHex } from "@latchkey/mls";
import {
  applyIdentityUpdate,
  deviceLinkText,
  deviceLinkUpdate,
  ethereumIdentifier,
  InstallationKey,
  type AssociationState,
  type DeviceLink,
  type DeviceLinkSignatures,
  type WalletSigner,
} from "@latchkey/xmtp";
import type { IdentityUpdate } from "@latchkey/xmtp/proto";
import { tell } from "../callbacks.ts";
import { isAborted } from "../clock.ts";
import { clientError, codeOf } from "../errors.ts";
import type { GroupsContext } from "../group/group-registry.ts";
import { patientWallet } from "../identity/account.ts";
import { withClockChecked } from "../identity/check-clock.ts";
import { requireRoomForInstallation } from "../identity/installation-limit.ts";
import { CLIENT_LIMITS } from "../limits.ts";
import { addToGroups } from "./add-to-groups.ts";
import { LinkChannel } from "./channel.ts";
import { compareDigits } from "./compare-digits.ts";
import { expired, linkOpen, notAsAgreed } from "./link-errors.ts";
import { finishLink, linkedMember, noteSigned, settleLink, undoLink } from "./link-journal.ts";
import type { Answer, LinkForm } from "./messages.ts";
import { openLink } from "./open-link.ts";
import { bringHistory } from "./history.ts";
import type { BroughtHistory, LinkDeviceOptions, LinkedDevice } from "./options.ts";

/** Times an addition is published before its outcome counts as open. */
const MAX_PUBLICATIONS = 3;

/** The newest state of the own inbox. Throws IDENTITY_REVOKED, NOT_PERMITTED without room for one more; CLOCK_WRONG. */
async function requireRoom(context: GroupsContext, signal: AbortSignal): Promise<AssociationState> {
  const { own, directory, time } = context;
  const { state } = await withClockChecked(time, () => directory.latestOf(own.inboxId, signal));
  if (!state.hasInstallation(own.installationId)) {
    throw clientError("IDENTITY_REVOKED", "this installation was revoked, so it cannot link another one");
  }
  await requireRoomForInstallation(context, state, signal);
  return state;
}

/** The wallet that adds the installation itself; undefined where the inbox does not know it. */
function walletOf(
  context: GroupsContext,
  state: AssociationState,
  { signer = context.signer }: LinkDeviceOptions,
  signal: AbortSignal,
): WalletSigner | undefined {
  if (signer === undefined) return undefined;
  const identifier = ethereumIdentifier(signer.identifier);
  const isRecovery =
    state.recoveryIdentifier.kind === "ethereum" && state.recoveryIdentifier.value === identifier.value;
  return isRecovery || state.member(identifier) !== undefined ? patientWallet(signer, signal) : undefined;
}

/**
 * Links a new device to the inbox of this one. A person carries a code from one screen to the other, and six digits back;
 * no private key travels. Once it has joined the inbox the device is added to all groups.
 *
 * @throws LINK_MALFORMED, LINK_DISTURBED, LINK_FAILED, LINK_EXPIRED, after which nothing was signed or published; LINK_OPEN;
 * NOT_PERMITTED, IDENTITY_REVOKED; what the wallet and `readDigits` throw; errors of the network.
 */
export async function linkDevice(
  context: GroupsContext,
  options: LinkDeviceOptions & { readonly signal: AbortSignal },
): Promise<LinkedDevice> {
  const { code, onProgress, readDigits, signal } = options;
  await settleLink(context, signal);
  const state = await requireRoom(context, signal);
  const wallet = walletOf(context, state, options, signal);
  const { inboxId } = context.own;
  const link = await openLink(context, { role: "old", inboxId, code, onProgress }, signal);
  const channel = new LinkChannel(context, link, "old");
  try {
    await compareDigits(context, link, readDigits, signal);
    const installationKey = await register(context, channel, wallet, options);
    const installationId = toHex(installationKey);
    tell(onProgress, { step: "registered", installationId });
    const told = (added: number, total: number) => tell(onProgress, { step: "adding", added, total });
    const linked = await addToGroups(context, installationId, told, signal);
    return { ...linked, history: await settleIn(context, channel, linked, options) };
  } catch (error) {
    // The new device waits for the log where the addition may be on its way.
    if (codeOf(error) !== "LINK_OPEN") await channel.end(error);
    throw error;
  }
}

/** Tells the new device of its groups, and brings it what was written there. Fails nothing: the device is linked. */
async function settleIn(
  context: GroupsContext,
  channel: LinkChannel,
  { addedTo, missed }: Omit<LinkedDevice, "history">,
  { history = CLIENT_LIMITS.historyMessages, onProgress, signal }: LinkDeviceOptions & { readonly signal: AbortSignal },
): Promise<BroughtHistory> {
  const wait = { deadlineNs: context.time.bestNs() + BigInt(CLIENT_LIMITS.linkArrivalMs) * 1_000_000n, signal };
  try {
    const { installationKey } = context.own;
    await channel.send({ kind: "added", installationKey, added: addedTo, total: addedTo + missed.length }, wait);
  } catch (error) {
    if (isAborted(signal)) throw error;
    return { messages: 0, isComplete: false };
  }
  const told = (messages: number) => tell(onProgress, { step: "history", messages });
  return bringHistory(context, channel, history, told, signal);
}

/** Agrees on the text, signs and publishes; returns the key of the new installation. */
async function register(
  context: GroupsContext,
  channel: LinkChannel,
  wallet: WalletSigner | undefined,
  { onProgress, signal }: LinkDeviceOptions & { readonly signal: AbortSignal },
): Promise<Uint8Array> {
  const { own, time } = context;
  const { inboxId } = own;
  const form: LinkForm = wallet === undefined ? "new-address" : "wallet";
  const timestampNs = time.bestNs();
  const deadlineNs = timestampNs + BigInt(CLIENT_LIMITS.linkSignMs) * 1_000_000n;
  const wait = { deadlineNs, signal };
  await channel.send({ kind: "offer", inboxId, form, timestampNs, deadlineNs }, wait);
  const answer = await channel.receive("answer", wait);
  if ((answer.wallet === undefined) !== (form === "wallet")) throw notAsAgreed();
  const { installationKey } = answer;
  const link: DeviceLink = { inboxId, timestampNs, installationKey, address: answer.wallet?.address };
  tell(onProgress, { step: "signing" });
  const update = deviceLinkUpdate(link, await signaturesOf(context, link, answer, wallet));
  // Whoever asked before may have used the room since; and a person may have thought long about the signature.
  const state = await requireRoom(context, signal);
  requireSound(state, update);
  if (time.bestNs() >= deadlineNs) throw expired();
  noteSigned(context, { role: "old", inboxId, installationKey, deadlineNs }, update);
  await publish(context, { inboxId, installationKey }, update, signal);
  return installationKey;
}

async function signaturesOf(
  { groupConfig }: GroupsContext,
  link: DeviceLink,
  { installationSignature, wallet: newWallet }: Answer,
  wallet: WalletSigner | undefined,
): Promise<DeviceLinkSignatures> {
  const text = deviceLinkText(link);
  const signed = { installation: installationSignature, address: newWallet?.signature };
  if (wallet !== undefined) return { ...signed, adder: { bytes: await wallet.signMessage(text) } };
  const installation = new InstallationKey(groupConfig.identity.signatureKeyPair.privateKey);
  return { ...signed, adder: { bytes: installation.sign(text), publicKey: installation.publicKey } };
}

/** Throws LINK_FAILED for signatures of the new device that do not count. */
function requireSound(state: AssociationState, update: IdentityUpdate): void {
  try {
    applyIdentityUpdate(state, update);
  } catch (error) {
    throw notAsAgreed(error);
  }
}

/** Publishes what was written down. Throws LINK_OPEN where nothing shows whether it counts; NODE_REJECTED. */
async function publish(
  context: GroupsContext,
  link: { readonly inboxId: string; readonly installationKey: Uint8Array },
  update: IdentityUpdate,
  signal: AbortSignal,
): Promise<void> {
  let failure: unknown;
  try {
    for (let attempt = 0; attempt < MAX_PUBLICATIONS; attempt++) {
      failure = await context.transport.publishIdentityUpdate(update, signal).catch((error: unknown) => error);
      const member = await linkedMember(context, link, signal);
      if (member !== undefined) {
        finishLink(context, member);
        return;
      }
      if (isAborted(signal) || codeOf(failure) === "NODE_REJECTED") break;
    }
  } catch (error) {
    failure ??= error;
  }
  if (codeOf(failure) === "NODE_REJECTED") {
    undoLink(context);
    throw failure;
  }
  throw linkOpen(link.inboxId, toHex(link.installationKey), failure);
}
