import { LatchkeyError } from "@latchkey/mls";
import { isAborted } from "../clock.ts";
import { codeOf } from "../errors.ts";
import { CLIENT_LIMITS } from "../limits.ts";
import type { IdentityContext } from "./identity-context.ts";
import { MAX_READINGS, type NodeTime } from "./node-time.ts";

/**
 * Asks for something of a node that tells its time, and checks this machine's clock against it. While the clock looks
 * wrong it asks again, so that one false time of three counts for nothing.
 *
 * @throws CLOCK_WRONG; as `ask`.
 */
export async function withClockChecked<T>(time: NodeTime, ask: () => Promise<T>): Promise<T> {
  for (let reading = 1; reading < MAX_READINGS; reading++) {
    const answer = await ask();
    if (!time.isClockWrong) return answer;
  }
  const answer = await ask();
  time.requireClock();
  return answer;
}

/**
 * Checks the clock of an installation that is registered. A node that cannot be asked, or does not answer within
 * `clockCheckTimeoutMs`, leaves it unchecked: a client opens without network.
 *
 * @throws CLOCK_WRONG; the signal's reason.
 */
export async function checkClock(
  { directory, time, clock, own }: Pick<IdentityContext, "directory" | "time" | "clock" | "own">,
  signal: AbortSignal | undefined,
): Promise<void> {
  const patience = clock.timeout(CLIENT_LIMITS.clockCheckTimeoutMs);
  const stop = signal === undefined ? patience : AbortSignal.any([signal, patience]);
  try {
    await withClockChecked(time, () => directory.latestOf(own.inboxId, stop));
  } catch (error) {
    if (isAborted(signal) || codeOf(error) === "CLOCK_WRONG") throw error;
    if (!(error instanceof LatchkeyError) && !isAborted(patience)) throw error;
  }
}
