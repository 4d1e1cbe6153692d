import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { XMTP_LIMITS } from "../limits.ts";
import { MetadataPolicySchema, MetadataPolicy_MetadataBasePolicy as Base, type MetadataPolicy } from "../proto.ts";
import { basePolicy, isAllowed } from "./policy-rules.ts";

const MEMBER = { isAdmin: false, isSuperAdmin: false };
const ADMIN = { isAdmin: true, isSuperAdmin: false };
const SUPER = { isAdmin: false, isSuperAdmin: true };

function all(...policies: MetadataPolicy[]): MetadataPolicy {
  return create(MetadataPolicySchema, { kind: { case: "andCondition", value: { policies } } });
}

function any(...policies: MetadataPolicy[]): MetadataPolicy {
  return create(MetadataPolicySchema, { kind: { case: "anyCondition", value: { policies } } });
}

function verdicts(policy: MetadataPolicy | undefined): boolean[] {
  return [MEMBER, ADMIN, SUPER].map((authority) => isAllowed(policy, authority));
}

describe("permission policies", () => {
  test("base policies: admin always includes super admin", () => {
    assert.deepEqual(verdicts(basePolicy(Base.ALLOW)), [true, true, true]);
    assert.deepEqual(verdicts(basePolicy(Base.ALLOW_IF_ADMIN)), [false, true, true]);
    assert.deepEqual(verdicts(basePolicy(Base.ALLOW_IF_SUPER_ADMIN)), [false, false, true]);
    assert.deepEqual(verdicts(basePolicy(Base.DENY)), [false, false, false]);
  });

  test("missing, unspecified and empty policies deny", () => {
    for (const policy of [undefined, create(MetadataPolicySchema), basePolicy(Base.UNSPECIFIED), all(), any()]) {
      assert.deepEqual(verdicts(policy), [false, false, false]);
    }
  });

  test("And needs all, Any needs one", () => {
    const admin = basePolicy(Base.ALLOW_IF_ADMIN);
    const superAdmin = basePolicy(Base.ALLOW_IF_SUPER_ADMIN);
    assert.deepEqual(verdicts(all(admin, superAdmin)), [false, false, true]);
    assert.deepEqual(verdicts(any(basePolicy(Base.DENY), admin)), [false, true, true]);
  });

  test("conditions nested or listed beyond the limit deny", () => {
    let nested = basePolicy(Base.ALLOW);
    for (let depth = 0; depth < XMTP_LIMITS.maxPolicyDepth; depth++) nested = all(nested);
    assert.equal(isAllowed(nested, MEMBER), true);
    assert.equal(isAllowed(all(nested), MEMBER), false);
    const many = Array.from({ length: XMTP_LIMITS.maxPolicyConditions + 1 }, () => basePolicy(Base.ALLOW));
    assert.equal(isAllowed(any(...many), MEMBER), false);
    assert.equal(isAllowed(all(...many), MEMBER), false);
    assert.equal(isAllowed(any(...many.slice(1)), MEMBER), true);
    assert.equal(isAllowed(all(...many.slice(1)), MEMBER), true);
    let anyNested = basePolicy(Base.ALLOW);
    for (let depth = 0; depth < XMTP_LIMITS.maxPolicyDepth; depth++) anyNested = any(anyNested);
    assert.equal(isAllowed(anyNested, MEMBER), true);
    assert.equal(isAllowed(any(anyNested), MEMBER), false);
  });
});
