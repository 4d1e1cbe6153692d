import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { utf8 } from "../bytes.ts";
import { MLS_LIMITS } from "../limits.ts";
import { decodeRows, encodeRows } from "./change.ts";
import { decodeEpochState } from "./epoch-state.ts";
import { MlsGroup } from "./mls-group.ts";
import { commit, groupOf, memberOf, type TestMember } from "../testing/groups.ts";

describe("the rows of a group", () => {
  test("DECODE: rows that are not whole, or that describe a tree of impossible size", async () => {
    const [ann] = (await groupOf(["ann", "bob"])) as [TestMember];
    const load = (change: (rows: Map<string, Uint8Array>) => void) => () => {
      const rows = new Map(ann.rows);
      change(rows);
      return MlsGroup.load(ann.config, rows);
    };
    const head = ann.rows.get("head") ?? utf8("");
    // The last fields of a head: leaf count (4 bytes), active (1), no ReInit (1).
    const headWith = (count: number) => {
      const forged = head.slice();
      new DataView(forged.buffer).setUint32(forged.length - 6, count);
      return forged;
    };
    assert.equal(decodeEpochState(headWith(MLS_LIMITS.maxLeaves)).leafCount, MLS_LIMITS.maxLeaves);
    for (const count of [0, 3, 2 * MLS_LIMITS.maxLeaves, 0x80000000, 0xffffffff]) {
      assert.throws(
        load((rows) => rows.set("head", headWith(count))),
        { code: "DECODE" },
        String(count),
      );
    }
    assert.throws(
      load((rows) => rows.delete("head")),
      { code: "DECODE" },
    );
    for (const key of ["n/3", "n/-1", "n/0.5", "n/x", "n/4294967295"]) {
      assert.throws(
        load((rows) => rows.set(key, ann.rows.get("n/0") ?? utf8(""))),
        { code: "DECODE" },
        key,
      );
    }
  });

  test("rows that belong to no epoch any more are ignored, and deleted with the next epoch", async () => {
    const [ann, bob] = (await groupOf(["ann", "bob"])) as [TestMember, TestMember];
    const orphans = ["p/0/00", "e/7/n/1"];
    for (const key of orphans) ann.rows.set(key, utf8(""));
    const back = memberOf(ann.config, MlsGroup.load(ann.config, ann.rows));
    assert.deepEqual(back.group.pendingProposals(), []);
    const { rows } = await back.group.createCommit();
    for (const key of orphans) assert.equal(rows.get(key), null, key);
    await commit(back, [bob], {});
    assert.deepEqual(back.rows, back.group.snapshot(), "those of every epoch are kept");
    assert.deepEqual(back.group.epochAuthenticator, bob.group.epochAuthenticator);
  });

  test("those of a commit that waits come back from their storage form, deletions as well", () => {
    const rows = new Map([
      ["head", utf8("x")],
      ["e/1", null],
    ]);
    assert.deepEqual(decodeRows(encodeRows(rows)), rows);
  });
});
