import { equalBytes, LatchkeyError, toHex, utf8 } from "@latchkey/mls";
import { encodeWith, leaveRequestCodec, XMTP_LIMITS, type ContentCodec } from "@latchkey/xmtp";
import { byApplication } from "../callbacks.ts";
import { asError, isAborted } from "../clock.ts";
import { reportInBackground } from "../store/defects.ts";
import { clientError, codeOf } from "../errors.ts";
import { requireNotRevoked } from "../identity/own-revocation.ts";
import { CLIENT_LIMITS } from "../limits.ts";
import type { MessageRecord, OutboxRecord } from "../store/records.ts";
import type { GroupCore } from "./group-core.ts";
import { echoOf, ownMessage, type Echo } from "./echo.ts";
import { isRefusal, outgoing, syncLocked } from "./sync.ts";
import { keyMark, wireKey } from "./message-ids.ts";
import { newIdempotencyKey } from "./message.ts";
import {
  deleteQueued,
  enqueue,
  isLeaveRequest,
  NOTHING,
  queueUnsent,
  updateQueued,
  type UnsentRecord,
} from "./outbox.ts";

/** How a message is sent. */
export interface SendOptions {
  /**
   * The caller's name for this one message, at most 256 bytes of UTF-8: the same key in the same group is the same message,
   * however often it is sent, also after a restart. Other members do not see it.
   */
  readonly idempotencyKey?: string;
  readonly signal?: AbortSignal;
}

/** A message before it is queued. */
interface Draft extends Pick<OutboxRecord, "plaintext" | "messageId" | "keyMark" | "shouldPush"> {
  /** Whether a queued message is this very one; undefined where none can be. */
  readonly isSame: ((row: OutboxRecord) => boolean) | undefined;
}

/**
 * Sends a value of a content type and returns the message as it stands in the log.
 *
 * When the network fails underway the message stays in the outbox and leaves with the next sync. A message that may have
 * left is never reported as refused: the error is NODE_UNREACHABLE then, and `group.queue()` has the message. An abort
 * rejects with the reason of the signal, and leaves the message in the queue if it was queued already.
 *
 * @throws NOT_A_MEMBER, GROUP_PARTED, GROUP_CONFLICT, NOT_PERMITTED, ARGUMENT_INVALID, QUEUE_FULL, NODE_REJECTED and
 * RATE_LIMITED: it is not queued. NODE_UNREACHABLE with `data.queued`: it is; `data.messageId` says as what.
 */
export async function sendContent<T>(
  core: GroupCore,
  codec: ContentCodec<T>,
  value: T,
  options: SendOptions = {},
): Promise<MessageRecord> {
  const { idempotencyKey, signal } = options;
  if (idempotencyKey !== undefined) requireKey(idempotencyKey);
  const { context } = core;
  const key = idempotencyKey === undefined ? newIdempotencyKey(context) : wireKey(context, idempotencyKey);
  const mark = idempotencyKey === undefined ? NOTHING : keyMark(context, idempotencyKey);
  const isSame = mark.length === 0 ? undefined : (row: OutboxRecord) => equalBytes(row.keyMark, mark);
  return send(core, { codec, value, key }, { keyMark: mark, isSame }, signal);
}

/** Sends a request to leave; one that waits already is not repeated. Throws as `sendContent`. */
export async function sendLeaveRequest(core: GroupCore, signal?: AbortSignal): Promise<void> {
  const request = { codec: leaveRequestCodec, value: undefined, key: newIdempotencyKey(core.context) };
  await send(core, request, { keyMark: NOTHING, isSame: isLeaveRequest }, signal);
}

function requireKey(idempotencyKey: unknown): void {
  const { maxIdempotencyKeyBytes: max } = CLIENT_LIMITS;
  const isKey = typeof idempotencyKey === "string" && idempotencyKey !== "" && utf8(idempotencyKey).length <= max;
  if (isKey) return;
  throw clientError("ARGUMENT_INVALID", `an idempotency key is a text of 1 to ${max} bytes`, {
    data: { argument: "idempotencyKey" },
  });
}

/** A value to send, and the idempotency key on the wire. */
interface Value<T> {
  readonly codec: ContentCodec<T>;
  readonly value: T;
  readonly key: string;
}

async function send<T>(
  core: GroupCore,
  { codec, value, key }: Value<T>,
  marks: Pick<Draft, "keyMark" | "isSame">,
  signal: AbortSignal | undefined,
): Promise<MessageRecord> {
  const { plaintext, messageId, shouldPush } = await byApplication(() => ({
    ...encodeWith(codec, value, core.groupId, key),
    shouldPush: codec.shouldPush(value) ? 1n : 0n,
  }));
  if (plaintext.length > XMTP_LIMITS.maxContentBytes) {
    throw clientError("NOT_PERMITTED", `a message has at most ${XMTP_LIMITS.maxContentBytes} bytes; send it in parts`);
  }
  const draft: Draft = { plaintext, messageId: toHex(messageId), shouldPush, ...marks };
  requireNotRevoked(core.context);
  const failure = await tryFollow(core, draft, signal);
  return core.exclusive(() => sendLocked(core, draft, failure, signal), signal);
}

/** Failures after which a message waits in the queue until members' logs could be followed. */
const WAITING: ReadonlySet<string | undefined> = new Set(["NODE_UNREACHABLE", "COMMIT_CONFLICT", "IDENTITY_PENDING"]);

/** Takes revoked installations of members out first: the message is not for them. */
async function tryFollow(core: GroupCore, draft: Draft, signal?: AbortSignal): Promise<unknown> {
  try {
    await core.hooks.beforeWriting(core, signal);
    return undefined;
  } catch (error) {
    requireNotRevoked(core.context);
    if (!WAITING.has(codeOf(error)) && findQueued(core, draft) === undefined) throw error;
    return error;
  }
}

async function sendLocked(
  core: GroupCore,
  draft: Draft,
  unfollowed: unknown,
  signal: AbortSignal | undefined,
): Promise<MessageRecord> {
  const before = sentBefore(core, draft);
  if (before !== undefined) return before;
  reviveQueued(core, draft);
  const failure = unfollowed ?? (await trySync(core, draft, signal));
  core.requireActive();
  const sent = sentBefore(core, draft);
  if (sent !== undefined) return sent;
  const known = findQueued(core, draft);
  if (failure !== undefined)
    throw stillQueued(core, failure, known ?? queueUnsent(core, newRow(core, draft, 0n)), signal);
  if (known !== undefined) return readEcho(core, known, signal);
  const queued = await enqueue(core, newRow(core, draft, 1n));
  await publish(core, queued, signal);
  return readEcho(core, queued, signal);
}

/** The message that was sent under the caller's key, if one was. */
function sentBefore(core: GroupCore, draft: Draft): MessageRecord | undefined {
  const { context, groupId } = core;
  const sent = draft.keyMark.length === 0 ? undefined : context.store.messageIds.get(groupId, draft.keyMark);
  if (sent === undefined) return undefined;
  requireSameMessage(draft, toHex(sent.messageId));
  return ownMessage(core, sent, draft.plaintext);
}

function requireSameMessage(draft: Draft, messageId: string): void {
  if (draft.keyMark.length === 0 || draft.messageId === messageId) return;
  throw clientError("ARGUMENT_INVALID", "another message was sent under this idempotency key; give each its own", {
    data: { argument: "idempotencyKey" },
  });
}

function findQueued(core: GroupCore, draft: Draft): OutboxRecord | undefined {
  const { outbox } = core.context.store;
  if (draft.isSame === undefined || outbox.count(core.groupId) === 0) return undefined;
  return outbox.list(core.groupId).find(draft.isSame);
}

/** A message that failed or was cancelled waits again when its sender says it once more. */
function reviveQueued(core: GroupCore, draft: Draft): void {
  const row = findQueued(core, draft);
  if (row === undefined) return;
  requireSameMessage(draft, row.messageId);
  if (row.state === "waiting") return;
  core.requireActive();
  updateQueued(core, { ...row, state: "waiting", errorCode: undefined });
}

/**
 * Catches up first, so that the message goes to those who are members now. Without a network that has to wait: the
 * message is queued all the same, and encrypted anew should the group have moved on when it leaves.
 */
async function trySync(core: GroupCore, draft: Draft, signal?: AbortSignal): Promise<unknown> {
  try {
    await syncLocked(core, signal);
    return undefined;
  } catch (error) {
    // What was queued by an earlier call may have left, whatever this error says.
    if (codeOf(error) !== "NODE_UNREACHABLE" && findQueued(core, draft) === undefined) throw error;
    return error;
  }
}

/** A new row of the queue. Throws QUEUE_FULL. */
function newRow(core: GroupCore, draft: Draft, mayHaveLeft: bigint): UnsentRecord {
  const { context, groupId } = core;
  const { plaintext, messageId, shouldPush, keyMark: mark } = draft;
  makeRoom(core);
  return {
    groupId,
    queueId: (context.store.outbox.list(groupId).at(-1)?.queueId ?? 0n) + 1n,
    messageId,
    plaintext,
    shouldPush,
    queuedAtNs: context.clock.nowNs(),
    state: "waiting",
    errorCode: undefined,
    mayHaveLeft,
    copies: NOTHING,
    keyMark: mark,
    told: 0n,
  };
}

/** What was cancelled is forgotten before anything is refused. */
function makeRoom(core: GroupCore): void {
  const { outbox } = core.context.store;
  const { maxQueuedMessages } = CLIENT_LIMITS;
  if (outbox.count(core.groupId) < maxQueuedMessages) return;
  const cancelled = outbox.list(core.groupId).find(({ state }) => state === "cancelled");
  if (cancelled === undefined) {
    throw clientError(
      "QUEUE_FULL",
      `${maxQueuedMessages} messages wait in this group or have failed; synchronize, or cancel some`,
    );
  }
  deleteQueued(core, cancelled);
}

/** Throws what a new message meets on its way: refused, it is in no queue; otherwise it may have left. */
async function publish(core: GroupCore, queued: OutboxRecord, signal: AbortSignal | undefined): Promise<void> {
  const { context, groupId } = core;
  try {
    await context.transport.sendGroupMessages(
      [outgoing(context, groupId, queued.message, queued.shouldPush === 1n)],
      signal,
    );
  } catch (error) {
    if (!isRefusal(error)) throw stillQueued(core, error, queued, signal);
    deleteQueued(core, queued);
    throw error;
  }
}

/** Waits until the message stands in the log. */
async function readEcho(
  core: GroupCore,
  queued: OutboxRecord,
  signal: AbortSignal | undefined,
): Promise<MessageRecord> {
  const echo = await echoOf(core, queued, signal).catch((error: unknown): Echo => ({ kind: "unknown", error }));
  if (echo.kind === "sent") return echo.message;
  if (echo.kind === "unknown") throw stillQueued(core, echo.error, queued, signal);
  const data = { messageId: queued.messageId };
  if (echo.code === "NOT_A_MEMBER") {
    throw clientError("NOT_A_MEMBER", "this installation left the group before its message arrived", { data });
  }
  throw clientError(
    "NODE_UNREACHABLE",
    "the node refuses the message now, and an earlier copy may have arrived; it stays in `group.queue()` as failed",
    { retryable: false, data },
  );
}

/**
 * The error of a message that is queued and may have left. Only a caller that gave a key may repeat the call: without one
 * it would say another message.
 */
function stillQueued(
  core: GroupCore,
  cause: unknown,
  { messageId, keyMark: mark }: OutboxRecord,
  signal: AbortSignal | undefined,
): Error {
  if (isAborted(signal)) return asError(signal?.reason);
  reportInBackground(core.context, core.groupId, cause);
  const retryAfterMs = cause instanceof LatchkeyError ? cause.retryAfterMs : undefined;
  return clientError("NODE_UNREACHABLE", "the message is queued and leaves with the next sync; it may have arrived", {
    cause,
    retryable: mark.length > 0,
    data: { messageId, queued: true },
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}
