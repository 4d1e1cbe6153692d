import { create, toBinary } from "@bufbuild/protobuf";
import {
  CREDENTIAL_TYPE,
  decodeExact,
  encode,
  encodeRequiredCapabilities,
  EXTENSION_TYPE,
  findExtension,
  fromHex,
  PROPOSAL_TYPE,
  type Extension,
} from "@latchkey/mls";
import {
  ConversationType,
  GroupMembershipSchema,
  GroupMetadataV1Schema,
  GroupMutableMetadataV1Schema,
  GroupMutablePermissionsV1Schema,
  MembershipPolicy_BasePolicy as Membership,
  MembershipPolicySchema,
  PermissionsUpdatePolicy_PermissionsBasePolicy as Update,
  PermissionsUpdatePolicySchema,
} from "../proto.ts";
import { decodeProto } from "../protobuf.ts";
import { XMTP_EXTENSION_TYPE } from "../protocol.ts";

/** Asks super admins to add the sender's installation again, to the group of that id. */
export interface ReaddRequest {
  readonly groupId: Uint8Array;
  /** Id of the last envelope of the group's log that the sender applied as a commit. */
  readonly latestCommitId: bigint;
}

/** Parts of a group that is itself the message. */
export interface OneshotGroup {
  readonly creatorInboxId: string;
  /** Sequence id of each inbox in it. */
  readonly members: ReadonlyMap<string, bigint>;
  /** Ids in hex of installations of these inboxes that are not in it. */
  readonly failedInstallations: readonly string[];
  readonly request: ReaddRequest;
}

const MEMBERSHIP_POLICY = create(MembershipPolicySchema, { kind: { case: "base", value: Membership.ALLOW } });
const ADMIN_POLICY = create(PermissionsUpdatePolicySchema, {
  kind: { case: "base", value: Update.ALLOW_IF_SUPER_ADMIN },
});

function metadataOf({ creatorInboxId, request }: OneshotGroup): Uint8Array {
  const { groupId, latestCommitId: latestCommitSequenceId } = request;
  const metadata = create(GroupMetadataV1Schema, {
    conversationType: ConversationType.ONESHOT,
    creatorInboxId,
    oneshotMessage: { messageType: { case: "readdRequest", value: { groupId, latestCommitSequenceId } } },
  });
  return encode(toBinary(GroupMetadataV1Schema, metadata), (writer, bytes) => writer.opaque(bytes));
}

/**
 * GroupContext extensions of a group in XMTP's form before app data that nobody ever writes to: its Welcome is the message.
 * This form is read and built for such requests only.
 */
export function oneshotExtensions(group: OneshotGroup): Extension[] {
  const { immutableMetadata, mutableMetadata, groupMembership, groupPermissions } = XMTP_EXTENSION_TYPE;
  const superAdminList = { inboxIds: [group.creatorInboxId] };
  const mutable = create(GroupMutableMetadataV1Schema, { adminList: { inboxIds: [] }, superAdminList });
  const members = create(GroupMembershipSchema, {
    members: Object.fromEntries(group.members),
    failedInstallations: group.failedInstallations.map(fromHex),
  });
  const permissions = create(GroupMutablePermissionsV1Schema, {
    policies: {
      addMemberPolicy: MEMBERSHIP_POLICY,
      removeMemberPolicy: MEMBERSHIP_POLICY,
      addAdminPolicy: ADMIN_POLICY,
      removeAdminPolicy: ADMIN_POLICY,
      updatePermissionsPolicy: ADMIN_POLICY,
    },
  });
  const required = encodeRequiredCapabilities({
    extensionTypes: [
      groupMembership,
      mutableMetadata,
      groupPermissions,
      immutableMetadata,
      EXTENSION_TYPE.lastResort,
      EXTENSION_TYPE.applicationId,
    ],
    proposalTypes: [PROPOSAL_TYPE.group_context_extensions],
    credentialTypes: [CREDENTIAL_TYPE.basic],
  });
  return [
    { type: immutableMetadata, data: metadataOf(group) },
    { type: mutableMetadata, data: toBinary(GroupMutableMetadataV1Schema, mutable) },
    { type: groupMembership, data: toBinary(GroupMembershipSchema, members) },
    { type: groupPermissions, data: toBinary(GroupMutablePermissionsV1Schema, permissions) },
    { type: EXTENSION_TYPE.requiredCapabilities, data: required },
  ];
}

/** Whether a group is itself a message; `request` is undefined for one of another kind. Throws DecodeError. */
export function readOneshot(
  extensions: readonly Extension[],
): { readonly request: ReaddRequest | undefined } | undefined {
  const data = findExtension(extensions, XMTP_EXTENSION_TYPE.immutableMetadata);
  if (data === undefined) return undefined;
  const bytes = decodeExact(data, (reader) => reader.opaque());
  const metadata = decodeProto(GroupMetadataV1Schema, bytes);
  if (metadata.conversationType !== ConversationType.ONESHOT) return undefined;
  const message = metadata.oneshotMessage?.messageType;
  if (message?.case !== "readdRequest") return { request: undefined };
  const { groupId, latestCommitSequenceId } = message.value;
  return { request: { groupId, latestCommitId: latestCommitSequenceId } };
}
