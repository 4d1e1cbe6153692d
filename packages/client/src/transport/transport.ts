import type { ContractSignature, WrappedPointer, WrappedWelcome } from "@latchkey/xmtp";
import type { IdentityUpdate, WelcomeMessageInput } from "@latchkey/xmtp/proto";

/** One entry of a group's log as the node serves it. */
export interface Envelope {
  /** Position in the log: positive, ascending, gaps are legal. */
  readonly id: bigint;
  /** The node's clock when it took the message; the only time that decides anything. */
  readonly createdNs: bigint;
  /** An MLSMessage, if the sender was honest. */
  readonly data: Uint8Array;
}

/** One Welcome for this installation, or a pointer to one that lies elsewhere (XIP-74), still wrapped. */
export type WelcomeEnvelope = Pick<Envelope, "id" | "createdNs"> &
  (({ readonly kind: "welcome" } & WrappedWelcome) | ({ readonly kind: "pointer" } & WrappedPointer));

/** A message on its way to a group. */
export interface OutgoingMessage {
  readonly data: Uint8Array;
  readonly senderHmac: Uint8Array;
  readonly shouldPush: boolean;
}

/** One entry of an identity log. */
export interface IdentityLogEntry {
  readonly sequenceId: bigint;
  /** The node's clock when it took the update. */
  readonly serverTimestampNs: bigint;
  readonly update: IdentityUpdate;
}

/** Per request the entries of one identity log. */
export type IdentityAnswer = readonly (readonly IdentityLogEntry[])[] & {
  /** Every update that the node stamped before this time is in the answer; undefined when the node does not say so. */
  readonly asOfNs?: bigint | undefined;
};

/** Where to begin reading a topic: behind `afterId`; 0 is the beginning. */
export interface Position {
  readonly topic: Uint8Array;
  readonly afterId: bigint;
}

/** One page of a topic; `complete` when nothing was left behind it. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly complete: boolean;
}

/**
 * The way to a delivery node.
 *
 * Every call may throw NODE_UNREACHABLE (the outcome is unknown), NODE_REJECTED (it was refused), RATE_LIMITED (it
 * was refused, see `retryAfterMs`), or the reason of an aborted signal. A look-up whose request was refused has scope
 * `message`: topics, inboxes and installations are names that others wrote.
 */
export interface Transport {
  sendGroupMessages(messages: readonly OutgoingMessage[], signal?: AbortSignal): Promise<void>;
  /** Envelopes behind `afterId`, ascending. */
  queryGroupMessages(position: Position, signal?: AbortSignal): Promise<Page<Envelope>>;
  /**
   * The ids of the newest envelopes of groups, in order; undefined for an empty log, and where a node refuses the question. Of
   * any length: it is asked in parts. Without this method, every log is read to learn that nothing came.
   */
  readonly newestGroupMessages?:
    ((groupIds: readonly Uint8Array[], signal?: AbortSignal) => Promise<readonly (bigint | undefined)[]>) | undefined;
  /** What lies behind the position, then whatever comes, until the signal is aborted. */
  subscribeGroupMessages(position: Position, signal: AbortSignal): AsyncIterable<Envelope>;
  sendWelcomeMessages(messages: readonly WelcomeMessageInput[], signal?: AbortSignal): Promise<void>;
  queryWelcomeMessages(position: Position, signal?: AbortSignal): Promise<Page<WelcomeEnvelope>>;
  subscribeWelcomeMessages(position: Position, signal: AbortSignal): AsyncIterable<WelcomeEnvelope>;
  uploadKeyPackage(keyPackage: Uint8Array, signal?: AbortSignal): Promise<void>;
  /** Same length and order as the request, of any length: it is asked in parts. Undefined for what a node refuses. */
  fetchKeyPackages(
    installationKeys: readonly Uint8Array[],
    signal?: AbortSignal,
  ): Promise<readonly (Uint8Array | undefined)[]>;
  publishIdentityUpdate(update: IdentityUpdate, signal?: AbortSignal): Promise<void>;
  /**
   * Per request the entries with a greater sequence id, ascending; same length and order as the request, of any length: it
   * is asked in parts. No entries for what a node refuses.
   */
  getIdentityUpdates(
    requests: readonly { readonly inboxId: string; readonly afterSequenceId: bigint }[],
    signal?: AbortSignal,
  ): Promise<IdentityAnswer>;
  /**
   * Whether each signature of a smart-contract wallet holds on its chain, in order. A transport without this verifies none.
   */
  readonly verifyContractSignatures?:
    | ((
        questions: readonly Pick<ContractSignature, "accountId" | "blockNumber" | "signature" | "hash">[],
        signal?: AbortSignal,
      ) => Promise<readonly boolean[]>)
    | undefined;
  /** The inbox of an Ethereum address, if it has one. */
  getInboxId(address: string, signal?: AbortSignal): Promise<string | undefined>;
  close(): void;
}

/** Reads a topic from a position to its end; ids that do not ascend are dropped (a hostile node). */
export async function* readTopic<T extends { readonly id: bigint }>(
  query: (position: Position, signal?: AbortSignal) => Promise<Page<T>>,
  position: Position,
  signal?: AbortSignal,
): AsyncGenerator<T, void, void> {
  for await (const items of readPages(query, position, signal)) yield* items;
}

/** As `readTopic`, a page at a time: for whoever reads very many, as each step of an asynchronous loop costs. */
export async function* readPages<T extends { readonly id: bigint }>(
  query: (position: Position, signal?: AbortSignal) => Promise<Page<T>>,
  { topic, afterId }: Position,
  signal?: AbortSignal,
): AsyncGenerator<readonly T[], void, void> {
  for (;;) {
    const page = await query({ topic, afterId }, signal);
    const news: T[] = [];
    for (const item of page.items) {
      if (item.id <= afterId) continue;
      afterId = item.id;
      news.push(item);
    }
    yield news;
    // A page that moves nothing ends the reading too, or a hostile node could keep us here for ever.
    if (page.complete || news.length === 0) return;
  }
}

/** Where reading goes on that was begun before. */
export interface Resumption extends Position {
  /** Up to here the log is known to go on; at most `afterId`. */
  readonly checkedId: bigint;
  /** Told whether the log has an envelope of the id `afterId`; false means that it is read from behind `checkedId`. */
  readonly onChecked: (isThere: boolean) => void;
}

/**
 * As `readPages`, from a position that earlier answers have led to. The envelope of that id is asked for once more: an
 * answer without it shows that the id was false, and what it made us skip is read then.
 */
export async function* resumePages<T extends { readonly id: bigint }>(
  query: (position: Position, signal?: AbortSignal) => Promise<Page<T>>,
  { topic, afterId, checkedId, onChecked }: Resumption,
  signal?: AbortSignal,
): AsyncGenerator<readonly T[], void, void> {
  if (afterId <= checkedId) {
    yield* readPages(query, { topic, afterId }, signal);
    return;
  }
  let isThere: boolean | undefined;
  for await (const page of readPages(query, { topic, afterId: afterId - 1n }, signal)) {
    const isFirst = isThere === undefined;
    isThere ??= page[0]?.id === afterId;
    if (isFirst) onChecked(isThere);
    if (!isThere) break;
    yield isFirst ? page.slice(1) : page;
  }
  if (isThere !== true) yield* readPages(query, { topic, afterId: checkedId }, signal);
}
