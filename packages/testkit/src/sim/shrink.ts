import { simulate, type SimOptions, type SimResult } from "./run.ts";

/** Below this a run is as short as it needs to be. */
const FEW_DEEDS = 10;

/**
 * The smallest run that still fails: first with less kinds of trouble, then with less to do. Each is played as the one
 * it comes from, with a part left out, so that what is left may fail in another way: that is a failure all the same.
 */
export async function shrink(failed: SimResult, options: SimOptions): Promise<SimResult> {
  let smallest = failed;
  const tryOut = async (part: Pick<SimOptions, "actions" | "troubles">): Promise<boolean> => {
    const { actions, troubles } = smallest;
    const result = await simulate({ ...options, actions, troubles, ...part });
    if (result.problem !== undefined) smallest = result;
    return result.problem !== undefined;
  };
  for (const trouble of failed.troubles) {
    await tryOut({ troubles: smallest.troubles.filter((other) => other !== trouble) });
  }
  while (smallest.actions > FEW_DEEDS && (await tryOut({ actions: smallest.actions >> 1 })));
  return smallest;
}
