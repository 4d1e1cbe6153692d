import { equalBytes, LatchkeyError, VerifiedTreeCache } from "@latchkey/mls";
import { encodeInvitePayload, type InvitePayload } from "@latchkey/xmtp";
import { isAborted, type Backoff } from "../clock.ts";
import type { ClientContext } from "../context.ts";
import { clientError } from "../errors.ts";
import { runFollowUps } from "../group/follow-ups.ts";
import type { GroupCore } from "../group/group-core.ts";
import { newBackoff, syncLocked } from "../group/log.ts";
import type { JoinRecord } from "../store/records.ts";
import { requireService } from "../invite/invite.ts";
import { readInvite } from "../invite/read-invite.ts";
import { CLIENT_LIMITS } from "../limits.ts";
import { recordPrepared } from "./journal.ts";
import { chooseCandidate, prepareJoin, type JoinRequest } from "./prepare.ts";
import type { JoinStep, ProgressListener } from "./progress.ts";
import { resumeInTurn } from "./resume.ts";
import { settleJoin } from "./settle.ts";

/** How to join. */
export interface JoinOptions {
  /** Stops the join; JOIN_ABORTED says whether a commit may have been sent already (`data.pending`). */
  readonly signal?: AbortSignal;
  /** Default: one minute. */
  readonly timeoutMs?: number;
  readonly onProgress?: ProgressListener;
  /** Fail with KEY_PACKAGE_MISSING when a device of ours cannot come along; default: join without it. */
  readonly allOrNothing?: boolean;
}

/** The end of a join by the caller's will or by time. */
interface Deadline {
  readonly signal: AbortSignal;
  /** What an abort means: stopped by the caller, or out of time, for the given reason if there is one. */
  error(pending: boolean, reason: LatchkeyError | undefined): LatchkeyError;
}

function startDeadline(context: ClientContext, options: JoinOptions): Deadline {
  const timeoutMs = options.timeoutMs ?? CLIENT_LIMITS.joinTimeoutMs;
  const timeout = context.clock.timeout(timeoutMs);
  const signal = options.signal === undefined ? timeout : AbortSignal.any([timeout, options.signal]);
  return {
    signal,
    error(pending, reason) {
      const data = { pending };
      const cause: unknown = signal.reason;
      if (isAborted(options.signal)) return clientError("JOIN_ABORTED", "the join was stopped", { data, cause });
      if (!pending && reason !== undefined) return reason;
      return clientError("JOIN_TIMEOUT", `the join was not done within ${timeoutMs} ms; join again`, { data, cause });
    },
  };
}

/**
 * Joins the group that an invite leads to, with all devices of this inbox, while nobody in the group needs to be
 * online. Returns when the own commit is known to be the first of its epoch and the group is on disk.
 *
 * @param invite the link or a text with it, the bytes of the ExternalInvitePayload, or an image of the QR code.
 * @throws INVITE_MALFORMED, INVITE_NO_QR, INVITE_UNKNOWN_SLOT, INVITE_NO_CANDIDATE, INVITE_DISABLED, INVITE_EXPIRED, INVITE_STALE,
 * INVITE_EXHAUSTED, INVITE_ROTATED, ALREADY_MEMBER, KEY_PACKAGE_MISSING, JOIN_LOST, JOIN_TIMEOUT, JOIN_ABORTED,
 * GROUP_UNSUPPORTED, and the codes of network, store and identity. After any of them either nothing has happened, or
 * the join is in the journal and taken up again by the next call, sync, or start.
 */
export async function joinByInvite(
  context: ClientContext,
  invite: string | Uint8Array,
  options: JoinOptions = {},
): Promise<GroupCore> {
  const payload = readInvite(invite, context.readQr);
  const serviceUrl = requireService(payload, context.inviteServiceUrl);
  const slot = { serviceUrl, externalGroupId: payload.externalGroupId };
  return join(context, payload, options, (signal) => context.slots.fetch(slot, signal));
}

/**
 * As `joinByInvite`, for applications that carry the blobs themselves: nothing newer can be fetched, so JOIN_LOST and
 * INVITE_STALE are thrown at once.
 */
export async function joinByBlobs(
  context: ClientContext,
  invite: string | Uint8Array,
  blobs: readonly Uint8Array[],
  options: JoinOptions = {},
): Promise<GroupCore> {
  return join(context, readInvite(invite), options, async (_signal, reason) => {
    if (reason?.code === "JOIN_LOST" || reason?.code === "INVITE_STALE") throw reason;
    return blobs;
  });
}

/** Where blobs come from; told why the attempt before did not do, if there was one. */
type BlobSource = (signal: AbortSignal, reason: LatchkeyError | undefined) => Promise<readonly Uint8Array[]>;

async function join(
  context: ClientContext,
  payload: InvitePayload,
  options: JoinOptions,
  source: BlobSource,
): Promise<GroupCore> {
  const deadline = startDeadline(context, options);
  const attempts = new Attempts(context, payload, options, source, deadline.signal);
  try {
    // One join at a time: a code scanned twice must not lead to two drafts of one group.
    const core = await context.joinTurn.run(() => attempts.run());
    await finish(core, deadline.signal, attempts.report);
    return core;
  } catch (error) {
    if (error instanceof LatchkeyError || !isAborted(deadline.signal)) throw error;
    throw deadline.error(journalled(context, payload) !== undefined, attempts.reason);
  }
}

/** Welcomes, blobs and what was said meanwhile: none of it can make a join fail that has happened. */
async function finish(core: GroupCore, signal: AbortSignal, report: (step: JoinStep) => void): Promise<void> {
  report("following-up");
  try {
    await runFollowUps(core, signal);
    await core.exclusive(() => syncLocked(core, signal));
  } catch (error) {
    if (!(error instanceof LatchkeyError) && !isAborted(signal)) throw error;
  }
  report("done");
}

/** A join by this very invite that is under way, or done and not confirmed: joining again then leads to the same group. */
function journalled(context: ClientContext, payload: InvitePayload): JoinRecord | undefined {
  const invite = encodeInvitePayload(payload);
  return context.store.joins.list().find((row) => equalBytes(row.invite, invite));
}

/** The attempts of one join: fetch, check, commit; and again after a loss, until the deadline. */
class Attempts {
  readonly report: (step: JoinStep) => void;
  /** Why the last attempt has to be repeated. */
  reason: LatchkeyError | undefined;
  readonly #request: JoinRequest;
  readonly #source: BlobSource;
  readonly #signal: AbortSignal;
  readonly #backoff: Backoff;
  #attempt = 1;
  #networkFailures = 0;
  #stale = { mark: "", sinceNs: 0n };

  constructor(
    context: ClientContext,
    payload: InvitePayload,
    options: JoinOptions,
    source: BlobSource,
    signal: AbortSignal,
  ) {
    const allOrNothing = options.allOrNothing ?? false;
    this.#request = { context, payload, allOrNothing, verifiedTrees: new VerifiedTreeCache(), scans: new Map() };
    this.#source = source;
    this.#signal = signal;
    this.#backoff = newBackoff(context);
    this.report = (step) => options.onProgress?.({ step, attempt: this.#attempt });
  }

  async run(): Promise<GroupCore> {
    // What another call left open may be a join of this very group, by this invite or another one.
    await resumeInTurn(this.#request.context, this.#signal);
    for (; ; this.#attempt++) {
      const core = await this.#try();
      if (core !== undefined) return core;
      this.report("waiting");
      const { clock } = this.#request.context;
      await clock.sleep(Math.max(this.#backoff.nextMs(), this.reason?.retryAfterMs ?? 0), this.#signal);
    }
  }

  /** One attempt; undefined when it is worth another one. */
  async #try(): Promise<GroupCore | undefined> {
    const { context, payload } = this.#request;
    try {
      const unfinished = journalled(context, payload);
      const core = await (unfinished === undefined ? this.#commit() : this.#settle(unfinished));
      if (core === undefined) {
        this.reason = clientError("JOIN_LOST", "other changes of the group came first each time; join again");
      }
      return core;
    } catch (error) {
      if (!(error instanceof LatchkeyError) || !this.#isWorthRetrying(error)) throw error;
      this.reason = error;
      return undefined;
    }
  }

  #settle(join: JoinRecord, unsent = false): Promise<GroupCore | undefined> {
    return settleJoin(this.#request.context, join, { unsent, signal: this.#signal, onStep: this.report });
  }

  async #commit(): Promise<GroupCore | undefined> {
    const { context } = this.#request;
    this.report("fetching");
    const blobs = await this.#source(this.#signal, this.reason);
    this.report("checking");
    const candidate = await chooseCandidate(this.#request, blobs, this.#signal);
    this.report("preparing");
    const prepared = await prepareJoin(this.#request, candidate, this.#signal);
    // Whoever stops before this point wants nothing to happen; from here on the log decides.
    this.#signal.throwIfAborted();
    const earlier = context.store.joins.get(prepared.groupId);
    // A join of this group by another invite may have been sent: two drafts for one group must not exist.
    if (earlier !== undefined && earlier.state !== "JOINED") return this.#settle(earlier);
    return this.#settle(recordPrepared(context, prepared), true);
  }

  #isWorthRetrying(error: LatchkeyError): boolean {
    const { code } = error;
    if (code === "NODE_UNREACHABLE" || code === "RATE_LIMITED") {
      return ++this.#networkFailures < CLIENT_LIMITS.maxNetworkAttempts;
    }
    return code === "INVITE_STALE" && this.#stillMoves(error);
  }

  /** A stale blob is waited for as long as the group's log moves: whoever came first is about to upload the next one. */
  #stillMoves(error: LatchkeyError): boolean {
    const mark = `${String(error.data["epoch"])}/${String(error.data["commitsSeen"])}`;
    const nowNs = this.#request.context.clock.nowNs();
    if (mark !== this.#stale.mark) this.#stale = { mark, sinceNs: nowNs };
    return nowNs - this.#stale.sinceNs < BigInt(CLIENT_LIMITS.staleGraceMs) * 1_000_000n;
  }
}
