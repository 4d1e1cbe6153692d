/** Entry point `@latchkey/xmtp/proto`: messages and services generated from `proto/`. */
export * from "./gen/identity/api/v1/identity_pb.ts";
export * from "./gen/identity/associations/association_pb.ts";
export * from "./gen/identity/associations/signature_pb.ts";
export * from "./gen/identity/credential_pb.ts";
export * from "./gen/message_contents/public_key_pb.ts";
export * from "./gen/mls/api/v1/mls_pb.ts";
export * from "./gen/mls/message_contents/commit_log_pb.ts";
export * from "./gen/mls/message_contents/component_permissions_pb.ts";
export * from "./gen/mls/message_contents/content_pb.ts";
export * from "./gen/mls/message_contents/content_types/reaction_pb.ts";
export * from "./gen/mls/message_contents/external_commit_policy_pb.ts";
export * from "./gen/mls/message_contents/external_invite_pb.ts";
export * from "./gen/mls/message_contents/group_membership_pb.ts";
export * from "./gen/mls/message_contents/group_metadata_pb.ts";
export * from "./gen/mls/message_contents/group_mutable_metadata_pb.ts";
export * from "./gen/mls/message_contents/group_permissions_pb.ts";
export * from "./gen/mls/message_contents/oneshot_pb.ts";
export * from "./gen/mls/message_contents/transcript_messages_pb.ts";
export * from "./gen/mls/message_contents/welcome_pointer_pb.ts";
export * from "./gen/mls/message_contents/wrapper_encryption_pb.ts";

// MlsApi has legacy messages of the same names; those of IdentityApi are the ones in use.
export {
  GetIdentityUpdatesRequestSchema,
  GetIdentityUpdatesResponseSchema,
} from "./gen/identity/api/v1/identity_pb.ts";
export type { GetIdentityUpdatesRequest, GetIdentityUpdatesResponse } from "./gen/identity/api/v1/identity_pb.ts";
