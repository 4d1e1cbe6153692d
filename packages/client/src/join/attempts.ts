import { equalBytes, LatchkeyError } from "@latchkey/mls";
import { encodeInvitePayload, type InvitePayload } from "@latchkey/xmtp";
import { tell } from "../callbacks.ts";
import type { Backoff } from "../clock.ts";
import type { GroupsContext } from "../group/group-registry.ts";
import { clientError, codeOf } from "../errors.ts";
import { GroupCore } from "../group/group-core.ts";
import { newBackoff } from "../group/sync.ts";
import type { SlotContents, SlotFetchOptions } from "../transport/slot-service.ts";
import { CLIENT_LIMITS } from "../limits.ts";
import type { JoinRecord } from "../store/records.ts";
import { isContested, settleContests } from "./contest.ts";
import { isUnconfirmed } from "./unconfirmed-join.ts";
import { recordPrepared, recordRefused } from "./journal.ts";
import type { JoinOptions } from "./options.ts";
import type { LogScan } from "./log-scan.ts";
import {
  chooseCandidate,
  newJoinRequest,
  prepareJoin,
  staleInvite,
  type JoinableCandidate,
  type JoinRequest,
} from "./prepare.ts";
import type { JoinStep } from "./progress.ts";
import { resumeInTurn } from "./resume.ts";
import { settleJoin } from "./settle.ts";
import { Turn } from "./turn.ts";

/** Where blobs come from; told why the attempt before did not do, if there was one. */
export type BlobSource = (fetch: SlotFetchOptions, reason: LatchkeyError | undefined) => Promise<SlotContents>;

/** A join by this very invite that is under way, or done and not confirmed: joining again then leads to the same group. */
export function journalled(context: GroupsContext, payload: InvitePayload): JoinRecord | undefined {
  const invite = encodeInvitePayload(payload);
  return context.store.joins.list().find((row) => row.state !== "WAITING" && equalBytes(row.invite, invite));
}

/** The attempts of one join: fetch, check, commit; and again after a loss, until the deadline. */
export class Attempts {
  readonly report: (step: JoinStep) => void;
  /** Why the last attempt has to be repeated. */
  reason: LatchkeyError | undefined;
  readonly #request: JoinRequest;
  readonly #source: BlobSource;
  readonly #signal: AbortSignal;
  #backoff: Backoff;
  #contents: SlotContents | undefined;
  #blobs: readonly Uint8Array[] = [];
  #turn: Turn | undefined;
  #attempt = 1;
  #networkFailures = 0;
  /** The epoch at which the log stands still, and since when. */
  #stale: { openEpoch: unknown; sinceNs: bigint } = { openEpoch: undefined, sinceNs: 0n };

  constructor(
    context: GroupsContext,
    payload: InvitePayload,
    options: JoinOptions,
    source: BlobSource,
    signal: AbortSignal,
  ) {
    this.#request = newJoinRequest(context, payload, options.allOrNothing);
    this.#source = source;
    this.#signal = signal;
    this.#backoff = newBackoff(context);
    this.report = (step) => tell(options.onProgress, { step, attempt: this.#attempt });
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
      const core = await this.#takeUp(unfinished);
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

  /** A join that is unconfirmed is done again, unless it turns out that its commit was accepted. */
  async #takeUp(unfinished: JoinRecord | undefined): Promise<GroupCore | undefined> {
    if (unfinished === undefined || unfinished.state === "CONTESTED") return this.#commit();
    const { context } = this.#request;
    if (!isUnconfirmed(context, unfinished)) return this.#settle(unfinished);
    try {
      return await this.#commit();
    } catch (error) {
      if (codeOf(error) !== "ALREADY_MEMBER") throw error;
      return context.groups.get(unfinished.groupId);
    }
  }

  #settle(join: JoinRecord, unsent = false): Promise<GroupCore | undefined> {
    const onOutdated = () => {
      // The devices are others now, and the blobs are as good as before.
      delete this.#request.devices;
      this.#contents = undefined;
    };
    const options = { unsent, signal: this.#signal, onStep: this.report, onOutdated };
    return settleJoin(this.#request.context, join, options);
  }

  async #commit(): Promise<GroupCore | undefined> {
    const { context } = this.#request;
    const sinceNs = context.clock.nowNs();
    let found = await this.#candidate();
    if (found instanceof GroupCore) return found;
    if (this.#turn?.mustWait === true) {
      const workMs = Number(context.clock.nowNs() - sinceNs) / 1e6;
      await this.#letOthersGo(this.#turn, found.scan, workMs);
      found = await this.#candidate();
      if (found instanceof GroupCore) return found;
    }
    const candidate = found;
    // Of the join that was sent nobody knows yet what became of it: two commits of one person must not compete.
    if (isContested(context, candidate.info.context.groupId)) throw staleInvite(candidate.scan);
    this.report("preparing");
    const prepared = await prepareJoin(this.#request, candidate, this.#signal);
    // Whoever stops before this point wants nothing to happen; from here on the log decides.
    this.#signal.throwIfAborted();
    const phantom = context.groups.get(prepared.groupId);
    // The state that is joined now does not know of the join before: that one is over.
    if (phantom?.mayWrite === true) await phantom.exclusive(async () => recordRefused(phantom), this.#signal);
    const earlier = context.store.joins.get(prepared.groupId);
    // A join of this group by another invite may have been sent: two drafts for one group must not exist.
    if (earlier !== undefined && earlier.state !== "JOINED" && earlier.state !== "WAITING") {
      // If it has lost, the same blobs are as good as before.
      this.#contents = undefined;
      return this.#settle(earlier);
    }
    return this.#settle(recordPrepared(context, prepared), true);
  }

  /**
   * Fetches what the slot holds and takes the best of it; nothing is fetched or verified twice that has not changed. It may
   * show as well that an earlier commit let us in: then that group is returned.
   */
  async #candidate(): Promise<JoinableCandidate | GroupCore> {
    const { context } = this.#request;
    this.report("fetching");
    const fetch = { joining: this.#contents === undefined, unless: this.#contents?.tag, signal: this.#signal };
    const contents = await this.#source(fetch, this.reason);
    this.#contents = contents;
    this.#blobs = contents.blobs ?? this.#blobs;
    this.#turn ??= new Turn({ ...context, ahead: contents.waiting ?? 0 });
    const joined = await settleContests(this.#request, this.#blobs, this.#signal);
    if (joined !== undefined) return joined;
    const scan = this.#lastScan();
    if (contents.blobs === undefined && scan !== undefined) await this.#requireNews(scan);
    this.report("checking");
    return chooseCandidate(this.#request, this.#blobs, this.#signal);
  }

  #lastScan(): LogScan | undefined {
    return [...this.#request.scans.values()].at(-1);
  }

  /** The blobs are those that did not do, and unless it was the network's fault they still do not. */
  async #requireNews(scan: LogScan): Promise<void> {
    const { code } = this.reason ?? {};
    if (code !== "INVITE_STALE" && code !== "JOIN_LOST") return;
    await scan.advance(this.#signal);
    throw staleInvite(scan);
  }

  async #letOthersGo(turn: Turn, scan: LogScan, workMs: number): Promise<void> {
    this.report("waiting");
    const openEpoch = async () => {
      await scan.advance(this.#signal);
      return scan.openEpoch;
    };
    await turn.wait(openEpoch, workMs, this.#signal);
  }

  #isWorthRetrying(error: LatchkeyError): boolean {
    const { code } = error;
    if (code === "NODE_UNREACHABLE" || code === "RATE_LIMITED") {
      return ++this.#networkFailures < CLIENT_LIMITS.maxNetworkAttempts;
    }
    return code === "IDENTITY_PENDING" || (code === "INVITE_STALE" && this.#stillMoves(error));
  }

  /** A stale blob is waited for as long as the group's log moves: whoever came first is about to upload the next one. */
  #stillMoves(error: LatchkeyError): boolean {
    const openEpoch = error.data["openEpoch"];
    const nowNs = this.#request.context.clock.nowNs();
    if (openEpoch !== this.#stale.openEpoch) {
      this.#stale = { openEpoch, sinceNs: nowNs };
      // The next blob is on its way: whoever looks soon is the next.
      this.#backoff = newBackoff(this.#request.context);
    }
    return nowNs - this.#stale.sinceNs < BigInt(CLIENT_LIMITS.staleGraceMs) * 1_000_000n;
  }
}
