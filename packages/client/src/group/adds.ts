import {
  PROPOSAL_TYPE,
  toHex,
  type AddsToTry,
  type KeyPackage,
  type LatchkeyError,
  type LeafIndex,
} from "@latchkey/mls";
import { clientError, shortId } from "../errors.ts";
import { faultBesideInvites, unusableBy } from "../identity/key-package-faults.ts";
import type { FetchedKeyPackages } from "../identity/key-packages.ts";

/** The group that key packages are tried against. */
export interface AddTarget {
  tryAdds(adds: AddsToTry): readonly (LatchkeyError | undefined)[];
  /** True in a group with an invite: programs that cannot follow joins would be left behind. */
  readonly hasInvite: boolean;
  /** Leaves that the same commit removes. */
  readonly removed?: readonly LeafIndex[];
}

/** Every commit that adds members writes the membership. */
const PROPOSAL_TYPES = [PROPOSAL_TYPE.app_data_update];

/**
 * Sorts out the key packages that the group would refuse in the commit that adds them all, so that none of them keeps
 * the others out (REV-08). The group is asked once for all.
 */
export function usableIn(target: AddTarget, fetched: readonly FetchedKeyPackages[]): FetchedKeyPackages[] {
  const { hasInvite, removed = [] } = target;
  const byItself = fetched.map(({ inboxId, keyPackages, unusable }) => {
    const kept: KeyPackage[] = [];
    const out = [...unusable];
    for (const keyPackage of keyPackages) {
      const fault = hasInvite ? faultBesideInvites(keyPackage) : undefined;
      if (fault === undefined) kept.push(keyPackage);
      else out.push({ installationId: installationOf(keyPackage), fault, rule: undefined });
    }
    return { inboxId, kept, out };
  });
  const keyPackages = byItself.flatMap(({ kept }) => kept);
  const verdicts = target.tryAdds({ keyPackages, removed, proposalTypes: PROPOSAL_TYPES }).values();
  return byItself.map(({ inboxId, kept, out }) => {
    const usable: KeyPackage[] = [];
    for (const keyPackage of kept) {
      const refusal = verdicts.next().value;
      if (refusal === undefined) usable.push(keyPackage);
      else out.push(unusableBy(installationOf(keyPackage), refusal));
    }
    return { inboxId, keyPackages: usable, unusable: out };
  });
}

/** Installation id in hex of the owner of a key package. */
export function installationOf({ leafNode }: KeyPackage): string {
  return toHex(leafNode.signatureKey);
}

/** KEY_PACKAGE_MISSING that names inboxes and installations with the fault of each. */
export function unusableError(message: string, inboxes: readonly UnusableInbox[]): LatchkeyError {
  const installations = inboxes.flatMap(({ inboxId, unusable }) =>
    unusable.map(({ installationId, fault, rule }) => ({
      inbox: shortId(inboxId),
      installation: shortId(installationId),
      fault,
      ...(rule === undefined ? {} : { rule }),
    })),
  );
  const named = inboxes.map(({ inboxId, unusable }) => {
    const faults = [...new Set(unusable.map(({ fault }) => fault))].join(", ");
    return `${shortId(inboxId)} (${faults === "" ? "no installation" : faults})`;
  });
  return clientError("KEY_PACKAGE_MISSING", `${message}: ${named.join("; ")}`, {
    data: { inboxes: inboxes.map(({ inboxId }) => shortId(inboxId)), installations },
  });
}

/** An inbox with installations that cannot be used. */
export type UnusableInbox = Pick<FetchedKeyPackages, "inboxId" | "unusable">;
