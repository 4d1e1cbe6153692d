import { create, toBinary } from "@bufbuild/protobuf";
import { decodeProto } from "../protobuf.ts";
import {
  ComponentMetadataSchema,
  ComponentType,
  MetadataPolicy_MetadataBasePolicy as Base,
  type ComponentMetadata,
} from "../proto.ts";
import { COMPONENT } from "./component.ts";
import { COMPONENT_ID_KEY } from "./keys.ts";
import { basePolicy } from "./policy-rules.ts";
import { decodeTlsMap } from "./tls-map.ts";

/** Each component: its type and who may write it. */
export type ComponentRegistry = ReadonlyMap<number, ComponentMetadata>;

/** Throws DecodeError unless the bytes are a ComponentMetadata. */
export function decodeComponentMetadata(bytes: Uint8Array): ComponentMetadata {
  return decodeProto(ComponentMetadataSchema, bytes);
}

/** Reads COMPONENT_REGISTRY; entries that cannot be read are left out, the map itself must be well formed. */
export function decodeRegistry(bytes: Uint8Array | undefined): ComponentRegistry {
  const registry = new Map<number, ComponentMetadata>();
  for (const [componentId, value] of decodeTlsMap(COMPONENT_ID_KEY, bytes)) {
    try {
      registry.set(componentId, decodeComponentMetadata(value));
    } catch {
      // An entry of a later version is kept in the map's bytes and is invisible here: writing its component is denied.
    }
  }
  return registry;
}

function entry(componentType: ComponentType, insert: Base, update: Base, remove: Base): Uint8Array {
  return toBinary(
    ComponentMetadataSchema,
    create(ComponentMetadataSchema, {
      componentType,
      permissions: {
        insertPolicy: basePolicy(insert),
        updatePolicy: basePolicy(update),
        deletePolicy: basePolicy(remove),
      },
    }),
  );
}

const SUPER = Base.ALLOW_IF_SUPER_ADMIN;

/** Registry entry of EXTERNAL_COMMIT_POLICY: bytes, written by super admins only. */
export const EXTERNAL_COMMIT_POLICY_ENTRY: Uint8Array = entry(ComponentType.BYTES, SUPER, SUPER, SUPER);

/** Who may do what in a new group. */
export type GroupPermissions = "all_members" | "admin_only";

/** The registry of a new group, in the form that migrating a legacy group gives, plus EXTERNAL_COMMIT_POLICY. */
export function newRegistry(permissions: GroupPermissions): Map<number, Uint8Array> {
  const member = permissions === "all_members" ? Base.ALLOW : Base.ALLOW_IF_ADMIN;
  const admin = Base.ALLOW_IF_ADMIN;
  const { BYTES, STRING, TLS_SET_INBOX_ID, TLS_MAP_INBOX_ID_BYTES } = ComponentType;
  return new Map([
    [COMPONENT.adminList, entry(TLS_SET_INBOX_ID, SUPER, SUPER, SUPER)],
    [COMPONENT.groupMembership, entry(TLS_MAP_INBOX_ID_BYTES, member, Base.ALLOW, admin)],
    [COMPONENT.groupName, entry(STRING, member, member, SUPER)],
    [COMPONENT.groupDescription, entry(STRING, member, member, SUPER)],
    [COMPONENT.groupImageUrl, entry(STRING, member, member, SUPER)],
    [COMPONENT.messageDisappearFromNs, entry(BYTES, admin, admin, SUPER)],
    [COMPONENT.messageDisappearInNs, entry(BYTES, admin, admin, SUPER)],
    [COMPONENT.appData, entry(STRING, admin, admin, SUPER)],
    [COMPONENT.minSupportedProtocolVersion, entry(STRING, SUPER, SUPER, SUPER)],
    [COMPONENT.commitLogSigner, entry(BYTES, SUPER, SUPER, SUPER)],
    [COMPONENT.externalCommitPolicy, EXTERNAL_COMMIT_POLICY_ENTRY],
    [COMPONENT.creatorInboxId, entry(BYTES, SUPER, Base.DENY, Base.DENY)],
    [COMPONENT.conversationType, entry(BYTES, SUPER, Base.DENY, Base.DENY)],
  ]);
}
