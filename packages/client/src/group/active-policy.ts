import type { ExternalCommitPolicyV1 } from "@latchkey/xmtp";
import type { GroupCore } from "./group-core.ts";

/** The external commit policy (XIP-82) while it admits joiners; undefined while it is off. */
export function activePolicy(core: GroupCore): ExternalCommitPolicyV1 | undefined {
  const { policy } = core.state;
  return policy?.allowExternalCommit === true ? policy : undefined;
}
