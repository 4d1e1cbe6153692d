import {
  addAccountUpdate,
  changeRecoveryUpdate,
  ethereumIdentifier,
  InstallationKey,
  installationIdentifier,
  type AssociationState,
  type Identifier,
  type WalletSigner,
} from "@latchkey/xmtp";
import { fromHex } from "@latchkey/mls";
import type { Clock } from "../clock.ts";
import { clientError } from "../errors.ts";
import type { CallOptions } from "../public-calls.ts";
import { MemoryDatabase } from "../store/memory-store.ts";
import type { Transport } from "../transport/transport.ts";
import { patientWallet } from "./account.ts";
import { withClockChecked } from "./check-clock.ts";
import { IdentityDirectory, inboxUnknown } from "./directory.ts";
import type { IdentityContext } from "./identity-context.ts";
import { NodeTime } from "./node-time.ts";
import { changeInbox, installationsNamed, requireRecovery, revokeMembers, type InboxAccess } from "./own-inbox.ts";
import { revocationOf, type RevokedMember } from "./revocation.ts";

/** Options of a call that needs a signature of a wallet. */
export interface SignedCallOptions extends CallOptions {
  /** Signs; default: the signer that the client was opened with. */
  readonly signer?: WalletSigner;
}

/** Options of a revocation. */
export interface RevokeOptions extends SignedCallOptions {
  /**
   * Installations that stay although a revoked one added the address that they came in by; this one always does, unless it
   * is named itself.
   */
  readonly keep?: readonly string[];
}

/** Who revokes without an installation of their own. */
export interface RevocationEnvironment {
  readonly transport: Transport;
  readonly clock: Clock;
  /** Default: the inbox that the signer's address belongs to. */
  readonly inboxId?: string;
}

function accessOf({ own, directory, transport }: IdentityContext): InboxAccess {
  return { inboxId: own.inboxId, directory, transport };
}

/** Throws SIGNER_MISSING. */
function walletOf(context: IdentityContext, { signer = context.signer, signal }: SignedCallOptions): WalletSigner {
  if (signer !== undefined) return patientWallet(signer, signal);
  throw clientError("SIGNER_MISSING", "this needs a signature, and the client has no signer; give it as `signer`");
}

function keptBy({ own }: IdentityContext, asked: readonly string[], keep: readonly string[] = []): string[] {
  return [...keep, ...(asked.includes(own.installationId) ? [] : [own.installationId])];
}

/** What revoking these installations takes out of the own inbox; asks nobody to sign. Throws ARGUMENT_INVALID. */
export async function previewRevocation(
  context: IdentityContext,
  installationIds: readonly string[],
  { keep, signal }: Pick<RevokeOptions, "keep" | "signal"> = {},
): Promise<readonly RevokedMember[]> {
  const access = accessOf(context);
  const asked = await installationsNamed(access, installationIds, signal);
  const { state } = await access.directory.latestOf(access.inboxId, signal);
  return revocationOf(state, asked, keptBy(context, installationIds, keep));
}

/**
 * Revokes installations of the own inbox, with the addresses that only they have and what those added. The groups lose
 * them with the next sync.
 *
 * @throws NOT_RECOVERY before the wallet is asked; ARGUMENT_INVALID for an installation that the inbox never had;
 * SIGNER_MISSING; NODE_REJECTED and errors of the network.
 */
export async function revokeInstallations(
  context: IdentityContext,
  installationIds: readonly string[],
  options: RevokeOptions = {},
): Promise<readonly RevokedMember[]> {
  const { keep, signal } = options;
  const access = accessOf(context);
  const named = await installationsNamed(access, installationIds, signal);
  const kept = keptBy(context, installationIds, keep);
  const wallet = walletOf(context, options);
  return (await revokeMembers(access, wallet, { asked: () => named, keep: kept, signal })).revoked;
}

/** As `revokeInstallations`, of all but this one and those in `keep`. */
export async function revokeAllOthers(
  context: IdentityContext,
  options: RevokeOptions = {},
): Promise<readonly RevokedMember[]> {
  const kept = keptBy(context, [], options.keep);
  const others = (state: AssociationState) =>
    state
      .installations()
      .filter((id) => !kept.includes(id))
      .map((id) => installationIdentifier(fromHex(id)));
  const wallet = walletOf(context, options);
  return (await revokeMembers(accessOf(context), wallet, { asked: others, keep: kept, signal: options.signal }))
    .revoked;
}

/**
 * As `revokeInstallations`, for whoever has the signer and no installation, such as a device that the inbox has no room
 * for. Throws INBOX_UNKNOWN when the signer's address belongs to no inbox, and CLOCK_WRONG.
 */
export async function revokeWithoutInstallation(
  signer: WalletSigner,
  installationIds: readonly string[],
  environment: RevocationEnvironment,
  { keep, signal }: Pick<RevokeOptions, "keep" | "signal"> = {},
): Promise<readonly RevokedMember[]> {
  const access = await inboxOfSigner(signer, environment, signal);
  const named = await installationsNamed(access, installationIds, signal);
  const wallet = patientWallet(signer, signal);
  return (await revokeMembers(access, wallet, { asked: () => named, keep: keep ?? [], signal })).revoked;
}

/** As `previewRevocation`, for the inbox of an address. Throws as `revokeWithoutInstallation`. */
export async function previewWithoutInstallation(
  identifier: string,
  installationIds: readonly string[],
  environment: RevocationEnvironment,
  { keep, signal }: Pick<RevokeOptions, "keep" | "signal"> = {},
): Promise<readonly RevokedMember[]> {
  const access = await inboxOfSigner({ identifier }, environment, signal);
  const asked = await installationsNamed(access, installationIds, signal);
  const { state } = await access.directory.latestOf(access.inboxId, signal);
  return revocationOf(state, asked, keep);
}

/** The inbox of a signer, read without a database. Throws INBOX_UNKNOWN, CLOCK_WRONG. */
export async function inboxOfSigner(
  { identifier }: Pick<WalletSigner, "identifier">,
  { transport, clock, inboxId: given }: RevocationEnvironment,
  signal?: AbortSignal,
): Promise<InboxAccess> {
  const inboxId = given ?? (await transport.getInboxId(identifier.toLowerCase(), signal));
  if (inboxId === undefined) throw inboxUnknown(identifier);
  const time = new NodeTime(clock);
  const pause = () => clock.sleep(0);
  const directory = new IdentityDirectory(new MemoryDatabase().open(), transport, { time, pause });
  await withClockChecked(time, () => directory.latestOf(inboxId, signal));
  return { inboxId, directory, transport };
}

/** Adds the address of a wallet to the own inbox; this installation and the wallet sign. Throws as `changeInbox`. */
export async function addAccount(
  context: IdentityContext,
  account: WalletSigner,
  { signal }: CallOptions = {},
): Promise<void> {
  const { own, directory, groupConfig } = context;
  const { inboxId } = own;
  const installation = new InstallationKey(groupConfig.identity.signatureKeyPair.privateKey);
  const wallet = patientWallet(account, signal);
  await changeInbox(
    accessOf(context),
    async ({ state }) => {
      if (state.member(ethereumIdentifier(account.identifier)) !== undefined) return undefined;
      return addAccountUpdate({ installation, wallet, inboxId, timestampNs: directory.time.bestNs() });
    },
    signal,
  );
}

/**
 * Removes an address from the own inbox, with the installations that it added and what those added.
 *
 * @throws NOT_PERMITTED for the address that this installation came in by; NOT_RECOVERY before the wallet is asked;
 * SIGNER_MISSING; as `changeInbox`.
 */
export async function removeAccount(
  context: IdentityContext,
  identifier: string,
  options: SignedCallOptions = {},
): Promise<readonly RevokedMember[]> {
  const { signal } = options;
  const wallet = walletOf(context, options);
  const asked = (state: AssociationState): Identifier[] => {
    const account = ethereumIdentifier(identifier);
    const goesToo = revocationOf(state, [account]).some(({ id }) => id === context.own.installationId);
    if (!goesToo) return [account];
    throw clientError("NOT_PERMITTED", "this installation came in by that address and would be revoked with it");
  };
  return (await revokeMembers(accessOf(context), wallet, { asked, signal })).revoked;
}

/** Hands the recovery of the own inbox to another address. Throws as `removeAccount` without NOT_PERMITTED. */
export async function changeRecovery(
  context: IdentityContext,
  identifier: string,
  options: SignedCallOptions = {},
): Promise<void> {
  const { inboxId } = context.own;
  const wallet = walletOf(context, options);
  const recoveryIdentifier = ethereumIdentifier(identifier).value;
  await changeInbox(
    accessOf(context),
    async ({ state }) => {
      if (state.recoveryIdentifier.value === recoveryIdentifier) return undefined;
      requireRecovery(state, wallet);
      return changeRecoveryUpdate({ wallet, inboxId, recoveryIdentifier, timestampNs: context.time.bestNs() });
    },
    options.signal,
  );
}
