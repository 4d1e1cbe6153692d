import assert from "node:assert/strict";
import { test } from "node:test";
import { toHex } from "../bytes.ts";
import type { CipherSuite, CryptoProvider } from "../crypto/provider.ts";
import { nodeCrypto } from "../node/index.ts";
import { VerifiedLeafCache } from "../tree/verified-leaves.ts";
import { createExternalCommit, MlsGroup } from "./mls-group.ts";
import {
  addProposal,
  commit,
  keyPackageFor,
  LEAF,
  newConfig,
  newGroup,
  SUITE,
  welcomed,
  write,
  type TestMember,
} from "./test-groups.ts";
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

/** Leaves of the tree. Two stay blank, so that it does not grow: growing hashes the new half, once per doubling. */
const SIZES = [64, 1024];
/** Hashes that do not grow with the group: transcript, references, the committer's own leaf. */
const CONSTANT = 16;

async function largeGroup(size: number): Promise<{ ann: TestMember; bob: TestMember }> {
  const ann = await newGroup("ann");
  const configs = await Promise.all(Array.from({ length: size - 1 }, (_, index) => newConfig(`member ${index}`)));
  const bundles = await Promise.all(configs.map(keyPackageFor));
  const { welcome } = await commit(ann, [], { proposals: bundles.map(addProposal) });
  const [config] = configs;
  const [bundle] = bundles;
  assert.ok(config !== undefined && bundle !== undefined);
  const bob = await welcomed(config, welcome, bundle);
  return { ann, bob };
}

for (const size of SIZES) {
  test(`processing a commit or an external join makes O(log n) hashes in a tree of ${size} leaves`, async () => {
    const { ann, bob } = await largeGroup(size - 2);
    const { crypto, counts } = countingCrypto();
    const counted: TestMember = { ...bob, group: MlsGroup.load({ ...bob.config, crypto }, bob.rows) };
    const bound = 6 * Math.log2(size) + CONSTANT;
    // The first hash of a tree that was just loaded costs the whole tree, once.
    const warm = await ann.group.createCommit();
    write(ann, warm.sent);
    const process = async (message: Uint8Array): Promise<{ hashes: number; rows: number }> => {
      counts.hashes = 0;
      const received = await counted.group.verify(message);
      assert.ok(received.kind === "commit");
      const staged = await counted.group.stage(received.commit);
      const { hashes } = counts;
      const rows = staged.rows.size;
      write(counted, staged);
      return { hashes, rows };
    };
    await process(warm.message);
    write(ann, warm);
    const info = await verifyGroupInfo(ann.config, await ann.group.exportGroupInfo());
    const { message } = await createExternalCommit(await newConfig("zoe"), info, { leaf: LEAF });
    const joined = await process(message);
    assert.equal(counted.group.memberCount, size - 1);
    assert.ok(joined.hashes <= bound, `${joined.hashes} hashes for an external join of ${size}, bound ${bound}`);
    assert.ok(joined.rows <= 6 * Math.log2(size) + CONSTANT, `${joined.rows} rows for an external join of ${size}`);
  });
}

test("a join from a refreshed GroupInfo verifies only the leaves it has not seen", async () => {
  const { ann, bob } = await largeGroup(64);
  const { crypto, counts } = countingCrypto();
  const verifiedLeaves = new VerifiedLeafCache();
  await verifyGroupInfo({ crypto, verifiedLeaves }, await ann.group.exportGroupInfo());
  assert.equal(counts.signatures, 64 + 1);
  await commit(ann, [bob], {});
  counts.signatures = 0;
  await verifyGroupInfo({ crypto, verifiedLeaves }, await ann.group.exportGroupInfo());
  assert.equal(counts.signatures, 1 + 1, "the GroupInfo and the committer's new leaf");
  assert.equal(toHex(ann.group.epochAuthenticator), toHex(bob.group.epochAuthenticator));
});
