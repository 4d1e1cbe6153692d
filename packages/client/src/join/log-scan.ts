import { LatchkeyError, peekMlsMessage } from "@latchkey/mls";
import type { ClientContext } from "../context.ts";
import { clientError } from "../errors.ts";
import { messageHash } from "../group/own-echo.ts";
import { CLIENT_LIMITS } from "../limits.ts";
import { readTopic, type Envelope } from "../transport/transport.ts";

/** A commit as a stranger sees it: which epoch it would end, and where it stands. */
export interface SeenCommit {
  readonly id: bigint;
  readonly createdNs: bigint;
  /** SHA-256 of the message. */
  readonly hash: Uint8Array;
}

/**
 * Reads a group's log without being in the group, to learn which commit of an epoch was sequenced first.
 *
 * Headers of messages are in the clear, so the first commit-type message of an epoch can be found, but whether members
 * accept it cannot be told: to be first is evidence, the proof is a message of a member (see the state CONFIRMED).
 * Only epochs from `fromEpoch` on are remembered, which bounds what a hostile sender can make us keep.
 */
export class LogScan {
  readonly #context: ClientContext;
  readonly #groupId: Uint8Array;
  /** Commits of earlier epochs are not remembered. */
  readonly fromEpoch: bigint;
  readonly #first = new Map<bigint, SeenCommit>();
  #cursor: bigint;
  #read = 0;
  #commits = 0;

  constructor(context: ClientContext, groupId: Uint8Array, fromEpoch: bigint, afterId: bigint) {
    this.#context = context;
    this.#groupId = groupId;
    this.fromEpoch = fromEpoch;
    this.#cursor = afterId;
  }

  /** Id of the newest envelope that was looked at. */
  get cursor(): bigint {
    return this.#cursor;
  }

  /** Commits met so far. */
  get commits(): number {
    return this.#commits;
  }

  /** The first commit that ends the given epoch, as far as the log was read. */
  first(epoch: bigint): SeenCommit | undefined {
    return this.#first.get(epoch);
  }

  /** Reads to the end of the log; throws GROUP_UNSUPPORTED when it is endless, and as `Transport`. */
  async advance(signal?: AbortSignal): Promise<void> {
    const { transport } = this.#context;
    const query: typeof transport.queryGroupMessages = (at, stop) => transport.queryGroupMessages(at, stop);
    for await (const envelope of readTopic(query, { topic: this.#groupId, afterId: this.#cursor }, signal)) {
      this.#look(envelope);
      this.#cursor = envelope.id;
      if (++this.#read > CLIENT_LIMITS.maxLogScan) {
        throw clientError("GROUP_UNSUPPORTED", `the group's log has more than ${CLIENT_LIMITS.maxLogScan} messages`);
      }
    }
  }

  #look({ id, createdNs, data }: Envelope): void {
    const epoch = endedEpoch(data);
    if (epoch !== undefined) this.#commits++;
    if (epoch === undefined || epoch < this.fromEpoch || this.#first.has(epoch)) return;
    this.#first.set(epoch, { id, createdNs, hash: messageHash(this.#context, data) });
  }
}

/** The epoch that a message would end if members accept it; undefined for everything but commits. */
function endedEpoch(data: Uint8Array): bigint | undefined {
  try {
    const { contentKind, epoch } = peekMlsMessage(data);
    return contentKind === "commit" ? epoch : undefined;
  } catch (error) {
    if (error instanceof LatchkeyError) return undefined;
    throw error;
  }
}
