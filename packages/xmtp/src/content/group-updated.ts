import { create, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { optional, requireFields, requireList, requireText } from "@latchkey/mls";
import { XMTP_LIMITS } from "../limits.ts";
import { GroupUpdatedSchema, type GroupUpdated } from "../proto.ts";
import { decodeProto } from "../protobuf.ts";
import type { ContentCodec } from "./codec.ts";

/** A change of a field that describes a group. */
export interface MetadataChange {
  /** Such as `group_name`. */
  readonly fieldName: string;
  /** Undefined where the field was not there. */
  readonly oldValue: string | undefined;
  readonly newValue: string | undefined;
}

/** Lists of inboxes in an update, in the order of their fields. */
const LISTS = [
  "addedInboxes",
  "removedInboxes",
  "leftInboxes",
  "addedAdminInboxes",
  "removedAdminInboxes",
  "addedSuperAdminInboxes",
  "removedSuperAdminInboxes",
] as const;

/** The changes of a commit; each list has inbox ids. */
export type GroupUpdate = Readonly<Record<(typeof LISTS)[number], readonly string[]>> & {
  readonly initiatedByInboxId: string;
  readonly metadataFieldChanges: readonly MetadataChange[];
};

function listsOf<T>(make: (list: (typeof LISTS)[number]) => T): Record<(typeof LISTS)[number], T> {
  return Object.fromEntries(LISTS.map((list) => [list, make(list)])) as Record<(typeof LISTS)[number], T>;
}

const requireInboxIds = requireList(requireText, XMTP_LIMITS.maxCommitInboxes);

const requireUpdate = requireFields<GroupUpdate>({
  initiatedByInboxId: requireText,
  ...listsOf(() => requireInboxIds),
  metadataFieldChanges: requireList(
    requireFields<MetadataChange>({
      fieldName: requireText,
      oldValue: optional(requireText),
      newValue: optional(requireText),
    }),
    XMTP_LIMITS.maxCommitInboxes,
  ),
});

function toMessage(value: GroupUpdate): MessageInitShape<typeof GroupUpdatedSchema> {
  return {
    initiatedByInboxId: value.initiatedByInboxId,
    ...listsOf((list) => value[list].map((inboxId) => ({ inboxId }))),
    metadataFieldChanges: value.metadataFieldChanges.map(({ fieldName, oldValue, newValue }) => ({
      fieldName,
      ...(oldValue !== undefined && { oldValue }),
      ...(newValue !== undefined && { newValue }),
    })),
  };
}

function toUpdate(message: GroupUpdated): GroupUpdate {
  return {
    initiatedByInboxId: message.initiatedByInboxId,
    ...listsOf((list) => message[list].map(({ inboxId }) => inboxId)),
    metadataFieldChanges: message.metadataFieldChanges.map(({ fieldName, oldValue, newValue }) => ({
      fieldName,
      oldValue,
      newValue,
    })),
  };
}

/**
 * The changes of a commit (content type `xmtp.org/group_updated:1.0`). XMTP's clients write it into their own database for
 * each commit; a message of this type that a member sends proves nothing.
 */
export const groupUpdatedCodec: ContentCodec<GroupUpdate> = {
  type: "xmtp.org/group_updated:1.0",
  isShown: true,
  encode: (value) => ({
    body: toBinary(GroupUpdatedSchema, create(GroupUpdatedSchema, toMessage(requireUpdate(value, "value")))),
  }),
  decode: ({ body }) => toUpdate(decodeProto(GroupUpdatedSchema, body)),
  fallback: () => undefined,
  shouldPush: () => false,
};
