import { toBinary } from "@bufbuild/protobuf";
import {
  ComponentMetadataSchema,
  MetadataPolicy_MetadataBasePolicy as Base,
  type ComponentPermissions,
  type MetadataPolicy,
} from "../proto.ts";
import { COMPONENT } from "./component.ts";
import { COMPONENT_ID_KEY } from "./keys.ts";
import { basePolicy } from "./policy-rules.ts";
import type { ComponentRegistry } from "./registry.ts";
import { encodeMapDelta } from "./tls-map.ts";

type PolicyField = Exclude<keyof ComponentPermissions, `$${string}`>;

interface Regulated {
  readonly components: readonly number[];
  readonly field: PolicyField;
}

/** What XMTP's clients let people regulate, and the entries of the registry that say who may do it. */
const REGULATED = {
  addMember: { components: [COMPONENT.groupMembership], field: "insertPolicy" },
  removeMember: { components: [COMPONENT.groupMembership], field: "deletePolicy" },
  addAdmin: { components: [COMPONENT.adminList], field: "insertPolicy" },
  removeAdmin: { components: [COMPONENT.adminList], field: "deletePolicy" },
  updateName: { components: [COMPONENT.groupName], field: "updatePolicy" },
  updateDescription: { components: [COMPONENT.groupDescription], field: "updatePolicy" },
  updateImageUrl: { components: [COMPONENT.groupImageUrl], field: "updatePolicy" },
  updateAppData: { components: [COMPONENT.appData], field: "updatePolicy" },
  updateDisappearingMessages: {
    components: [COMPONENT.messageDisappearFromNs, COMPONENT.messageDisappearInNs],
    field: "updatePolicy",
  },
} as const satisfies Record<string, Regulated>;

/** Something that a group's permissions regulate. */
export type RegulatedAction = keyof typeof REGULATED;

/** Who may do it; admins include super admins. */
export type PermissionPolicy = "allow" | "deny" | "admin" | "super_admin";

/** All regulated actions, in the order in which people read them. */
export const REGULATED_ACTIONS = Object.keys(REGULATED) as RegulatedAction[];

const BASE_OF = {
  allow: Base.ALLOW,
  deny: Base.DENY,
  admin: Base.ALLOW_IF_ADMIN,
  super_admin: Base.ALLOW_IF_SUPER_ADMIN,
} as const satisfies Record<PermissionPolicy, Base>;

/** All policies there are to choose from. */
export const PERMISSION_POLICIES = Object.keys(BASE_OF) as PermissionPolicy[];

/** Policies that admin lists may have: whatever else the registry could express, every member refuses the commit. */
export function isPermissible(action: RegulatedAction, policy: PermissionPolicy): boolean {
  const closed = policy === "admin" || policy === "super_admin";
  return closed || (action !== "addAdmin" && action !== "removeAdmin");
}

/** Undefined for a policy that is made of several. */
function nameOf(policy: MetadataPolicy | undefined): PermissionPolicy | undefined {
  // What has no policy nobody may do.
  if (policy === undefined) return "deny";
  const { kind } = policy;
  const base = kind.case === "base" ? kind.value : undefined;
  return PERMISSION_POLICIES.find((name) => BASE_OF[name] === base);
}

/** Who may do what in a group; "other" for a policy that is made of several. */
export type GroupPermissionSet = Readonly<Record<RegulatedAction, PermissionPolicy | "other">>;

/** Reads a registry for people. */
export function readPermissions(registry: ComponentRegistry): GroupPermissionSet {
  const read = (action: RegulatedAction): PermissionPolicy | "other" => {
    const { components, field } = REGULATED[action];
    const [first, ...others] = components.map((id) => nameOf(registry.get(id)?.permissions?.[field]));
    return first !== undefined && others.every((name) => name === first) ? first : "other";
  };
  const entries = REGULATED_ACTIONS.map((action) => [action, read(action)] as const);
  return Object.fromEntries(entries) as GroupPermissionSet;
}

/**
 * Payload of an AppDataUpdate of COMPONENT_REGISTRY that gives an action a policy, and leaves everything else of its
 * entries as it is; undefined when the group's registry does not know the action.
 */
export function permissionUpdate(
  registry: ComponentRegistry,
  action: RegulatedAction,
  policy: PermissionPolicy,
): Uint8Array | undefined {
  const { components, field } = REGULATED[action];
  const mutations = [];
  for (const key of components) {
    const metadata = registry.get(key);
    if (metadata?.permissions === undefined) return undefined;
    const permissions = { ...metadata.permissions, [field]: basePolicy(BASE_OF[policy]) };
    const value = toBinary(ComponentMetadataSchema, { ...metadata, permissions });
    mutations.push({ op: "update", key, value } as const);
  }
  return encodeMapDelta(COMPONENT_ID_KEY, mutations);
}
