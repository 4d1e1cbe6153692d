import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { utf8 } from "../bytes.ts";
import type { LeafIndex, NodeIndex } from "../tree/math.ts";
import { parentTreeNode, type TreeNode } from "../tree/node.ts";
import { createExternalCommit, MlsGroup } from "./mls-group.ts";
import {
  byValue,
  encodePublic,
  forgeGroupInfo,
  forgeMemberCommit,
  publicMessageIn,
  stateOf,
} from "../testing/forge.ts";
import { commit, deliver, deliverCommit, groupOf, LEAF, newConfig, write, type TestMember } from "../testing/groups.ts";
import { assertRefused, assertUnchanged } from "../testing/refusal.ts";
import { verifyGroupInfo } from "./verify-group-info.ts";

/** Defects that were published of other implementations and have no place among the rules' own tests. */

type Quartet = [TestMember, TestMember, TestMember, TestMember];
const quartet = async (): Promise<Quartet> => (await groupOf(["ann", "bob", "cat", "dan"])) as Quartet;
const remove = (leaf: number) => ({ kind: "remove", removed: leaf as LeafIndex }) as const;

/** Indices that are negative, or small, to whoever computes with 32 signed bits. */
const HUGE = [0x7fffffff, 0x80000000, 0x80000001, 0xffffffff];

describe("leaf indices compared as signed (CVE-2026-17507)", () => {
  for (const leaf of HUGE) {
    test(`remove-leaf: SEC-05 a Remove of leaf ${leaf}`, async () => {
      const [ann, bob] = await quartet();
      const message = await forgeMemberCommit(ann, (legal) => ({ ...legal, proposals: [byValue(remove(leaf))] }));
      await assertRefused(bob, message, "remove-leaf");
    });

    test(`DECODE: SEC-05 a PublicMessage of leaf ${leaf}`, async () => {
      const [ann, bob] = await quartet();
      const { message } = await ann.group.createCommit({ wireFormat: "public_message" });
      const good = publicMessageIn(message);
      const content = { ...good.content, sender: { kind: "member", leafIndex: leaf as LeafIndex } as const };
      await assertRefused(bob, encodePublic({ ...good, content }), { code: "DECODE" });
    });
  }
});

describe("parent hashes of trees with blank ancestors (mls-rs#342, #352, #360)", () => {
  /** Ann's path leads over a blank node: her neighbour is gone. */
  async function withGap(): Promise<[TestMember, TestMember]> {
    const [ann, , cat, dan] = await quartet();
    await commit(cat, [ann, dan], { proposals: [remove(1)] });
    await commit(ann, [cat, dan], {});
    const { tree } = stateOf(ann);
    assert.equal(tree.node(1 as NodeIndex), undefined);
    assert.ok(tree.node(3 as NodeIndex) !== undefined);
    return [ann, cat];
  }

  test("a legal one is joined by external commit, and followed", async () => {
    const [ann, cat] = await withGap();
    const info = await verifyGroupInfo(ann.config, await ann.group.exportGroupInfo());
    const { message, group } = await createExternalCommit(await newConfig("eve"), info, { leaf: LEAF });
    for (const member of [ann, cat]) {
      await deliverCommit(member, message);
      assert.deepEqual(member.group.epochAuthenticator, group.epochAuthenticator);
    }
  });

  test("parent-hash: one whose chain is broken beyond the gap, or ends in it, is refused", async () => {
    const [ann] = await withGap();
    const changes: ((node: TreeNode & { kind: "parent" }) => TreeNode)[] = [
      ({ parent }) => parentTreeNode({ ...parent, encryptionKey: new Uint8Array(32).fill(9) }),
      ({ parent }) => parentTreeNode({ ...parent, unmergedLeaves: [0 as LeafIndex] }),
    ];
    for (const change of changes) {
      const forged = await forgeGroupInfo(ann, (nodes) =>
        nodes.map((node, at) => (at === 3 && node?.kind === "parent" ? change(node) : node)),
      );
      await assert.rejects(verifyGroupInfo(ann.config, forged), { code: "MLS_INVALID", rule: "parent-hash" });
    }
    const filled = await forgeGroupInfo(ann, (nodes) => nodes.map((node, at) => (at === 1 ? nodes[3] : node)));
    await assert.rejects(verifyGroupInfo(ann.config, filled), { code: "MLS_INVALID" });
  });
});

describe("memory ahead of disk (zuu#699)", () => {
  test("a commit whose write fails leaves the group where its rows are, and is taken when it comes again", async () => {
    const [ann, bob] = await quartet();
    const pending = await ann.group.createCommit();
    write(ann, pending.sent);
    write(ann, pending);
    const before = bob.group.snapshot();
    const received = await bob.group.verify(pending.message);
    assert.ok(received.kind === "commit");
    const staged = await bob.group.stage(received.commit);
    assert.ok(staged.rows.size > 0);
    // The store fails here, so nothing is merged.
    assert.deepEqual(bob.group.snapshot(), before);
    assert.equal(bob.group.epoch, 1n);
    await deliverCommit(bob, pending.message);
    assert.deepEqual(bob.group.epochAuthenticator, ann.group.epochAuthenticator);
    assert.deepEqual(bob.group.snapshot(), bob.rows);
  });

  test("MLS_STATE: a commit that was verified before another change is not staged any more", async () => {
    const [ann, bob] = await quartet();
    const { message } = await ann.group.createCommit({ wireFormat: "public_message" });
    const received = await bob.group.verify(message);
    assert.ok(received.kind === "commit");
    const { change } = await bob.group.encryptApplication(utf8("meanwhile"));
    write(bob, change);
    const stage = (group: MlsGroup) => group.stage(received.commit);
    await assertUnchanged(bob, stage, { code: "MLS_STATE" });
    await deliverCommit(bob, message);
  });
});

describe("ratchets that a restart forgets (openmls#1846)", () => {
  test("what was sent and what was read is known after a restart: no key encrypts twice, none opens twice", async () => {
    const [ann, bob] = await quartet();
    let [sender, reader] = [ann, bob];
    const sent: Uint8Array[] = [];
    for (let i = 0; i < 4; i++) {
      const { message, change } = await sender.group.encryptApplication(utf8(`m${i}`));
      write(sender, change);
      sender = { ...sender, group: MlsGroup.load(sender.config, sender.rows) };
      const { data } = await deliver(reader, message, "application");
      assert.deepEqual(data, utf8(`m${i}`));
      reader = { ...reader, group: MlsGroup.load(reader.config, reader.rows) };
      sent.push(message);
      for (const earlier of sent) assert.equal((await reader.group.verify(earlier)).kind, "duplicate");
    }
  });
});
