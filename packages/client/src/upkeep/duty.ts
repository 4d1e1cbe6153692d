import { isAborted } from "../clock.ts";
import { reportInBackground } from "../store/defects.ts";
import { codeOf } from "../errors.ts";
import type { GroupCore } from "../group/group-core.ts";

/** Work that reading a group's log may leave to this installation. */
export interface Duty {
  readonly name: string;
  /** Does what is due now; returns at once when nothing is. A failure leaves it due. */
  readonly run: (core: GroupCore, signal?: AbortSignal) => Promise<void>;
  /**
   * How long an installation that listens waits before `run`, in milliseconds; undefined while nothing is due. Many members
   * may listen and one of them is enough, so the wait is random. Duties without it run at once.
   */
  readonly delayMs?: (core: GroupCore) => number | undefined;
  /** True for what a call has done before it returns, although it waits already for the sake of a stream. */
  readonly neverWaits?: true;
  /** Least time between two runs of an installation that listens, in milliseconds; default: none. */
  readonly intervalMs?: number;
}

/** True for failures after which the client cannot go on: the store failed, or the client was closed. */
function endsClient(error: unknown): boolean {
  const code = codeOf(error);
  return code !== undefined && (code.startsWith("STORE_") || code === "CLIENT_CLOSED");
}

/**
 * Runs a duty whose failure fails nothing else: it is due again after the next reading. A defect is reported.
 *
 * @throws when the signal is aborted, and the codes that begin with STORE_, CLIENT_CLOSED.
 */
export async function runDuty(core: GroupCore, duty: Duty, signal: AbortSignal | undefined): Promise<void> {
  try {
    await duty.run(core, signal);
  } catch (error) {
    if (isAborted(signal) || endsClient(error)) throw error;
    reportInBackground(core.context, core.groupId, error);
  }
}

/**
 * Runs a duty after its delay, unless it waits already in this group. A duty that became due again meanwhile is scheduled
 * once more; one that failed waits for the next reading.
 */
export function scheduleDuty(core: GroupCore, duty: Duty, signal: AbortSignal): void {
  const { context, groupId, dutyTimes } = core;
  const { clock } = context;
  if (isAborted(signal) || dutyTimes.get(duty.name) === "waiting") return;
  const delayMs = duty.delayMs?.(core);
  if (delayMs === undefined) return;
  const earliestNs = dutyTimes.get(duty.name) ?? 0n;
  const pauseMs = typeof earliestNs === "bigint" ? Math.max(0, Number(earliestNs - clock.nowNs()) / 1e6) : 0;
  dutyTimes.set(duty.name, "waiting");
  const report = (error: unknown) => {
    if (!isAborted(signal)) reportInBackground(context, groupId, error);
  };
  void clock
    .sleep(pauseMs + delayMs, signal)
    .then(() => duty.run(core, signal))
    .then(
      () => true,
      (error: unknown) => {
        report(error);
        return false;
      },
    )
    .then((isDone) => {
      dutyTimes.set(duty.name, clock.nowNs() + BigInt(duty.intervalMs ?? 0) * 1_000_000n);
      if (isDone) scheduleDuty(core, duty, signal);
    })
    // `delayMs` reads the store, which may have failed or be closed by now.
    .catch(report);
}
