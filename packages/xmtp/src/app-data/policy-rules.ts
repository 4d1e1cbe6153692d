import { create } from "@bufbuild/protobuf";
import { XMTP_LIMITS } from "../limits.ts";
import { MetadataPolicySchema, MetadataPolicy_MetadataBasePolicy as Base, type MetadataPolicy } from "../proto.ts";

/** The rights of a proposer follow from these two lists, as they were before the commit. */
export interface Authority {
  readonly isAdmin: boolean;
  readonly isSuperAdmin: boolean;
}

/** The two shapes a permission has in practice, and deny. */
export function basePolicy(base: Base): MetadataPolicy {
  return create(MetadataPolicySchema, { kind: { case: "base", value: base } });
}

/**
 * Evaluates a policy: All conditions of an And, the first allowing one of an Any. Empty conditions, unspecified values
 * and nesting beyond the limit deny.
 */
export function isAllowed(policy: MetadataPolicy | undefined, authority: Authority, depth = 0): boolean {
  if (depth > XMTP_LIMITS.maxPolicyDepth) return false;
  const kind = policy?.kind;
  switch (kind?.case) {
    case "base":
      if (kind.value === Base.ALLOW) return true;
      if (kind.value === Base.ALLOW_IF_ADMIN) return authority.isAdmin || authority.isSuperAdmin;
      return kind.value === Base.ALLOW_IF_SUPER_ADMIN && authority.isSuperAdmin;
    case "andCondition": {
      const { policies } = kind.value;
      const usable = policies.length > 0 && policies.length <= XMTP_LIMITS.maxPolicyConditions;
      return usable && policies.every((inner) => isAllowed(inner, authority, depth + 1));
    }
    case "anyCondition": {
      const { policies } = kind.value;
      const usable = policies.length <= XMTP_LIMITS.maxPolicyConditions;
      return usable && policies.some((inner) => isAllowed(inner, authority, depth + 1));
    }
    default:
      return false;
  }
}
