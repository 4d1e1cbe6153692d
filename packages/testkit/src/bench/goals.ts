import type { SizeResult } from "./compare-at-size.ts";

/** One goal of the engine as one run measured it. */
export interface GoalResult {
  readonly name: string;
  readonly members: number;
  readonly value: number;
  readonly goal: number;
  readonly unit: "ratio" | "ms" | "bytes";
  /** Whether the value has to be at least or at most the goal. */
  readonly bound: "at least" | "at most";
  readonly met: boolean;
  /**
   * True for counts and for ratios of what was measured in the same run, which hold on any machine that is not busy with
   * something else; false for times, which are those of one machine and are only told.
   */
  readonly decides: boolean;
}

type Goal = Omit<GoalResult, "value" | "met"> & {
  readonly of: (size: SizeResult, at: (members: number) => SizeResult | undefined) => number | undefined;
};

const [KIB, RATIO] = [1_024, { unit: "ratio", decides: true }] as const;
const AT_MOST = { bound: "at most" } as const;

const GOALS: readonly Goal[] = [
  {
    ...RATIO,
    name: "join, times faster than ts-mls",
    members: 300,
    bound: "at least",
    goal: 10,
    of: ({ compared }) => compared?.join.ratio,
  },
  {
    ...RATIO,
    name: "join, times faster than ts-mls",
    members: 1_000,
    bound: "at least",
    goal: 20,
    of: ({ compared }) => compared?.join.ratio,
  },
  { ...RATIO, ...AT_MOST, name: "join over the floor", members: 1_000, goal: 1.3, of: ({ own }) => own.joinOverFloor },
  {
    ...RATIO,
    ...AT_MOST,
    name: "join again over the first join",
    members: 1_000,
    goal: 0.15,
    of: ({ own }) => own.retryOverJoin,
  },
  {
    ...RATIO,
    ...AT_MOST,
    name: "processing a join, over the time at 100",
    members: 10_000,
    goal: 1.5,
    of: ({ own }, at) => {
      const small = at(100);
      return small === undefined ? undefined : own.processJoinMs / small.own.processJoinMs;
    },
  },
  ...[1_000, 10_000].map((members): Goal => ({
    ...AT_MOST,
    name: "memory of a loaded group, per member",
    members,
    unit: "bytes",
    decides: true,
    goal: 2 * KIB,
    of: ({ own }) => own.memoryBytesPerMember,
  })),
  {
    ...AT_MOST,
    name: "rows written per commit",
    members: 10_000,
    unit: "bytes",
    decides: true,
    goal: 64 * KIB,
    of: ({ own }) => Math.max(own.rowBytesPerCommit, own.rowBytesPerJoin),
  },
  {
    ...AT_MOST,
    name: "processing a join",
    members: 1_000,
    unit: "ms",
    decides: false,
    goal: 3,
    of: ({ own }) => own.processJoinMs,
  },
  {
    ...AT_MOST,
    name: "exporting GroupInfo",
    members: 1_000,
    unit: "ms",
    decides: false,
    goal: 2,
    of: ({ own }) => own.exportGroupInfoMs,
  },
];

/** Holds the results of one run against the goals of the engine; those of sizes that were not measured are left out. */
export function goalsOf(sizes: readonly SizeResult[]): GoalResult[] {
  const at = (members: number) => sizes.find((size) => size.members === members);
  return GOALS.flatMap(({ of, ...goal }) => {
    const size = at(goal.members);
    const value = size === undefined ? undefined : of(size, at);
    if (value === undefined) return [];
    return [{ ...goal, value, met: goal.bound === "at least" ? value >= goal.goal : value <= goal.goal }];
  });
}
