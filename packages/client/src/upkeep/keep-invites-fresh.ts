import type { LatchkeyError } from "@latchkey/mls";
import { tell } from "../callbacks.ts";
import { isAborted } from "../clock.ts";
import type { GroupsContext } from "../group/group-registry.ts";
import { reportInBackground } from "../store/defects.ts";
import { asLatchkeyError } from "../errors.ts";
import { runFollowUps } from "../group/follow-ups.ts";
import type { GroupCore } from "../group/group-core.ts";
import { commitChange } from "../group/commit.ts";
import { followMembers } from "./follow-identities.ts";
import { inboxesWithMissingInstallations } from "./missing-installations.ts";
import { syncLocked } from "../group/sync.ts";
import { planUpdateInstallations } from "../group/follow.ts";
import { CLIENT_LIMITS } from "../limits.ts";
import { uploadBlob } from "../invite/upload.ts";
import { finishRenewal } from "../group/renewal.ts";

/** How invites are kept alive. */
export interface KeepFreshOptions {
  /** Ends it. */
  readonly signal: AbortSignal;
  /** Mean time between rounds in milliseconds; each wait is drawn between half of it and one and a half. */
  readonly intervalMs?: number;
  /** Every so many rounds is a deep one, which downloads and verifies. */
  readonly deepEvery?: number;
  /** Told why a group's invite could not be looked after; the next round tries again. What it throws is ignored. */
  readonly onError?: (groupId: string, error: LatchkeyError) => void;
}

/**
 * Looks after the invites of all groups until the signal is aborted: the back-stop for committers that went offline
 * before their upload, and for slots that junk has emptied. The first round is at once, the others slow and jittered, so
 * that members do not ask in step. A round asks each slot whether it has the present state and uploads where it has not;
 * only a deep one downloads anything, because anybody can upload junk that claims the present state. Devices that members
 * registered, revoked or could not bring along are followed: whichever member looks first does it.
 *
 * @throws STORE_… and CLIENT_CLOSED.
 */
export async function keepInvitesFresh(context: GroupsContext, options: KeepFreshOptions): Promise<void> {
  const { signal, intervalMs = CLIENT_LIMITS.inviteCheckMs, deepEvery = CLIENT_LIMITS.deepCheckEvery } = options;
  for (let round = 1; !isAborted(signal); round++) {
    for (const core of context.groups.all()) await lookAfter(core, round % deepEvery === 0, options);
    await idle(context, intervalMs, signal);
  }
}

/** Waits about so long, or until the signal is aborted; nobody else has to wait for it, not even the end of the program. */
async function idle({ clock, random }: GroupsContext, meanMs: number, signal: AbortSignal): Promise<void> {
  await clock.sleep(meanMs * (0.5 + random()), signal, { background: true }).catch(() => undefined);
}

/**
 * As `keepInvitesFresh`, for a client that stays open: begins shortly after its start, because a program that is about to
 * do something else goes first. What fails is tried again with the next round; a store that fails ends it, which the
 * application learns from its next call.
 */
export async function keepInvitesFreshInBackground(context: GroupsContext, signal: AbortSignal): Promise<void> {
  try {
    await idle(context, CLIENT_LIMITS.firstInviteCheckMs, signal);
    await keepInvitesFresh(context, { signal });
  } catch {
    // The store, or the end of the client: the next call of the application says so.
  }
}

async function lookAfter(core: GroupCore, deep: boolean, { signal, onError }: KeepFreshOptions): Promise<void> {
  if (isAborted(signal) || !core.mayWrite) return;
  try {
    await core.exclusive(() => syncLocked(core, signal), signal);
    await finishRenewal(core, "due", signal);
    await uploadBlob(core, { unless: deep ? "genuine" : "present", signal });
    await runFollowUps(core, signal);
    await followMembers(core, signal);
    const missing = inboxesWithMissingInstallations(core);
    const plan = () => planUpdateInstallations(core, signal, missing);
    if (missing.length > 0) await commitChange(core, plan, signal, { isFollowing: true });
  } catch (error) {
    if (isAborted(signal)) return;
    const failure = asLatchkeyError(error);
    if (failure.code.startsWith("STORE_") || failure.code === "CLIENT_CLOSED") throw failure;
    reportInBackground(core.context, core.groupId, failure);
    tell(onError, core.id, failure);
  }
}
