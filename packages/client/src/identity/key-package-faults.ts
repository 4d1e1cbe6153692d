import { toHex } from "@latchkey/mls";
import { EXTENSION_TYPE, findExtension, type KeyPackage, type LatchkeyError } from "@latchkey/mls";
import { followsExternalCommits } from "@latchkey/xmtp";

/**
 * Why the key package of an installation cannot be used.
 *
 * - `missing`: the node holds none.
 * - `malformed`: it is no key package, its signature is wrong, or its version or suite is another one.
 * - `foreign`: it is signed by another installation, or names another inbox.
 * - `expired`: its lifetime is over, has not begun, or is too long.
 * - `not_last_resort`: it may be used once only, and the node hands out the same one to everybody.
 * - `unsupported`: its program does not support what the group requires or uses.
 * - `key_in_use`: one of its keys is in the group already, or in another key package of the same commit.
 * - `no_external_commits`: its program cannot follow joins by invite, and the group has an invite.
 */
export type KeyPackageFault =
  | "missing"
  | "malformed"
  | "foreign"
  | "expired"
  | "not_last_resort"
  | "unsupported"
  | "key_in_use"
  | "no_external_commits";

/** An installation whose key package cannot be used. */
export interface UnusableInstallation {
  readonly installationId: string;
  readonly fault: KeyPackageFault;
  /** The rule of `docs/rules.md` that it breaks, where there is one. */
  readonly rule: string | undefined;
}

const FAULT_OF_RULE: Readonly<Record<string, KeyPackageFault>> = {
  lifetime: "expired",
  "required-capabilities": "unsupported",
  "leaf-extension": "unsupported",
  "leaf-credential": "unsupported",
  "unique-signature-key": "key_in_use",
  "unique-encryption-key": "key_in_use",
};

/** The fault that a refusal of a key package tells. */
export function unusableBy(installationId: string, { rule }: LatchkeyError): UnusableInstallation {
  return { installationId, fault: FAULT_OF_RULE[rule ?? ""] ?? "malformed", rule };
}

/** The fault of a verified key package by itself, wherever it is to be used. */
export function faultByItself(keyPackage: KeyPackage): KeyPackageFault | undefined {
  const isLastResort = findExtension(keyPackage.extensions, EXTENSION_TYPE.lastResort) !== undefined;
  return isLastResort ? undefined : "not_last_resort";
}

/** The fault of a key package in a group that people join by invite. */
export function faultBesideInvites(keyPackage: KeyPackage): KeyPackageFault | undefined {
  return followsExternalCommits(keyPackage.leafNode) ? undefined : "no_external_commits";
}

/** In memory: the last known fault of each installation that could not be added to a group. */
export class KeyPackageFaults {
  readonly #groups = new Map<string, Map<string, KeyPackageFault>>();

  /** Notes what a try to add installations found. */
  note(groupId: Uint8Array, unusable: readonly UnusableInstallation[]): void {
    if (unusable.length === 0) return;
    const faults = this.#groups.get(toHex(groupId)) ?? new Map<string, KeyPackageFault>();
    for (const { installationId, fault } of unusable) faults.set(installationId, fault);
    this.#groups.set(toHex(groupId), faults);
  }

  /** The fault of an installation; undefined when none is known. */
  of(groupId: Uint8Array, installationId: string): KeyPackageFault | undefined {
    return this.#groups.get(toHex(groupId))?.get(installationId);
  }

  /** Drops what is known of a group. */
  forget(groupId: Uint8Array): void {
    this.#groups.delete(toHex(groupId));
  }
}
