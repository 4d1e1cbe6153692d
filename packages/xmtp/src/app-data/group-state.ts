import { DecodeError, decodeExact, decodeUtf8, type AppData } from "@latchkey/mls";
import { JoinError } from "../errors.ts";
import { readPolicy } from "../invite/read-policy.ts";
import { ConversationType, type ExternalCommitPolicyV1 } from "../proto.ts";
import { COMPONENT } from "./component.ts";
import { INBOX_ID_KEY } from "./keys.ts";
import { readMembership, type MembershipEntry } from "./membership.ts";
import { readPermissions, type GroupPermissionSet } from "./permissions.ts";
import { decodeRegistry, type ComponentRegistry } from "./registry.ts";
import { decodeTlsSet } from "./tls-set.ts";

/** Messages sent after a point in time disappear some time after they were sent. */
export interface DisappearingSettings {
  readonly fromNs: bigint;
  readonly inNs: bigint;
}

/** A group's app data, decoded; an empty name, description or image address counts as none. */
export interface GroupState {
  readonly name: string | undefined;
  readonly description: string | undefined;
  readonly imageUrl: string | undefined;
  /** What applications keep with the group. */
  readonly appData: string | undefined;
  /** Undefined while messages stay. */
  readonly disappearing: DisappearingSettings | undefined;
  /** By inbox id. */
  readonly members: ReadonlyMap<string, MembershipEntry>;
  readonly admins: ReadonlySet<string>;
  readonly superAdmins: ReadonlySet<string>;
  readonly registry: ComponentRegistry;
  readonly permissions: GroupPermissionSet;
  /** Undefined when there is none or it is of an unknown version: both mean "off". */
  readonly policy: ExternalCommitPolicyV1 | undefined;
  readonly minVersion: string | undefined;
  readonly conversationType: ConversationType;
  readonly creatorInboxId: string | undefined;
}

/** True for groups whose state is in the app-data dictionary: the only form carried here. */
export function isMigrated(appData: AppData): boolean {
  return appData.has(COMPONENT.componentRegistry);
}

function text(bytes: Uint8Array | undefined): string | undefined {
  if (bytes === undefined) return undefined;
  try {
    return decodeUtf8(bytes);
  } catch (cause) {
    throw new DecodeError("a text component is not UTF-8", { cause });
  }
}

function textForPeople(bytes: Uint8Array | undefined): string | undefined {
  const value = text(bytes);
  return value === "" ? undefined : value;
}

/** Eight bytes, signed; whatever else stands there counts as not set. */
function timeNs(bytes: Uint8Array | undefined): bigint {
  return bytes?.length === 8
    ? BigInt.asIntN(
        64,
        decodeExact(bytes, (reader) => reader.u64()),
      )
    : 0n;
}

/** When messages of a group disappear, without reading anything else of its state. */
export function readDisappearing(appData: AppData): DisappearingSettings | undefined {
  const fromNs = timeNs(appData.get(COMPONENT.messageDisappearFromNs));
  const inNs = timeNs(appData.get(COMPONENT.messageDisappearInNs));
  return fromNs > 0n && inNs > 0n ? { fromNs, inNs } : undefined;
}

function conversationType(bytes: Uint8Array | undefined): ConversationType {
  if (bytes === undefined) return ConversationType.UNSPECIFIED;
  const value = decodeExact(bytes, (reader) => reader.u32());
  const known = Object.values(ConversationType).find((type) => type === value);
  if (known === undefined) throw new DecodeError(`conversation type ${value} is unknown`);
  return known;
}

/** Decoded state by dictionary; a dictionary never changes. */
const states = new WeakMap<AppData, GroupState>();

/**
 * Decodes a group's app data, and of the membership only the entries that are new since an earlier epoch; O(1) for the
 * same dictionary. Throws DecodeError for malformed components and JoinError `GROUP_UNSUPPORTED` for a legacy group,
 * whose state is in other extensions.
 */
export function readGroupState(appData: AppData): GroupState {
  const known = states.get(appData);
  if (known !== undefined) return known;
  const state = decodeGroupState(appData);
  states.set(appData, state);
  return state;
}

function decodeGroupState(appData: AppData): GroupState {
  if (!isMigrated(appData)) {
    throw new JoinError(
      "GROUP_UNSUPPORTED",
      "the group has no app-data registry: it must be migrated by its admins first",
    );
  }
  const registry = decodeRegistry(appData.get(COMPONENT.componentRegistry));
  const creator = appData.get(COMPONENT.creatorInboxId);
  return {
    name: textForPeople(appData.get(COMPONENT.groupName)),
    description: textForPeople(appData.get(COMPONENT.groupDescription)),
    imageUrl: textForPeople(appData.get(COMPONENT.groupImageUrl)),
    appData: textForPeople(appData.get(COMPONENT.appData)),
    disappearing: readDisappearing(appData),
    members: readMembership(appData.get(COMPONENT.groupMembership)),
    admins: decodeTlsSet(INBOX_ID_KEY, appData.get(COMPONENT.adminList)),
    superAdmins: decodeTlsSet(INBOX_ID_KEY, appData.get(COMPONENT.superAdminList)),
    registry,
    permissions: readPermissions(registry),
    policy: readPolicy(appData.get(COMPONENT.externalCommitPolicy)),
    minVersion: text(appData.get(COMPONENT.minSupportedProtocolVersion)),
    conversationType: conversationType(appData.get(COMPONENT.conversationType)),
    creatorInboxId: creator === undefined ? undefined : decodeExact(creator, (reader) => INBOX_ID_KEY.read(reader)),
  };
}

/** What an inbox may do in a group. */
export type Permission = "member" | "admin" | "super_admin";

/** Permissions of a member. */
export function permissionOf({ admins, superAdmins }: GroupState, inboxId: string): Permission {
  if (superAdmins.has(inboxId)) return "super_admin";
  return admins.has(inboxId) ? "admin" : "member";
}
