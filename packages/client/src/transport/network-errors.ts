import { Code, ConnectError } from "@connectrpc/connect";
import { LatchkeyError, type ErrorScope } from "@latchkey/mls";
import { asError } from "../clock.ts";
import { clientError } from "../errors.ts";

/** Wait after a rate limit without a hint, in milliseconds. */
const DEFAULT_RETRY_AFTER_MS = 1_000;

/** Wait after the node could not be reached, in milliseconds. */
const UNREACHABLE_RETRY_AFTER_MS = 2_000;

/** Refusals of the request as such: sending it again would end the same way. */
const REFUSALS: ReadonlySet<Code> = new Set([
  Code.NotFound,
  Code.AlreadyExists,
  Code.PermissionDenied,
  Code.FailedPrecondition,
  Code.Unimplemented,
  Code.Unauthenticated,
]);

/** Refusals of what the request holds: where others wrote that, it is their fault. */
const REFUSED_AS_ASKED: ReadonlySet<Code> = new Set([Code.InvalidArgument, Code.OutOfRange]);

/** Whether a message is too large for one side: gRPC has the same status for it as for rate limits. */
function isTooLarge({ code, rawMessage }: ConnectError): boolean {
  return code === Code.ResourceExhausted && /\b(larger|too large|exceeds)\b/i.test(rawMessage);
}

/** Milliseconds of a Retry-After header, which counts in seconds. */
export function retryAfterMs(header: string | null): number {
  const seconds = Number(header ?? Number.NaN);
  return Number.isFinite(seconds) && seconds >= 0 ? Math.min(seconds, 3_600) * 1000 : DEFAULT_RETRY_AFTER_MS;
}

/** How a failed call is told. */
export interface NetworkErrorOptions {
  /** The scope of a refusal of what the request holds; `message` where others wrote that. Default: `availability`. */
  readonly scope?: ErrorScope;
}

/**
 * What a failed call over the network means: the reason of the signal when it was aborted, else NODE_REJECTED,
 * RATE_LIMITED, or NODE_UNREACHABLE for everything of which the outcome is not known.
 */
export function networkError(
  error: unknown,
  what: string,
  signal: AbortSignal | undefined,
  options: NetworkErrorOptions = {},
): Error {
  if (signal?.aborted === true) return asError(signal.reason);
  if (error instanceof LatchkeyError) return error;
  const cause = ConnectError.from(error);
  const retryAfter = cause.metadata.get("retry-after");
  const nodeCode = cause.metadata.get("x-latchkey-error") ?? undefined;
  const data = { call: what, status: Code[cause.code], ...(nodeCode === undefined ? {} : { nodeCode }) };
  const isOverSize = retryAfter === null && isTooLarge(cause);
  if (isOverSize || REFUSED_AS_ASKED.has(cause.code)) {
    const text = `the node refused ${what}: ${cause.rawMessage}`;
    return clientError("NODE_REJECTED", text, { data, cause, ...options });
  }
  if (cause.code === Code.ResourceExhausted) {
    const waitMs = retryAfterMs(retryAfter);
    return clientError("RATE_LIMITED", `the node limits ${what}; wait ${waitMs} ms`, {
      data,
      retryAfterMs: waitMs,
      cause,
    });
  }
  if (REFUSALS.has(cause.code)) {
    return clientError("NODE_REJECTED", `the node refused ${what}: ${cause.rawMessage}`, { data, cause });
  }
  return unreachable(what, cause, data, retryAfter);
}

/** NODE_UNREACHABLE for a call that got no answer, or one that leaves the outcome open. */
export function unreachable(
  what: string,
  cause: unknown,
  data: Readonly<Record<string, unknown>> = {},
  retryAfter: string | null = null,
): LatchkeyError {
  return clientError("NODE_UNREACHABLE", `no answer to ${what}; check the address and the network`, {
    data: { call: what, ...data },
    retryAfterMs: retryAfter === null ? UNREACHABLE_RETRY_AFTER_MS : retryAfterMs(retryAfter),
    cause,
  });
}
