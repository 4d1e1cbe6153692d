import { encode, generateHpkeKeyPair, VerifiedTreeCache, type GroupChange, type MlsGroup } from "@latchkey/mls";
import { encodeLeafNode, leafNodeCheck } from "@latchkey/mls/internals";
import { BENCH_SUITE, freshMember, joinExternally, type GrownGroup } from "./latchkey-side.ts";
import { elapsedMs, median, type Repetition } from "./measure.ts";
import { memoryOfGroup } from "./memory.ts";

/** Medians of Latchkey alone in a group of one size, in milliseconds and bytes. */
export interface OwnResult {
  /** n signatures verified in one batch, 2n hashes of 300 bytes, log2 n × (key generation, Diffie-Hellman, AEAD). */
  readonly floorMs: number;
  /** GroupInfo bytes to commit bytes and usable group, every time by somebody new. */
  readonly joinMs: number;
  readonly joinOverFloor: number;
  /** The same from a GroupInfo that differs in one path from one that was verified before. */
  readonly retriedJoinMs: number;
  readonly retryOverJoin: number;
  /** By the member at the first leaf: like half of all members, it has only the root in common with a joiner. */
  readonly processJoinMs: number;
  /** By a member beside the joiner, who derives the keys of nearly the whole path. */
  readonly processJoinBesideMs: number;
  readonly processCommitMs: number;
  readonly exportGroupInfoMs: number;
  /** One application message of 100 bytes: encrypting it, and opening it as another member. */
  readonly sendMs: number;
  readonly openMs: number;
  /** Keys and values of the rows that a commit of a joiner or of a member makes its receiver write. */
  readonly rowBytesPerJoin: number;
  readonly rowBytesPerCommit: number;
  /** Of one loaded group, as a whole and shared out among its members. */
  readonly memoryBytes: number;
  readonly memoryBytesPerMember: number;
}

const MESSAGE = new Uint8Array(100);
const HASHED_BYTES = 300;
/** Times that a short operation is repeated within a turn. */
const REPEATED = 5;

/** One round of the primitives that no join can do without. */
async function primitives({ config, group }: GrownGroup): Promise<() => Promise<void>> {
  const suite = config.crypto.suite(BENCH_SUITE);
  const { groupId } = group;
  const checks = [...group.members()].map(({ leafIndex, leafNode }) =>
    leafNodeCheck(leafNode, encode(leafNode, encodeLeafNode), { groupId, leafIndex }),
  );
  const data = suite.randomBytes(HASHED_BYTES);
  const [key, nonce] = [suite.randomBytes(suite.aeadKeyLength), suite.randomBytes(suite.aeadNonceLength)];
  const { publicKey } = await generateHpkeKeyPair(suite);
  const levels = Math.ceil(Math.log2(checks.length));
  return async () => {
    const verified = suite.verifyBatch(checks);
    for (let left = 2 * checks.length; left > 0; left--) suite.hash(data);
    for (let left = levels; left > 0; left--) {
      const { privateKey } = await generateHpkeKeyPair(suite);
      suite.aeadSeal(key, nonce, await suite.dh(privateKey, publicKey), data);
    }
    if (!(await verified).every((valid) => valid)) throw new Error("a leaf of the group has a wrong signature");
  };
}

function rowBytes({ rows }: GroupChange): number {
  let bytes = 0;
  for (const [key, value] of rows) bytes += key.length + (value?.length ?? 0);
  return bytes;
}

/** Times what is collected under a name. */
class Times {
  readonly #values = new Map<string, number[]>();
  readonly #warmUps: number;

  constructor(warmUps: number) {
    this.#warmUps = warmUps;
  }

  add(name: string, value: number): void {
    this.#values.set(name, [...(this.#values.get(name) ?? []), value]);
  }

  async time(name: string, operation: () => Promise<unknown>): Promise<void> {
    this.add(name, await elapsedMs(operation));
  }

  median(name: string): number {
    return median((this.#values.get(name) ?? []).slice(this.#warmUps));
  }
}

/**
 * A member takes in a commit: the median of a few times up to the point where its rows are written, dropped but for the
 * last, and the merge. One time alone would pay for the long operation before it, with its garbage and with a cold cache.
 */
async function take(
  times: Times,
  kind: "Join" | "JoinBeside" | "Commit",
  group: MlsGroup,
  message: Uint8Array,
): Promise<void> {
  const few = new Times(0);
  let staged: GroupChange | undefined;
  for (let left = REPEATED; left > 0; left--) {
    await few.time("stage", async () => {
      const received = await group.verify(message);
      if (received.kind !== "commit") throw new Error(`expected a commit, received ${received.kind}`);
      staged = await group.stage(received.commit);
    });
  }
  if (staged === undefined) return;
  const start = performance.now();
  group.merge(staged);
  times.add(`process${kind}`, few.median("stage") + performance.now() - start);
  times.add(`rows${kind}`, rowBytes(staged));
}

/** Medians of a few messages, for the same reason. */
async function sendAndOpen(times: Times, from: MlsGroup, to: MlsGroup): Promise<void> {
  const few = new Times(0);
  for (let left = REPEATED; left > 0; left--) {
    let message = new Uint8Array(0);
    await few.time("send", async () => {
      const sent = await from.encryptApplication(MESSAGE);
      from.merge(sent.change);
      message = Uint8Array.from(sent.message);
    });
    await few.time("open", async () => {
      const received = await to.verify(message);
      if (received.kind !== "application") throw new Error(`expected application data, received ${received.kind}`);
      to.merge(received.change);
    });
  }
  for (const name of ["send", "open"]) times.add(name, few.median(name));
}

/** Measures Latchkey by itself; the group goes on from epoch to epoch and gets a few members more. */
export async function measureOwn(grown: GrownGroup, { runs, warmUps }: Repetition): Promise<OwnResult> {
  const { config, group } = grown;
  const times = new Times(warmUps);
  const floor = await primitives(grown);
  const retrying = { ...(await freshMember("retrying")), verifiedTrees: new VerifiedTreeCache() };
  const author = await joinExternally(await freshMember("author"), await group.exportGroupInfo());
  await take(new Times(0), "Join", group, author.message);
  let lastCommit = author.message;
  for (let turn = 0; turn < warmUps + runs; turn++) {
    await joinExternally(retrying, await group.exportGroupInfo());
    const pending = await author.group.createCommit();
    await take(times, "Commit", group, pending.message);
    author.group.merge(pending);
    await sendAndOpen(times, author.group, group);
    let info = new Uint8Array(0);
    await times.time("export", async () => (info = Uint8Array.from(await group.exportGroupInfo())));
    await times.time("retry", () => joinExternally(retrying, info));
    await times.time("floor", floor);
    const newcomer = await freshMember(`newcomer ${turn}`);
    let message = new Uint8Array(0);
    await times.time("join", async () => (message = Uint8Array.from((await joinExternally(newcomer, info)).message)));
    await take(times, "Join", group, message);
    await take(times, "JoinBeside", author.group, message);
    lastCommit = (await author.group.createCommit()).message;
  }
  const [floorMs, joinMs, retriedJoinMs] = [times.median("floor"), times.median("join"), times.median("retry")];
  const memoryBytes = await memoryOfGroup(config, group, lastCommit);
  return {
    floorMs,
    joinMs,
    joinOverFloor: joinMs / floorMs,
    retriedJoinMs,
    retryOverJoin: retriedJoinMs / joinMs,
    processJoinMs: times.median("processJoin"),
    processJoinBesideMs: times.median("processJoinBeside"),
    processCommitMs: times.median("processCommit"),
    exportGroupInfoMs: times.median("export"),
    sendMs: times.median("send"),
    openMs: times.median("open"),
    rowBytesPerJoin: times.median("rowsJoin"),
    rowBytesPerCommit: times.median("rowsCommit"),
    memoryBytes,
    memoryBytesPerMember: memoryBytes / group.memberCount,
  };
}
