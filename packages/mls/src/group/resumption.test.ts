import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { toHex, utf8 } from "../bytes.ts";
import type { PreSharedKeyId, ReInit } from "../messages/proposal.ts";
import type { GroupConfig } from "./config.ts";
import { MlsGroup } from "./mls-group.ts";
import { checkBranch, checkReInit } from "./resumption.ts";
import {
  addProposal,
  commit,
  GROUP_ID,
  groupOf,
  keyPackageFor,
  LEAF,
  LIFETIME,
  memberOf,
  SUITE,
  type TestMember,
} from "../testing/groups.ts";
import { assertUnchanged } from "../testing/refusal.ts";

const NEXT_ID = utf8("the next group!!");
const REINIT = { kind: "reinit", groupId: NEXT_ID, version: 1, cipherSuite: SUITE, extensions: [] } as const;

/** The member's config with the resumption PSKs of its group. */
function knowing(member: TestMember, usage: "reinit" | "branch"): { config: GroupConfig; id: PreSharedKeyId } {
  const { id, secret } = member.group.resumptionPsk(usage);
  const { groupId, epoch } = member.group;
  const resumptionPsk = (wanted: Uint8Array, at: bigint) =>
    toHex(wanted) === toHex(groupId) && at === epoch ? secret : undefined;
  return { config: { ...member.config, resumptionPsk }, id };
}

/** A new group by `creator` with the given members, tied to their old one. */
async function found(creator: TestMember, others: readonly TestMember[], usage: "reinit" | "branch") {
  const { config, id } = knowing(creator, usage);
  const options = { cipherSuite: SUITE, groupId: NEXT_ID, extensions: [], leaf: LEAF, lifetime: LIFETIME };
  const next = memberOf(config, await MlsGroup.create(config, options));
  const bundles = await Promise.all(others.map((other) => keyPackageFor(other.config)));
  const { welcome } = await commit(next, [], { proposals: [...bundles.map(addProposal), { kind: "psk", psk: id }] });
  assert.ok(welcome !== undefined);
  const join = async (index: number, joiner: GroupConfig) => {
    const bundle = bundles[index];
    assert.ok(bundle !== undefined);
    return (await MlsGroup.fromWelcome(joiner, welcome, [bundle])).group;
  };
  return { next: next.group, join };
}

async function reinitialized(change: Partial<ReInit> = {}): Promise<[TestMember, TestMember]> {
  const [ann, bob] = (await groupOf(["ann", "bob"])) as [TestMember, TestMember];
  await commit(ann, [bob], { proposals: [{ ...REINIT, ...change }] });
  return [ann, bob];
}

describe("ReInit (RFC 9420 §11.2)", () => {
  test("closes the group, also after a restart, and its members meet in the announced one", async () => {
    const [ann, bob] = await reinitialized();
    for (const member of [ann, bob, { ...bob, group: MlsGroup.load(bob.config, bob.rows) }]) {
      assert.deepEqual(member.group.reinit?.groupId, NEXT_ID);
      await assertUnchanged(member, (group) => group.encryptApplication(utf8("too late")), { code: "MLS_STATE" });
      await assertUnchanged(member, (group) => group.createCommit(), { code: "MLS_STATE" });
    }
    const { next, join } = await found(ann, [bob], "reinit");
    const joined = await join(0, knowing(bob, "reinit").config);
    assert.deepEqual(joined.epochAuthenticator, next.epochAuthenticator);
    checkReInit(ann.group, next);
    checkReInit(bob.group, joined);
  });

  test("psk-unknown: nobody gets into it who was not in the former group", async () => {
    const [ann, bob] = await reinitialized();
    const { join } = await found(ann, [bob], "reinit");
    await assert.rejects(join(0, bob.config), { code: "MLS_INVALID", rule: "psk-unknown" });
  });

  test("reinit: another group than the announced one, a member left out, an earlier version", async () => {
    const [ann, bob] = await reinitialized();
    const [stranger] = (await groupOf(["zoe"])) as [TestMember];
    const { next } = await found(ann, [stranger], "reinit");
    assert.throws(() => checkReInit(ann.group, next), { rule: "reinit" });
    const other = await groupOf(["ann", "bob"]);
    for (const { group } of other) assert.throws(() => checkReInit(bob.group, group), { rule: "reinit" });
    const [cat, dan] = (await groupOf(["cat", "dan"])) as [TestMember, TestMember];
    assert.throws(() => checkReInit(cat.group, dan.group), { code: "MLS_STATE" });
    const back = { proposals: [{ ...REINIT, version: 0 }] };
    await assertUnchanged(cat, (group) => group.createCommit(back), { rule: "reinit" });
  });

  test("reinit: not the group id, cipher suite, extensions or version that was announced, nor at epoch 1", async () => {
    const announced: Partial<ReInit>[] = [
      { groupId: GROUP_ID },
      { cipherSuite: 1 },
      { extensions: [{ type: 0xf001, data: utf8("") }] },
      { version: 2 },
    ];
    for (const change of announced) {
      const [ann, bob] = await reinitialized(change);
      const { next } = await found(ann, [bob], "reinit");
      assert.throws(() => checkReInit(ann.group, next), { rule: "reinit" }, Object.keys(change).join());
    }
    const [ann, bob] = await reinitialized();
    const { next } = await found(ann, [bob], "reinit");
    const later = await next.createCommit();
    next.merge(later.sent);
    next.merge(later);
    assert.throws(() => checkReInit(ann.group, next), { rule: "reinit" });
  });

  test("proposal-list: stands alone in its commit", async () => {
    const [ann] = (await groupOf(["ann", "bob"])) as [TestMember];
    const proposals = [REINIT, { kind: "remove", removed: ann.group.ownLeafIndex }] as const;
    await assertUnchanged(ann, (group) => group.createCommit({ proposals }), { rule: "proposal-list" });
  });
});

describe("Branch (RFC 9420 §11.3)", () => {
  test("some members of a group make a group of their own, tied to it", async () => {
    const [ann, bob, cat] = (await groupOf(["ann", "bob", "cat"])) as [TestMember, TestMember, TestMember];
    const { next, join } = await found(ann, [cat], "branch");
    const joined = await join(0, knowing(cat, "branch").config);
    assert.deepEqual(joined.epochAuthenticator, next.epochAuthenticator);
    checkBranch(cat.group, joined);
    await commit(ann, [bob, cat], {});
    assert.equal(ann.group.reinit, undefined);
  });

  test("branch: somebody in it is not a member of the parent", async () => {
    const [ann, bob] = (await groupOf(["ann", "bob"])) as [TestMember, TestMember];
    const [stranger] = (await groupOf(["zoe"])) as [TestMember];
    const { next } = await found(ann, [bob, stranger], "branch");
    assert.throws(() => checkBranch(ann.group, next), { code: "MLS_INVALID", rule: "branch" });
    await commit(ann, [bob], {});
    assert.throws(() => checkBranch(bob.group, ann.group), { rule: "branch" }, "a new group begins at epoch 1");
  });

  test("and a ReInit are told apart by the usage of their PSK, as RFC 9420 §8.4 numbers them", async () => {
    const [ann] = (await groupOf(["ann"])) as [TestMember];
    const usages = (["reinit", "branch"] as const).map((usage) => ann.group.resumptionPsk(usage).id);
    assert.deepEqual(
      usages.map((id) => id.kind === "resumption" && id.usage),
      [2, 3],
    );
  });

  test("psk-usage: its PSK stands in the first commit only, and once", async () => {
    const [ann, bob] = (await groupOf(["ann", "bob"])) as [TestMember, TestMember];
    const { id } = knowing(ann, "branch");
    const commit = { proposals: [{ kind: "psk", psk: id }] as const };
    await assertUnchanged(ann, (group) => group.createCommit(commit), { rule: "psk-usage" });
    const { config } = knowing(bob, "branch");
    const options = { cipherSuite: SUITE, groupId: NEXT_ID, extensions: [], leaf: LEAF, lifetime: LIFETIME };
    const next = await MlsGroup.create(config, options);
    const second = {
      ...id,
      kind: "resumption",
      usage: 2,
      epoch: 0n,
      groupId: GROUP_ID,
      nonce: new Uint8Array(32),
    } as const;
    const twice = [id, second].map((psk) => ({ kind: "psk", psk }) as const);
    await assert.rejects(next.createCommit({ proposals: twice }), { rule: "psk-usage" });
  });
});
