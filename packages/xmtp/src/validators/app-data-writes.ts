import { equalBytes, type AppData } from "@latchkey/mls";
import { componentChanges, type ComponentChange, type ComponentUpdate } from "../app-data/apply.ts";
import { COMPONENT, isHardCodedComponent, isImmutableComponent, isUsableComponent } from "../app-data/component.ts";
import type { GroupState } from "../app-data/group-state.ts";
import { isAllowed, type Authority } from "../app-data/policy-rules.ts";
import { decodeComponentMetadata } from "../app-data/registry.ts";
import { compareVersions } from "../app-data/semver.ts";
import { CommitRejectedError } from "../errors.ts";
import { validatePolicyV1 } from "../invite/policy.ts";
import { readPolicy } from "../invite/read-policy.ts";
import { MetadataPolicy_MetadataBasePolicy as Base, type ComponentMetadata } from "../proto.ts";
import { readEntry, reject } from "./common.ts";
import { checkFailedInstallations } from "./state-bounds.ts";

const POLICY_OF = { insert: "insertPolicy", update: "updatePolicy", delete: "deletePolicy" } as const;

function deny(componentId: number, reason: string): never {
  return reject("InsufficientPermissions", "a member writes app data that it may not write", { componentId, reason });
}

/** The permission part of a write (libxmtp's `validate_component_write`), by lists and registry from before the commit. */
function checkPermission(componentId: number, change: ComponentChange, authority: Authority, state: GroupState): void {
  if (isImmutableComponent(componentId) && change.op !== "insert") deny(componentId, "Immutable");
  if (isHardCodedComponent(componentId)) {
    if (!authority.isSuperAdmin) deny(componentId, "SuperAdminOnly");
    return;
  }
  const permissions = state.registry.get(componentId)?.permissions;
  if (permissions === undefined) deny(componentId, "NoRegistryEntry");
  if (!isAllowed(permissions[POLICY_OF[change.op]], authority)) deny(componentId, "Denied");
}

function badRegistry(why: string): never {
  return reject("InvalidRegistryChange", `a change of the component registry ${why}`);
}

function decodeMetadata(value: Uint8Array): ComponentMetadata {
  try {
    return decodeComponentMetadata(value);
  } catch (cause) {
    throw new CommitRejectedError("InvalidRegistryChange", "a registry entry cannot be decoded", { cause });
  }
}

/** Admin lists are changed by admins or super admins, whatever else the registry could express. */
function checkAdminListPolicy(metadata: ComponentMetadata): void {
  const { insertPolicy, updatePolicy, deletePolicy } = metadata.permissions ?? {};
  for (const policy of [insertPolicy, updatePolicy, deletePolicy]) {
    const base = policy?.kind.case === "base" ? policy.kind.value : undefined;
    if (base !== Base.ALLOW_IF_ADMIN && base !== Base.ALLOW_IF_SUPER_ADMIN) {
      badRegistry("opens the admin list to others than admins");
    }
  }
}

function checkRegistryChange(change: ComponentChange, state: GroupState): void {
  if (typeof change.key !== "number") return badRegistry("removes it as a whole");
  const componentId = change.key;
  if (!isUsableComponent(componentId)) badRegistry("names a component of a reserved range");
  if (isHardCodedComponent(componentId)) badRegistry("names a component whose permissions are fixed");
  if (change.value === undefined) {
    if (isImmutableComponent(componentId)) badRegistry("deletes the entry of an immutable component");
    return;
  }
  if (change.op === "update" && isImmutableComponent(componentId) && state.registry.has(componentId)) {
    badRegistry("updates the entry of an immutable component");
  }
  const metadata = decodeMetadata(change.value);
  const { insertPolicy, updatePolicy, deletePolicy } = metadata.permissions ?? {};
  if (insertPolicy === undefined || updatePolicy === undefined || deletePolicy === undefined) {
    badRegistry("leaves a permission out");
  }
  if (componentId === COMPONENT.adminList) checkAdminListPolicy(metadata);
}

const NO_TAG = new Uint8Array(0);

/** A member's commit never sets, clears or changes where an inbox came in (XIP-82); deleting an entry is free. */
function checkEntry(change: ComponentChange, state: GroupState): void {
  if (change.value === undefined || typeof change.key !== "string") return;
  const before = state.members.get(change.key)?.admittedViaExternalGroupId ?? NO_TAG;
  const entry = readEntry(change.value);
  if (!equalBytes(entry.admittedViaExternalGroupId, before)) {
    reject("AdmittedViaTagImmutable", "a member's commit changes admitted_via_external_group_id of an entry");
  }
  checkFailedInstallations(entry);
}

/** Checks one AppDataUpdate of a member by its author's authority. Throws CommitRejectedError. */
export function checkComponentWrite(update: ComponentUpdate, authority: Authority, state: GroupState): void {
  const { componentId } = update;
  for (const change of componentChanges(update, state.registry)) {
    checkPermission(componentId, change, authority, state);
    if (componentId === COMPONENT.componentRegistry) checkRegistryChange(change, state);
    if (componentId === COMPONENT.groupMembership) checkEntry(change, state);
  }
}

/** The protocol version floor only rises. Throws CommitRejectedError. */
export function checkMinVersion(before: GroupState, after: GroupState): void {
  if (before.minVersion === undefined || before.minVersion === after.minVersion) return;
  if (after.minVersion === undefined) {
    reject("MinVersionRemoveOnExistingFloor", "a commit removes the group's protocol version floor");
  }
  let order: number;
  try {
    order = compareVersions(after.minVersion, before.minVersion);
  } catch (cause) {
    throw new CommitRejectedError("MinVersionDowngrade", "the new protocol version floor is no version", { cause });
  }
  if (order < 0) reject("MinVersionDowngrade", "a commit lowers the group's protocol version floor");
}

function checkPolicyAfter(value: Uint8Array | undefined): void {
  let policy: ReturnType<typeof readPolicy>;
  try {
    policy = readPolicy(value);
  } catch (cause) {
    throw new CommitRejectedError("ComponentPayloadMalformed", "a commit writes an unreadable external commit policy", {
      cause,
    });
  }
  if (policy !== undefined) validatePolicyV1(policy);
}

/** The policy that a commit leaves behind must be well formed, if the commit wrote it. Throws CommitRejectedError. */
export function checkPolicyWrite(updates: readonly ComponentUpdate[], newAppData: AppData): void {
  const wrote = updates.some(({ componentId }) => componentId === COMPONENT.externalCommitPolicy);
  if (wrote) checkPolicyAfter(newAppData.get(COMPONENT.externalCommitPolicy));
}
