/**
 * What this member has done about refused commits of the present epoch, see `invite/contested-epoch.ts`. In memory only:
 * after a restart one look at the slots tells what is left to do.
 */
export class ContestDuty {
  /** The `contestedId` up to which all slots of the invite have a blob. */
  answeredId = 0n;
  /** When the slots may be looked at again at the earliest. */
  nextNs = 0n;
  /** Whether a look is under way or waited for already. */
  isScheduled = false;
}
