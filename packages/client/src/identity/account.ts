import { toHex } from "@latchkey/mls";
import {
  addInstallationUpdate,
  createInboxUpdate,
  deriveInboxId,
  InstallationKey,
  type AssociationState,
  type WalletSigner,
} from "@latchkey/xmtp";
import { byApplication, untilAborted } from "../callbacks.ts";
import type { Environment } from "./environment.ts";
import { clientError, codeOf, isRetryable } from "../errors.ts";
import type { IdentityRecord } from "../store/records.ts";
import { withClockChecked } from "./check-clock.ts";
import type { IdentityDirectory } from "./directory.ts";
import { newIdentityRecord } from "./own-identity.ts";
import { requireRoomForInstallation } from "./installation-limit.ts";

/** Nonce of a wallet's first inbox; 0 belongs to legacy keys. */
const FIRST_INBOX_NONCE = 1n;

/**
 * The identity of this installation: read from the store, or made and registered with one signature of the wallet. An
 * installation that is registered opens without a signer.
 *
 * The installation key is stored before it is registered, so that a crash in between leaves no key that the identity
 * log knows and we do not; the next call goes on where this one stopped. Without network only a first call fails.
 *
 * @throws IDENTITY_MISMATCH when the store belongs to another wallet; SIGNER_MISSING; IDENTITY_REVOKED; NOT_PERMITTED for an
 * inbox that has no room for one more installation; errors of the network.
 */
export async function openAccount(
  signer: WalletSigner | undefined,
  environment: Environment,
  directory: IdentityDirectory,
  signal?: AbortSignal,
): Promise<IdentityRecord> {
  const stored = environment.store.identity.get("self");
  if (signer === undefined) {
    if (stored?.registered === 1n) return stored;
    throw clientError("SIGNER_MISSING", "the database has no registered installation; give the signer of its wallet");
  }
  const address = signer.identifier.toLowerCase();
  if (stored !== undefined && stored.address !== address) {
    throw clientError("IDENTITY_MISMATCH", "the database belongs to another wallet; use the wallet it was made with");
  }
  const record = stored ?? (await newIdentity(address, environment, signal));
  if (record.registered === 1n) return record;
  await register(signer, record, environment, directory, signal);
  const registered: IdentityRecord = { ...record, registered: 1n };
  environment.store.transaction(({ identity }) => identity.put(registered));
  return registered;
}

async function newIdentity(
  address: string,
  environment: Environment,
  signal: AbortSignal | undefined,
): Promise<IdentityRecord> {
  const known = await environment.transport.getInboxId(address, signal);
  const inboxId = known ?? deriveInboxId(address, FIRST_INBOX_NONCE);
  const record = newIdentityRecord(environment.crypto, { inboxId, address });
  environment.store.transaction(({ identity }) => identity.put(record));
  return record;
}

/** The newest state of the inbox, undefined where it has no log; throws CLOCK_WRONG as well. */
function currentState(
  inboxId: string,
  directory: IdentityDirectory,
  signal: AbortSignal | undefined,
): Promise<AssociationState | undefined> {
  return withClockChecked(directory.time, async () => {
    try {
      return (await directory.latestOf(inboxId, signal)).state;
    } catch (error) {
      if (codeOf(error) !== "INBOX_UNKNOWN") throw error;
      return undefined;
    }
  });
}

/** A wallet that asks a person, who may refuse or never answer; what it throws passes through. */
export function patientWallet(signer: WalletSigner, signal: AbortSignal | undefined): WalletSigner {
  return {
    identifier: signer.identifier,
    async signMessage(text) {
      const bytes: unknown = await untilAborted(() => byApplication(() => signer.signMessage(text)), signal);
      if (bytes instanceof Uint8Array) return bytes;
      throw clientError("ARGUMENT_INVALID", "`signMessage` of the wallet has to give 65 bytes", {
        data: { argument: "signer" },
      });
    },
  };
}

async function register(
  signer: WalletSigner,
  record: IdentityRecord,
  environment: Environment,
  directory: IdentityDirectory,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { inboxId } = record;
  const wallet = patientWallet(signer, signal);
  const installation = new InstallationKey(record.signaturePrivateKey);
  // Two devices of one wallet may register at once: whoever finds the inbox made meanwhile adds itself to it.
  for (let attempt = 0; attempt < 3; attempt++) {
    const state = await currentState(inboxId, directory, signal);
    if (state?.hasInstallation(toHex(record.signaturePublicKey)) === true) return;
    if (state !== undefined) await requireRoomForInstallation(environment, state, signal);
    const timestampNs = directory.time.bestNs();
    const update =
      state === undefined
        ? await createInboxUpdate({ wallet, nonce: FIRST_INBOX_NONCE, installation, timestampNs })
        : await addInstallationUpdate({ wallet, inboxId, installation, timestampNs });
    try {
      await environment.transport.publishIdentityUpdate(update, signal);
    } catch (error) {
      const mayHavePassed = codeOf(error) === "NODE_REJECTED" || isRetryable(error);
      if (!mayHavePassed || attempt === 2) throw error;
    }
  }
  const state = await currentState(inboxId, directory, signal);
  if (state?.hasInstallation(toHex(record.signaturePublicKey)) === true) return;
  throw clientError("IDENTITY_REVOKED", "the identity log does not list this installation after its registration");
}
