import { ExternalCommitPolicyEntrySchema, type ExternalCommitPolicyV1 } from "../proto.ts";
import { decodeProto } from "../protobuf.ts";

/**
 * Reads EXTERNAL_COMMIT_POLICY; undefined when it is absent or of an unknown version, which means "off". Throws
 * DecodeError for bytes that are no policy.
 */
export function readPolicy(bytes: Uint8Array | undefined): ExternalCommitPolicyV1 | undefined {
  if (bytes === undefined) return undefined;
  const { version } = decodeProto(ExternalCommitPolicyEntrySchema, bytes);
  return version.case === "v1" ? version.value : undefined;
}
