/**
 * Measures what it costs a joiner that the slot holds eight blobs that open, and not one: opening and ordering them,
 * verifying the best, and building the commit, for a group of a thousand members. Usage: selection.ts [--json] [--members n]
 */
import { parseArgs } from "node:util";
import { decodeMlsMessage, groupContextBytes } from "@latchkey/mls";
import { nodeCrypto } from "@latchkey/mls/node";
import { groupStateHash, selectCandidates, wrapGroupInfo, XMTP_CIPHER_SUITE } from "@latchkey/xmtp";
import { growQuickly } from "./grow-quickly.ts";
import { freshMember, joinExternally } from "./latchkey-side.ts";
import { median } from "./measure.ts";

const CANDIDATES = 8;
const SAMPLES = 11;
/** Joining from eight candidates costs at most so many times what joining from one costs. */
const GOAL = 1.25;

const { values } = parseArgs({ options: { json: { type: "boolean" }, members: { type: "string", default: "1000" } } });
const members = Number(values.members);
const { group } = await growQuickly(members);
const groupInfo = await group.exportGroupInfo();
const decoded = decodeMlsMessage(groupInfo);
if (decoded.wireFormat !== "group_info") throw new Error("the export is no GroupInfo");
const { context } = decoded.message;
const suite = nodeCrypto.suite(XMTP_CIPHER_SUITE);
const key = suite.randomBytes(32);
const digest = groupStateHash(suite, groupContextBytes(context));
const blobs = Array.from({ length: CANDIDATES }, () =>
  wrapGroupInfo({ suite, key, groupInfo, epoch: context.epoch, groupStateHash: digest, expiresAtNs: 0n }),
);

/** Milliseconds of one join, from the blobs to the commit. */
async function join(served: readonly Uint8Array[]): Promise<number> {
  const joiner = await freshMember("joiner");
  const startMs = performance.now();
  const [best] = selectCandidates({ suite, blobs: served, key, nowNs: 1n }).candidates;
  if (best === undefined) throw new Error("nothing opens");
  await joinExternally(joiner, best.groupInfo);
  return performance.now() - startMs;
}

const times = { one: new Array<number>(), eight: new Array<number>() };
await join(blobs);
for (let sample = 0; sample < SAMPLES; sample++) {
  times.one.push(await join(blobs.slice(0, 1)));
  times.eight.push(await join(blobs));
}
const [oneMs, eightMs] = [median(times.one), median(times.eight)];
const ratio = eightMs / oneMs;
const result = { members, candidates: CANDIDATES, oneMs, eightMs, ratio, goal: GOAL, met: ratio <= GOAL };
if (values.json === true) console.log(JSON.stringify(result));
else {
  console.log(
    `${members} members: a join from one blob takes ${oneMs.toFixed(1)} ms, from ${CANDIDATES} ${eightMs.toFixed(1)} ms`,
  );
  console.log(`${ratio.toFixed(2)} times (goal: at most ${GOAL})`);
}
process.exitCode = result.met ? 0 : 1;
