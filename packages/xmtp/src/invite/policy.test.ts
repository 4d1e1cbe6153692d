import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { create, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { nodeCrypto } from "@latchkey/mls/node";
import { XMTP_LIMITS } from "../limits.ts";
import { ExternalCommitPolicyEntrySchema, ExternalCommitPolicyV1Schema } from "../proto.ts";
import { hex, present, seed } from "../testing/inboxes.ts";
import {
  changePolicy,
  countUses,
  effectiveExpiryNs,
  enablePolicy,
  policyUpdate,
  revokePolicy,
  rotatePolicyKey,
  validatePolicyV1,
} from "./policy.ts";
import { readPolicy } from "./read-policy.ts";

const SLOT = hex("00112233445566778899aabbccddeeff");
const ON = { allowExternalCommit: true, symmetricKey: { material: seed(1) }, externalGroupId: SLOT };
const policyOf = (init: MessageInitShape<typeof ExternalCommitPolicyV1Schema>) =>
  create(ExternalCommitPolicyV1Schema, init);
const rejected = (rule: string) => ({ code: "COMMIT_REJECTED", rule });

describe("EXTERNAL_COMMIT_POLICY", () => {
  test("enabling mints a fresh key and a fresh slot every time and keeps the settings", () => {
    const settings = {
      expiresAtNs: 5n,
      expireInNs: 6n,
      maxUses: 7,
      refreshPointers: [{ kind: "https_url", url: "https://a.b" }] as const,
    };
    const [first, second] = [enablePolicy(nodeCrypto, settings), enablePolicy(nodeCrypto, settings)];
    assert.equal(present(first.symmetricKey).material.length, 32);
    assert.equal(first.externalGroupId.length, 16);
    assert.notDeepEqual(first.symmetricKey, second.symmetricKey);
    assert.notDeepEqual(first.externalGroupId, second.externalGroupId);
    const { expiresAtNs, expireInNs, maxUses, refreshPointers } = first;
    assert.deepEqual([expiresAtNs, expireInNs, maxUses, refreshPointers.length], [5n, 6n, 7, 1]);
    assert.deepEqual(readPolicy(policyUpdate(first)), first);
  });

  test("without settings an invite has no end, no age limit and no limit of uses", () => {
    const { expiresAtNs, expireInNs, maxUses, refreshPointers } = enablePolicy(nodeCrypto);
    assert.deepEqual([expiresAtNs, expireInNs, maxUses, refreshPointers], [0n, 0n, 0, []]);
  });

  test("InvalidRefreshPointer: settings are checked when an invite is made, and a policy when its key is rotated", () => {
    const refreshPointers = [{ kind: "https_url", url: "http://a.b" }] as const;
    assert.throws(() => enablePolicy(nodeCrypto, { refreshPointers }), rejected("InvalidRefreshPointer"));
    const broken = policyOf({ ...ON, refreshPointers: [{}] });
    assert.throws(() => rotatePolicyKey(nodeCrypto, broken), rejected("InvalidRefreshPointer"));
  });

  test("InvalidExternalGroupIdLength: an id has 4 to 64 bytes", () => {
    for (const length of [4, XMTP_LIMITS.maxExternalGroupIdBytes]) {
      validatePolicyV1(policyOf({ ...ON, externalGroupId: new Uint8Array(length) }));
    }
    for (const length of [3, XMTP_LIMITS.maxExternalGroupIdBytes + 1]) {
      const policy = policyOf({ ...ON, externalGroupId: new Uint8Array(length) });
      assert.throws(() => validatePolicyV1(policy), rejected("InvalidExternalGroupIdLength"));
    }
    const off = policyOf({ externalGroupId: new Uint8Array(1) });
    assert.throws(() => validatePolicyV1(off), rejected("PerInviteFieldNotCleared"));
  });

  test("X82-05 rotating the key keeps slot and settings", () => {
    const before = enablePolicy(nodeCrypto, { maxUses: 3, expireInNs: 4n });
    const after = rotatePolicyKey(nodeCrypto, before);
    assert.notDeepEqual(after.symmetricKey, before.symmetricKey);
    assert.deepEqual({ ...after, symmetricKey: undefined }, { ...before, symmetricKey: undefined });
    assert.throws(() => rotatePolicyKey(nodeCrypto, revokePolicy(before)), rejected("ExternalCommitNotAllowed"));
  });

  test("changing what an invite allows keeps key, slot, and every setting that is not given", () => {
    const refreshPointers = [{ kind: "https_url", url: "https://a.b" }] as const;
    const before = enablePolicy(nodeCrypto, { expiresAtNs: 5n, expireInNs: 6n, maxUses: 7, refreshPointers });
    assert.deepEqual(changePolicy(before, {}), before);
    assert.deepEqual(changePolicy(before, { expiresAtNs: 0n }), { ...before, expiresAtNs: 0n });
    assert.deepEqual(changePolicy(before, { expireInNs: 0n }), { ...before, expireInNs: 0n });
    assert.deepEqual(changePolicy(before, { maxUses: 0 }), { ...before, maxUses: 0 });
    assert.deepEqual(changePolicy(before, { refreshPointers: [] }), { ...before, refreshPointers: [] });
    const broken = { refreshPointers: [{ kind: "https_url", url: "http://a.b" }] } as const;
    assert.throws(() => changePolicy(before, broken), rejected("InvalidRefreshPointer"));
    assert.throws(
      () => changePolicy(policyOf({ ...ON, externalGroupId: hex("00") }), {}),
      rejected("InvalidExternalGroupIdLength"),
    );
    assert.throws(() => changePolicy(revokePolicy(before), {}), rejected("ExternalCommitNotAllowed"));
  });

  test("X82-26 after revoking, the bytes are those of a policy that never had an invite", () => {
    const never = policyUpdate(policyOf({ expireInNs: 4n, maxUses: 3 }));
    const invite = enablePolicy(nodeCrypto, { maxUses: 3, expireInNs: 4n, expiresAtNs: 9n });
    assert.deepEqual(policyUpdate(revokePolicy(invite)), never);
    assert.deepEqual(policyUpdate(revokePolicy(undefined)), policyUpdate(policyOf({})));
  });

  test("X82-26 while the switch is off every per-invite field must be absent, an empty key included", () => {
    const planted = {
      symmetric_key: policyOf({ symmetricKey: {} }),
      external_group_id: policyOf({ externalGroupId: SLOT }),
      expires_at_ns: policyOf({ expiresAtNs: 1n }),
      refresh_pointers: policyOf({ refreshPointers: [{}] }),
    };
    for (const [field, policy] of Object.entries(planted)) {
      assert.throws(() => validatePolicyV1(policy), { ...rejected("PerInviteFieldNotCleared"), data: { field } });
      assert.throws(() => policyUpdate(policy), rejected("PerInviteFieldNotCleared"));
    }
    validatePolicyV1(policyOf({ expireInNs: 1n, maxUses: 2 }));
  });

  test("while it is on, key, slot and refresh pointers must be usable", () => {
    const { symmetricKey, ...noKey } = ON;
    assert.ok(symmetricKey);
    const httpsUrl = (value: string) => ({ location: { case: "httpsUrl" as const, value } });
    const pointers = Array.from({ length: XMTP_LIMITS.maxRefreshPointers + 1 }, () => httpsUrl("https://a.b"));
    assert.throws(() => validatePolicyV1(policyOf(noKey)), rejected("MissingSymmetricKey"));
    const short = policyOf({ ...ON, symmetricKey: { material: hex("00") } });
    assert.throws(() => validatePolicyV1(short), rejected("InvalidSymmetricKeyLength"));
    const id = policyOf({ ...ON, externalGroupId: hex("010203") });
    assert.throws(() => validatePolicyV1(id), rejected("InvalidExternalGroupIdLength"));
    for (const refreshPointers of [[{}], [httpsUrl("http://a.b")], pointers]) {
      assert.throws(() => validatePolicyV1(policyOf({ ...ON, refreshPointers })), rejected("InvalidRefreshPointer"));
    }
    validatePolicyV1(policyOf({ ...ON, refreshPointers: pointers.slice(1) }));
  });

  test("an absent policy and one of an unknown version are off; garbage is an error", () => {
    assert.equal(readPolicy(undefined), undefined);
    assert.equal(
      readPolicy(toBinary(ExternalCommitPolicyEntrySchema, create(ExternalCommitPolicyEntrySchema))),
      undefined,
    );
    assert.equal(readPolicy(hex("1200")), undefined);
    assert.throws(() => readPolicy(hex("ff")), { code: "DECODE" });
  });

  test("the effective expiry is the earlier of the policy's end and the epoch's age limit, 0 for neither", () => {
    const at = (expiresAtNs: bigint, expireInNs: bigint, start: bigint) =>
      effectiveExpiryNs({ expiresAtNs, expireInNs }, start);
    assert.equal(at(0n, 0n, 100n), 0n);
    assert.equal(at(50n, 0n, 100n), 50n);
    assert.equal(at(0n, 5n, 100n), 105n);
    assert.equal(at(103n, 5n, 100n), 103n);
    assert.equal(at(107n, 5n, 100n), 105n);
    for (const ns of [2n ** 63n, 2n ** 64n - 1n]) {
      assert.equal(at(0n, ns, 100n), 2n ** 63n - 1n);
      assert.equal(at(ns, 0n, 100n), 2n ** 63n - 1n);
    }
  });

  test("X82-12 uses are the members tagged with the present slot: a new slot starts at zero, a new key does not", () => {
    const entry = (admittedViaExternalGroupId: Uint8Array) => ({
      sequenceId: 1n,
      failedInstallations: [],
      admittedViaExternalGroupId,
    });
    const members = new Map([
      ["a", entry(SLOT)],
      ["b", entry(SLOT)],
      ["c", entry(new Uint8Array(0))],
      ["d", entry(hex("01020304"))],
    ]);
    const policy = policyOf(ON);
    assert.equal(countUses({ members, policy }), 2);
    assert.equal(countUses({ members, policy: rotatePolicyKey(nodeCrypto, policy) }), 2);
    assert.equal(countUses({ members, policy: enablePolicy(nodeCrypto) }), 0);
    assert.equal(countUses({ members, policy: revokePolicy(policy) }), 0);
    assert.equal(countUses({ members, policy: undefined }), 0);
  });
});
