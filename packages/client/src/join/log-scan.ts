import type { ClientContext } from "../group/client-context.ts";
import { clientError } from "../errors.ts";
import { endedEpoch } from "../group/ended-epoch.ts";
import { messageHash } from "../group/own-echo.ts";
import { CLIENT_LIMITS } from "../limits.ts";
import { readPages, type Envelope } from "../transport/transport.ts";

/** A commit as a stranger sees it: which epoch it would end, and where it stands. */
export interface SeenCommit {
  readonly id: bigint;
  readonly createdNs: bigint;
  /** SHA-256 of the message. */
  readonly hash: Uint8Array;
}

/** What a reading of the log needs. */
interface ScanContext extends Pick<ClientContext, "crypto"> {
  readonly transport: Pick<ClientContext["transport"], "queryGroupMessages">;
}

/** Where a reading of the log begins. */
export interface ScanStart {
  /** Commits of earlier epochs are not remembered. */
  readonly fromEpoch: bigint;
  /** Nothing up to this id is looked at. */
  readonly afterId: bigint;
  /** `afterId` is what a member or an earlier answer said, and counts only if the log has an envelope of that id. */
  readonly hinted?: boolean;
}

/**
 * Reads a group's log without being in the group, to learn which commit of an epoch was sequenced first.
 *
 * Headers of messages are in the clear, so the commit-type messages of an epoch can be found, but whether members
 * accept them cannot be told: to be first is evidence, the proof is a message of a member (see the state CONFIRMED).
 *
 * The walk goes from old to new. From new to old it would be shorter and wrong: where the epoch began is known by a
 * message of the epoch before, and anybody can write one.
 */
export class LogScan {
  readonly fromEpoch: bigint;
  readonly #context: ScanContext;
  readonly #groupId: Uint8Array;
  readonly #commits = new Map<bigint, SeenCommit[]>();
  #remembered = 0;
  #cursor: bigint;
  /** The envelope that has to be the next one, or the hint was false. */
  #landmark: bigint | undefined;
  /** Whether a later answer has shown that the log has an envelope of the id at the cursor. */
  #isChecked = true;
  #read = 0;

  constructor(context: ScanContext, groupId: Uint8Array, start: ScanStart) {
    this.#context = context;
    this.#groupId = groupId;
    this.fromEpoch = start.fromEpoch;
    this.#landmark = start.hinted === true && start.afterId > 0n ? start.afterId : undefined;
    this.#cursor = this.#landmark === undefined ? start.afterId : this.#landmark - 1n;
  }

  /** Id of the newest envelope that was looked at. */
  get cursor(): bigint {
    return this.#cursor;
  }

  /** Commits of that epoch behind an id, as far as the log was read, in its order. */
  commits(epoch: bigint, afterId = 0n): readonly SeenCommit[] {
    return (this.#commits.get(epoch) ?? []).filter(({ id }) => id > afterId);
  }

  /** The first epoch that no commit ends, as far as the log was read and if all of them were accepted. */
  get openEpoch(): bigint {
    let epoch = this.fromEpoch;
    while (this.#commits.has(epoch)) epoch++;
    return epoch;
  }

  /** Reads to the end of the log; throws GROUP_UNSUPPORTED when it is endless, and as `Transport`. */
  async advance(signal?: AbortSignal): Promise<void> {
    if (await this.#readOn(signal)) return;
    // The hint led nowhere, or an id of an earlier answer was false: neither may keep anybody out.
    this.#landmark = undefined;
    this.#cursor = 0n;
    this.#commits.clear();
    this.#remembered = 0;
    await this.#readOn(signal);
  }

  /** False when the hint turned out to be false; nothing was read then. */
  async #readOn(signal: AbortSignal | undefined): Promise<boolean> {
    const { transport } = this.#context;
    if (!this.#isChecked && this.#cursor > 0n && this.#landmark === undefined) {
      this.#landmark = this.#cursor;
      this.#cursor = this.#landmark - 1n;
    }
    const query: typeof transport.queryGroupMessages = (at, stop) => transport.queryGroupMessages(at, stop);
    for await (const page of readPages(query, { topic: this.#groupId, afterId: this.#cursor }, signal)) {
      for (const envelope of page) {
        if (this.#landmark === undefined) this.#look(envelope);
        else if (envelope.id !== this.#landmark) return false;
        this.#isChecked = this.#landmark !== undefined;
        this.#landmark = undefined;
        this.#cursor = envelope.id;
        if (++this.#read > CLIENT_LIMITS.maxLogScan) {
          throw clientError("GROUP_UNSUPPORTED", `the group's log has more than ${CLIENT_LIMITS.maxLogScan} messages`);
        }
      }
    }
    return this.#landmark === undefined;
  }

  #look({ id, createdNs, data }: Envelope): void {
    const epoch = endedEpoch(data);
    if (epoch === undefined || epoch < this.fromEpoch) return;
    const seen = this.#commits.get(epoch);
    // Of each epoch the first is always kept: that there is one decides more than which ones follow.
    if (seen !== undefined && this.#remembered >= CLIENT_LIMITS.maxSeenCommits) return;
    this.#remembered++;
    const commit = { id, createdNs, hash: messageHash(this.#context, data) };
    if (seen === undefined) this.#commits.set(epoch, [commit]);
    else seen.push(commit);
  }
}
