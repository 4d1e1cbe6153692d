import { fromHex } from "@latchkey/mls";
import {
  identifierKey,
  installationIdentifier,
  type AssociationState,
  type Identifier,
  type InboxMember,
} from "@latchkey/xmtp";

/** An installation or an address that a revocation takes out of an inbox, and why. */
export interface RevokedMember {
  readonly kind: "installation" | "account";
  /** Installation id in hex, or the address. */
  readonly id: string;
  /**
   * - `asked`: the caller named it.
   * - `added`: `by` added it, which is revoked.
   * - `held`: an address that no other installation than `by` came in with, so that the device holds its key.
   */
  readonly because: "asked" | "added" | "held";
  /** Id of the revoked member that takes this one along; undefined for `asked`. */
  readonly by: string | undefined;
}

function kindOf({ kind }: Identifier): RevokedMember["kind"] {
  return kind === "installation" ? "installation" : "account";
}

/** The members of an inbox that stay whatever is revoked: what the caller keeps, and the recovery identifier. */
function keptKeys(state: AssociationState, keep: readonly string[]): Set<string> {
  const kept = new Set([identifierKey(state.recoveryIdentifier)]);
  for (const installationId of keep) {
    const member = state.member(installationIdentifier(fromHex(installationId)));
    if (member === undefined) continue;
    kept.add(identifierKey(member.identifier));
    // An address goes with all installations that it added (XIP-46).
    if (member.addedBy !== undefined) kept.add(identifierKey(member.addedBy));
  }
  return kept;
}

/**
 * Everything that leaves an inbox with the named members: addresses that a revoked installation holds alone, and
 * whatever a revoked member added, recursively. What a stolen device prepared adds nothing any more. Installations in
 * `keep` stay, with the address each came in by, and so does the recovery identifier unless it is named. In the order in
 * which each was found; O(members²).
 */
export function revocationOf(
  state: AssociationState,
  asked: readonly Identifier[],
  keep: readonly string[] = [],
): RevokedMember[] {
  const kept = keptKeys(state, keep);
  const revoked = new Map<string, RevokedMember>();
  const add = ({ identifier }: InboxMember, because: RevokedMember["because"], by?: Identifier) => {
    const row = { kind: kindOf(identifier), id: identifier.value, because, by: by?.value };
    revoked.set(identifierKey(identifier), row);
    follow(identifier);
  };
  const isOpen = (identifier: Identifier) =>
    !revoked.has(identifierKey(identifier)) && !kept.has(identifierKey(identifier));
  const addedBy = (adder: Identifier) =>
    [...state.members.values()].filter(
      (member) => member.addedBy !== undefined && identifierKey(member.addedBy) === identifierKey(adder),
    );
  const holdsAlone = (address: Identifier) =>
    addedBy(address).every(
      ({ identifier }) => identifier.kind !== "installation" || revoked.has(identifierKey(identifier)),
    );
  const follow = (identifier: Identifier) => {
    for (const member of addedBy(identifier)) if (isOpen(member.identifier)) add(member, "added", identifier);
    if (identifier.kind !== "installation") return;
    const address = state.member(identifier)?.addedBy;
    const holder = address === undefined ? undefined : state.member(address);
    if (holder !== undefined && isOpen(holder.identifier) && holdsAlone(holder.identifier)) {
      add(holder, "held", identifier);
    }
  };
  for (const identifier of asked) {
    const member = state.member(identifier);
    if (member !== undefined && !revoked.has(identifierKey(identifier))) add(member, "asked");
  }
  return [...revoked.values()];
}
