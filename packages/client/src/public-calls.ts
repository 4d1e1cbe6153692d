import { LatchkeyError, optional, requireFields, requireSignal, type Check } from "@latchkey/mls";
import { isOfApplication } from "./callbacks.ts";
import { asError, isAborted } from "./clock.ts";
import { asDefect, codeOf } from "./errors.ts";

/** Options of a public call that can be aborted. */
export interface CallOptions {
  readonly signal?: AbortSignal;
}

/** Options of a call that can be aborted and nothing else. */
export const requireCallOptions = requireFields<CallOptions>({ signal: optional(requireSignal) });

/** Names of the errors by which the platform tells of an abort. */
const ABORTS: ReadonlySet<string> = new Set(["AbortError", "TimeoutError"]);

/**
 * What leaves a public call in the place of an error: one of the family, the reason of the caller's abort, or what a
 * callback of the application has thrown. Anything else is a defect of this program.
 */
function leaving(error: unknown, signal: AbortSignal | undefined): unknown {
  if (error instanceof LatchkeyError || isOfApplication(error)) return error;
  if (!isAborted(signal)) return asDefect(error);
  const reason = asError(signal?.reason);
  const isAbort = error instanceof Error && (ABORTS.has(error.name) || error.cause === signal?.reason);
  return error === signal?.reason || isAbort ? reason : asDefect(error);
}

/**
 * Runs a public call outside of a client, with its options as they were checked: what leaves it is an error of the
 * family, or the caller's own.
 */
export async function walledWith<O extends CallOptions, T>(
  options: Check<O>,
  given: unknown,
  call: (checked: O) => Promise<T>,
): Promise<T> {
  let signal: AbortSignal | undefined;
  try {
    const checked = options(given, "options");
    ({ signal } = checked);
    return await call(checked);
  } catch (error) {
    throw leaving(error, signal);
  }
}

/** As `walledWith`, for a call that returns at once. */
export function walledNow<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw leaving(error, undefined);
  }
}

/** The outcome of work, or the signal's reason as soon as it is aborted; the work ends by itself then. */
function orAborted<T>(working: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(asError(signal.reason));
    const end = () => signal.removeEventListener("abort", stop);
    signal.addEventListener("abort", stop, { once: true });
    working.finally(end).then(resolve, reject);
    if (isAborted(signal)) stop();
  });
}

/**
 * The public face of one client, through which every call of an application comes. Its arguments are checked before
 * anything is sent or written; nothing but errors of the family leaves it; and closing the client ends it at once.
 */
export class PublicCalls {
  readonly #closing: AbortSignal;

  /** `closing` is aborted with CLIENT_CLOSED when the client is closed. */
  constructor(closing: AbortSignal) {
    this.#closing = closing;
  }

  /** A call that returns at once. */
  now<T>(call: () => T): T {
    return walledNow(call);
  }

  /** A call that can be aborted; it is given its options as `options` has checked them, with a signal in any case. */
  async run<O extends CallOptions, T>(
    options: Check<O>,
    given: unknown,
    call: (checked: O & { readonly signal: AbortSignal }) => Promise<T>,
  ): Promise<T> {
    let signal: AbortSignal | undefined;
    try {
      const checked = options(given, "options");
      ({ signal } = checked);
      this.#closing.throwIfAborted();
      return await orAborted(call({ ...checked, signal: this.#stop(signal) }), this.#closing);
    } catch (error) {
      throw this.#leaving(error, signal);
    }
  }

  /** A stream; it ends when its signal is aborted, and with CLIENT_CLOSED when the client is closed. */
  async *stream<R, T>(
    given: unknown,
    open: (signal: AbortSignal) => AsyncIterable<R>,
    show: (item: R) => T,
  ): AsyncGenerator<T, void, void> {
    let signal: AbortSignal | undefined;
    try {
      ({ signal } = requireCallOptions(given, "options"));
      this.#closing.throwIfAborted();
      for await (const item of open(this.#stop(signal))) yield show(item);
      if (!isAborted(signal)) this.#closing.throwIfAborted();
    } catch (error) {
      throw this.#leaving(error, signal);
    }
  }

  #stop(signal: AbortSignal | undefined): AbortSignal {
    return signal === undefined ? this.#closing : AbortSignal.any([signal, this.#closing]);
  }

  /** Whatever a call fails with while the client is closed under it: that is the reason. */
  #leaving(error: unknown, signal: AbortSignal | undefined): unknown {
    const isClosed = isAborted(this.#closing) && codeOf(error) !== "ARGUMENT_INVALID";
    return isClosed ? this.#closing.reason : leaving(error, signal);
  }
}
