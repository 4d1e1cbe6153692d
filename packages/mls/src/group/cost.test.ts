import assert from "node:assert/strict";
import { test } from "node:test";
import { toHex } from "../bytes.ts";
import type { CipherSuite, CryptoProvider } from "../crypto/provider.ts";
import { nodeCrypto } from "../node/index.ts";
import { VerifiedTreeCache } from "../tree/verified-trees.ts";
import { createExternalCommit, MlsGroup } from "./mls-group.ts";
import { commit, groupOf, LEAF, newConfig, SUITE, write, type TestMember } from "../testing/groups.ts";
import { largeGroup } from "../testing/large-groups.ts";
import { verifyGroupInfo } from "./verify-group-info.ts";

/** Complexity is counted, never timed: a provider that counts what it is asked for. */
function countingCrypto(): { crypto: CryptoProvider; counts: { hashes: number; signatures: number } } {
  const counts = { hashes: 0, signatures: 0 };
  const suite = nodeCrypto.suite(SUITE);
  const counted: CipherSuite = new Proxy(suite, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== "function") return value;
      return (...args: unknown[]): unknown => {
        if (name === "hash") counts.hashes++;
        if (name === "verify") counts.signatures++;
        if (name === "verifyBatch") counts.signatures += (args[0] as unknown[]).length;
        return Reflect.apply(value, target, args);
      };
    },
  });
  return { crypto: { ...nodeCrypto, suite: () => counted }, counts };
}

/** Leaves of the tree. One stays blank for a joiner, so that it does not grow: growing hashes the new half, once per doubling. */
const SIZES = [64, 1_024, 16_384];
/** Hashes that do not grow with the group: transcript, references, the committer's own leaf. */
const CONSTANT = 16;

for (const size of SIZES) {
  test(`processing a commit or an external join makes O(log n) hashes and rows in a tree of ${size} leaves`, async () => {
    const { ann, bob, info } = await largeGroup(size - 1);
    const { crypto, counts } = countingCrypto();
    const counted: TestMember = { ...bob, group: MlsGroup.load({ ...bob.config, crypto }, bob.rows) };
    const bound = 6 * Math.log2(size) + CONSTANT;
    const process = async (message: Uint8Array): Promise<{ hashes: number; rows: number; merge: () => void }> => {
      counts.hashes = 0;
      const received = await counted.group.verify(message);
      assert.ok(received.kind === "commit");
      const staged = await counted.group.stage(received.commit);
      return { hashes: counts.hashes, rows: staged.rows.size, merge: () => write(counted, staged) };
    };
    const { message } = await createExternalCommit(await newConfig("zoe"), info, { leaf: LEAF });
    // The first hash of a tree that was just loaded costs the whole tree, once.
    await process(message);
    const joined = await process(message);
    assert.ok(joined.hashes > Math.log2(size) && joined.hashes <= bound, `${joined.hashes} hashes for a join`);
    assert.ok(joined.rows <= bound, `${joined.rows} rows for a join`);
    const pending = await ann.group.createCommit();
    const committed = await process(pending.message);
    assert.ok(
      committed.hashes > Math.log2(size) && committed.hashes <= bound,
      `${committed.hashes} hashes for a commit`,
    );
    assert.ok(committed.rows <= bound, `${committed.rows} rows for a commit`);
    committed.merge();
    assert.equal(toHex(counted.group.epochAuthenticator), toHex(pending.epochAuthenticator));
  });
}

test("a join from a refreshed GroupInfo hashes and verifies only what changed", async () => {
  const size = 64;
  const [ann, bob] = await groupOf(Array.from({ length: size - 1 }, (_, index) => `member ${index}`));
  assert.ok(ann !== undefined && bob !== undefined);
  for (const member of [ann, bob]) await commit(member, [member === ann ? bob : ann], {});
  const { crypto, counts } = countingCrypto();
  const config = { crypto, verifiedTrees: new VerifiedTreeCache() };
  const cost = async (): Promise<{ hashes: number; signatures: number }> => {
    Object.assign(counts, { hashes: 0, signatures: 0 });
    await verifyGroupInfo(config, await ann.group.exportGroupInfo());
    return { ...counts };
  };
  const first = await cost();
  assert.equal(first.signatures, 1 + ann.group.memberCount);
  assert.ok(first.hashes >= 2 * size - 1, `${first.hashes} hashes for a whole tree`);
  assert.deepEqual(await cost(), { hashes: 0, signatures: 1 }, "the same tree again: the GroupInfo's signature alone");
  await commit(ann, [bob], {});
  const refreshed = await cost();
  assert.equal(refreshed.signatures, 1 + 1, "the GroupInfo and the committer's new leaf");
  const bound = 6 * Math.log2(size) + CONSTANT;
  assert.ok(refreshed.hashes <= bound, `${refreshed.hashes} hashes after a commit, bound ${bound}`);
  const info = await verifyGroupInfo(ann.config, await ann.group.exportGroupInfo());
  const { message } = await createExternalCommit(await newConfig("zoe"), info, { leaf: LEAF });
  for (const member of [ann, bob]) {
    const received = await member.group.verify(message);
    assert.ok(received.kind === "commit");
    write(member, await member.group.stage(received.commit));
  }
  const joined = await cost();
  assert.equal(joined.signatures, 1 + 1, "the GroupInfo and the joiner's leaf");
  assert.ok(joined.hashes <= bound, `${joined.hashes} hashes after a join, bound ${bound}`);
});
