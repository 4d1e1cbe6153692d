import { fromHex } from "@latchkey/mls";
import {
  applyIdentityUpdate,
  ethereumIdentifier,
  installationIdentifier,
  revokeMembersUpdate,
  sameIdentifier,
  XMTP_LIMITS,
  type AssociationState,
  type Identifier,
  type WalletSigner,
} from "@latchkey/xmtp";
import type { IdentityUpdate } from "@latchkey/xmtp/proto";
import { clientError, codeOf, isRetryable } from "../errors.ts";
import type { IdentityDirectory, LatestIdentity } from "./directory.ts";
import type { Transport } from "../transport/transport.ts";
import { revocationOf, type RevokedMember } from "./revocation.ts";
import { shortAddress } from "./short-address.ts";

/** An inbox that is to be changed, and where its log is. */
export interface InboxAccess {
  readonly inboxId: string;
  readonly directory: IdentityDirectory;
  readonly transport: Transport;
}

/** Times that a change is built anew because the log has grown meanwhile: devices rarely change an inbox at once. */
const MAX_ATTEMPTS = 3;

/** Builds the update of a change for the newest state of the log; undefined when nothing is left to change. */
type PlanUpdate = (latest: LatestIdentity) => Promise<IdentityUpdate | undefined>;

/**
 * Publishes a change of an inbox and returns the state that has it. The update is checked as members will before it
 * leaves, and built anew when the log has grown meanwhile.
 *
 * @throws NODE_REJECTED; codes that begin with IDENTITY_ for a signature that does not count; errors of the network,
 * after which the change may have passed: the next call finds out.
 */
export async function changeInbox(
  { inboxId, directory, transport }: InboxAccess,
  plan: PlanUpdate,
  signal?: AbortSignal,
): Promise<AssociationState> {
  let built: { readonly sequenceId: bigint; readonly update: IdentityUpdate } | undefined;
  for (let attempt = 1; ; attempt++) {
    const latest = await directory.latestOf(inboxId, signal);
    const isGrown = built !== undefined && built.sequenceId !== latest.sequenceId;
    // Nobody is asked to sign again as long as the log is the same.
    const update: IdentityUpdate | undefined = built === undefined || isGrown ? await plan(latest) : built.update;
    if (update === undefined) return latest.state;
    applyIdentityUpdate(latest.state, update);
    built = { sequenceId: latest.sequenceId, update };
    try {
      await transport.publishIdentityUpdate(update, signal);
    } catch (error) {
      const mayHavePassed = codeOf(error) === "NODE_REJECTED" || isRetryable(error);
      if (!mayHavePassed || attempt === MAX_ATTEMPTS) throw error;
      continue;
    }
    return (await directory.latestOf(inboxId, signal)).state;
  }
}

/** Throws NOT_RECOVERY, with the identifier that has to sign, before any wallet is asked. */
export function requireRecovery(state: AssociationState, wallet: WalletSigner): void {
  const recovery = state.recoveryIdentifier;
  if (sameIdentifier(recovery, ethereumIdentifier(wallet.identifier))) return;
  const named = shortAddress(recovery.value);
  throw clientError("NOT_RECOVERY", `only the recovery identifier ${named} of the inbox may do this; give its signer`, {
    data: { recoveryIdentifier: recovery.value },
  });
}

/** What an inbox loses by a revocation, and the state after it. */
export interface RevokedMembers {
  readonly revoked: readonly RevokedMember[];
  readonly state: AssociationState;
}

/** The installations of those ids; throws ARGUMENT_INVALID for one that the inbox never had. */
export async function installationsNamed(
  { inboxId, directory }: InboxAccess,
  installationIds: readonly string[],
  signal?: AbortSignal,
): Promise<Identifier[]> {
  const states = await directory.history(inboxId, signal);
  const isKnown = (id: string) => states.some(({ state }) => state.hasInstallation(id));
  if (!installationIds.every(isKnown)) {
    throw clientError("ARGUMENT_INVALID", "`installationIds` names an installation that the inbox never had", {
      data: { argument: "installationIds" },
    });
  }
  return installationIds.map((id) => installationIdentifier(fromHex(id)));
}

/**
 * Revokes members of an inbox with what they take along, in one update and with one signature.
 *
 * @throws NOT_RECOVERY before the wallet is asked; as `changeInbox`.
 */
export async function revokeMembers(
  access: InboxAccess,
  wallet: WalletSigner,
  options: {
    readonly asked: (state: AssociationState) => readonly Identifier[];
    readonly keep?: readonly string[];
    readonly signal?: AbortSignal | undefined;
  },
): Promise<RevokedMembers> {
  const { asked, keep, signal } = options;
  const revoked = new Map<string, RevokedMember>();
  const plan: PlanUpdate = async ({ state }) => {
    const rows = revocationOf(state, asked(state), keep);
    if (rows.length === 0) return undefined;
    requireRecovery(state, wallet);
    for (const row of rows) revoked.set(`${row.kind}:${row.id}`, row);
    const members = rows.map(({ kind, id }): Identifier =>
      kind === "installation" ? installationIdentifier(fromHex(id)) : identifierOf(state, id),
    );
    const { inboxId, directory } = access;
    return revokeMembersUpdate({ wallet, inboxId, members, timestampNs: directory.time.bestNs() });
  };
  const state = await changeInbox(access, plan, signal);
  return { revoked: [...revoked.values()], state };
}

/** The member of an inbox that is no installation and has that value. */
function identifierOf(state: AssociationState, value: string): Identifier {
  const isNamed = ({ kind, value: its }: Identifier) => kind !== "installation" && its === value;
  const found = [...state.members.values()].find(({ identifier }) => isNamed(identifier))?.identifier;
  return found ?? { kind: "ethereum", value };
}

/** Updates that an inbox can still take; see `maxIdentityUpdates`. */
export function updatesLeft({ updateCount }: AssociationState): number {
  return Math.max(0, XMTP_LIMITS.maxIdentityUpdates - updateCount);
}
