import { equalBytes, type MlsGroup } from "@latchkey/mls";
import type { ClientState } from "ts-mls";
import {
  followingCopies,
  freshMember,
  groupInfoForTsMls,
  growGroup,
  joinExternally,
  processCommit,
  type GrownGroup,
} from "./latchkey-side.ts";
import { growQuickly } from "./grow-quickly.ts";
import { compare, type Comparison, type Repetition } from "./measure.ts";
import { measureOwn, type OwnResult } from "./own-measures.ts";
import { freshTsMlsMember, tsMlsJoin, tsMlsProcess } from "./ts-mls-side.ts";

/** What both engines were measured at in one group. */
export interface EngineComparison {
  /** GroupInfo bytes to commit bytes. */
  readonly join: Comparison;
  /** A member takes in the commit of a joiner. */
  readonly processJoin: Comparison;
  /** A member takes in another member's empty commit with a path, as PrivateMessage. */
  readonly processCommit: Comparison;
}

/** A comparison is worth something only if both engines end up in the same epoch. */
function expectSameEpoch(group: MlsGroup, state: ClientState): void {
  if (!equalBytes(group.epochAuthenticator, state.keySchedule.epochAuthenticator)) {
    throw new Error(`Latchkey and ts-mls disagree about epoch ${group.epoch.toString()}`);
  }
}

/** Measures both engines in one group, which both are members of in the end. */
export async function compareEngines({ config, group }: GrownGroup, repetition: Repetition): Promise<EngineComparison> {
  const groupInfo = await group.exportGroupInfo();
  const joiner = await freshMember("joiner");
  const guest = await freshTsMlsMember("ts-mls");
  const guestInfo = await groupInfoForTsMls(config, groupInfo);
  const join = await compare(
    repetition,
    () => joinExternally(joiner, groupInfo),
    () => tsMlsJoin(guest, guestInfo),
  );

  const joined = await tsMlsJoin(guest, guestInfo);
  await processCommit(group, joined.message);
  expectSameEpoch(group, joined.state);
  let state = joined.state;
  /** Times a commit in copies of both members, then brings both of them forward. */
  const follow = async (message: Uint8Array): Promise<Comparison> => {
    const copies = await followingCopies(config, group, message, repetition.warmUps + repetition.runs);
    const before = state;
    const comparison = await compare(
      repetition,
      (turn) => {
        const copy = copies[turn];
        if (copy === undefined) throw new RangeError(`there is no copy for turn ${turn}`);
        return processCommit(copy, message);
      },
      () => tsMlsProcess(guest, before, message),
    );
    await processCommit(group, message);
    state = await tsMlsProcess(guest, before, message);
    expectSameEpoch(group, state);
    return comparison;
  };
  const newcomer = await joinExternally(joiner, await group.exportGroupInfo());
  const processJoin = await follow(newcomer.message);
  const commit = await newcomer.group.createCommit();
  const processOrdinary = await follow(commit.message);
  return { join, processJoin, processCommit: processOrdinary };
}

/** Members up to which ts-mls is measured: at 10 000 it needs two minutes for one join. */
const MAX_MEMBERS_OF_TS_MLS = 1_000;
/** Members up to which the group really grows by external joins; from there on it is made at once. */
const MAX_MEMBERS_GROWN = 300;

/** What was measured in a group of one size. */
export interface SizeResult {
  readonly members: number;
  readonly groupInfoBytes: number;
  /** Undefined for sizes at which ts-mls is left out. */
  readonly compared: EngineComparison | undefined;
  readonly own: OwnResult;
}

/** Measures in one group of that many members: both engines first, then Latchkey by itself. */
export async function benchAtSize(members: number, repetition: Repetition): Promise<SizeResult> {
  const grown = await (members <= MAX_MEMBERS_GROWN ? growGroup(members) : growQuickly(members));
  const groupInfoBytes = (await grown.group.exportGroupInfo()).length;
  const compared = members <= MAX_MEMBERS_OF_TS_MLS ? await compareEngines(grown, repetition) : undefined;
  return { members, groupInfoBytes, compared, own: await measureOwn(grown, repetition) };
}
