/**
 * Whether this member has answered refused commits of the present epoch, see `upkeep/reopen-invite.ts`. In memory only:
 * after a restart one look at the slots shows the state.
 */
export class ReopenState {
  /** The `contestedId` up to which all slots of the invite have a blob. */
  answeredId = 0n;
  /** When the slots may be looked at again at the earliest. */
  nextNs = 0n;
}
