import { create, toBinary } from "@bufbuild/protobuf";
import { DecodeError, fromHex, toHex } from "@latchkey/mls";
import { requireInt64 } from "../numbers.ts";
import { decodeProto } from "../protobuf.ts";
import { GroupMembershipEntrySchema } from "../proto.ts";
import { INBOX_ID_KEY } from "./keys.ts";
import { decodeEntries, type MapEntry } from "./map-entries.ts";
import { encodeMapDelta, type MapMutation } from "./tls-map.ts";

/** An inbox's entry in GROUP_MEMBERSHIP. */
export interface MembershipEntry {
  /** The point of the inbox's identity log that its leaves are measured by. */
  readonly sequenceId: bigint;
  /** Installation ids in hex that are valid at `sequenceId` and could not be added. */
  readonly failedInstallations: readonly string[];
  /** The slot the inbox came through; empty unless it joined by an external commit. Never changes (XIP-82). */
  readonly admittedViaExternalGroupId: Uint8Array;
}

/** Protobuf bytes of an entry. */
export function encodeMembershipEntry(entry: MembershipEntry): Uint8Array {
  const value = {
    sequenceId: entry.sequenceId,
    failedInstallations: entry.failedInstallations.map(fromHex),
    admittedViaExternalGroupId: entry.admittedViaExternalGroupId,
  };
  return toBinary(GroupMembershipEntrySchema, create(GroupMembershipEntrySchema, { version: { case: "v1", value } }));
}

/** Throws DecodeError when the entry is malformed or of an unknown version, or its sequence id is 2^63 or more. */
export function decodeMembershipEntry(bytes: Uint8Array): MembershipEntry {
  const { version } = decodeProto(GroupMembershipEntrySchema, bytes);
  if (version.case !== "v1") throw new DecodeError("a membership entry is of an unknown version");
  requireInt64(version.value.sequenceId, "SequenceIdOutOfRange", "the sequence id of a membership entry");
  return {
    sequenceId: version.value.sequenceId,
    failedInstallations: version.value.failedInstallations.map(toHex),
    admittedViaExternalGroupId: version.value.admittedViaExternalGroupId,
  };
}

/** Memberships by the very bytes of the component, and their entries by those of the map. */
const memberships = new WeakMap<Uint8Array, ReadonlyMap<string, MembershipEntry>>();
const entries = new WeakMap<MapEntry<string>, MembershipEntry>();

function readEntry(encoded: MapEntry<string>): MembershipEntry {
  const known = entries.get(encoded);
  if (known !== undefined) return known;
  const entry = decodeMembershipEntry(encoded.value);
  entries.set(encoded, entry);
  return entry;
}

/**
 * Reads GROUP_MEMBERSHIP: by inbox id, in ascending order. An entry that a commit did not touch is the same object before
 * and after it. Throws DecodeError.
 */
export function readMembership(component: Uint8Array | undefined): ReadonlyMap<string, MembershipEntry> {
  if (component === undefined) return new Map();
  const known = memberships.get(component);
  if (known !== undefined) return known;
  const membership = new Map(decodeEntries(INBOX_ID_KEY, component).map((entry) => [entry.key, readEntry(entry)]));
  memberships.set(component, membership);
  return membership;
}

/** Inboxes that were not, are not, or are differently in a group: few, found by comparing entries as objects. */
export function changedInboxes(
  before: ReadonlyMap<string, MembershipEntry>,
  after: ReadonlyMap<string, MembershipEntry>,
): string[] {
  if (before === after) return [];
  const changed: string[] = [];
  for (const [inboxId, entry] of before) if (after.get(inboxId) !== entry) changed.push(inboxId);
  for (const inboxId of after.keys()) if (!before.has(inboxId)) changed.push(inboxId);
  return changed;
}

/** A change of GROUP_MEMBERSHIP by inbox id. */
export type MembershipMutation =
  | { readonly op: "insert" | "update"; readonly inboxId: string; readonly entry: MembershipEntry }
  | { readonly op: "delete"; readonly inboxId: string };

/** Payload of an AppDataUpdate of GROUP_MEMBERSHIP. An update has to carry the entry's tag through. */
export function membershipDelta(mutations: readonly MembershipMutation[]): Uint8Array {
  return encodeMapDelta(
    INBOX_ID_KEY,
    mutations.map((mutation): MapMutation<string> =>
      mutation.op === "delete"
        ? { op: "delete", key: mutation.inboxId }
        : { op: mutation.op, key: mutation.inboxId, value: encodeMembershipEntry(mutation.entry) },
    ),
  );
}

/**
 * Payload with which a joiner registers itself in its external commit (XIP-82): one insert of its own entry, tagged with
 * the `externalGroupId` of the policy inside the GroupInfo it joins.
 */
export function membershipInsert(options: {
  inboxId: string;
  sequenceId: bigint;
  failedInstallations?: readonly string[];
  externalGroupId: Uint8Array;
}): Uint8Array {
  const entry = {
    sequenceId: options.sequenceId,
    failedInstallations: options.failedInstallations ?? [],
    admittedViaExternalGroupId: options.externalGroupId,
  };
  return membershipDelta([{ op: "insert", inboxId: options.inboxId, entry }]);
}
