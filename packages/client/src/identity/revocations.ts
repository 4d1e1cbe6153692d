import type { KnownState } from "./replay-log.ts";

/**
 * Whether an installation was revoked before a time of the node. One that was registered after that time is not revoked:
 * nodes stamp updates and messages by two clocks.
 */
export function isRevokedAt(states: readonly KnownState[], installationId: string, timeNs: bigint): boolean {
  const before = states.filter(({ serverTimestampNs }) => serverTimestampNs < timeNs);
  if (before.at(-1)?.state.hasInstallation(installationId) !== false) return false;
  return before.some(({ state }) => state.hasInstallation(installationId));
}

/** Whether any of the last `count` updates of a log revokes an installation. */
export function revokesAny(states: readonly KnownState[], count: number): boolean {
  return states.some(({ state }, index) => {
    const before = index < states.length - count ? undefined : states[index - 1]?.state;
    return before?.installations().some((id) => !state.hasInstallation(id)) === true;
  });
}
