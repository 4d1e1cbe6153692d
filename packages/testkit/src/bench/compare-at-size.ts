import { equalBytes, type MlsGroup } from "@latchkey/mls";
import type { ClientState } from "ts-mls";
import {
  followingCopies,
  freshMember,
  groupInfoForTsMls,
  growGroup,
  joinExternally,
  processCommit,
} from "./latchkey-side.ts";
import { compare, type Comparison, type Repetition } from "./measure.ts";
import { freshTsMlsMember, tsMlsJoin, tsMlsProcess } from "./ts-mls-side.ts";

/** What was measured in a group of one size. */
export interface SizeResult {
  readonly members: number;
  readonly groupInfoBytes: number;
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

/** Measures both engines in one group of that many members, which both are members of in the end. */
export async function compareAtSize(members: number, repetition: Repetition): Promise<SizeResult> {
  const { config, group } = await growGroup(members);
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
  return { members, groupInfoBytes: groupInfo.length, join, processJoin, processCommit: processOrdinary };
}
