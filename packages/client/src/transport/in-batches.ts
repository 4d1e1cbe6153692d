import { asError } from "../clock.ts";

interface BatchOptions {
  /** A stream that has read so many items ahead waits. */
  readonly maxItems: number;
  /** Lets all that has come already arrive before it is taken. */
  readonly pause: () => Promise<void>;
}

/**
 * The items of a stream, in batches: each has what arrived while the one before was dealt with. Reading ahead ends with
 * the batches.
 *
 * @throws what the stream throws, once all that came before was taken.
 */
export async function* inBatches<T>(
  open: (signal: AbortSignal) => AsyncIterable<T>,
  { maxItems, pause }: BatchOptions,
  signal: AbortSignal,
): AsyncGenerator<readonly T[], void, void> {
  const closing = new AbortController();
  const stop = AbortSignal.any([signal, closing.signal]);
  const arrived: T[] = [];
  let ending: { readonly error?: unknown } | undefined;
  let onArrival = (): void => undefined;
  let onRoom = (): void => undefined;
  async function readAhead(): Promise<void> {
    for await (const item of open(stop)) {
      arrived.push(item);
      onArrival();
      if (arrived.length >= maxItems) await new Promise<void>((resolve) => (onRoom = resolve));
      if (stop.aborted) return;
    }
  }
  const end = (ended: { readonly error?: unknown }) => {
    ending = ended;
    onArrival();
  };
  void readAhead().then(
    () => end({}),
    (error: unknown) => end({ error }),
  );
  try {
    for (;;) {
      if (arrived.length === 0 && ending === undefined) {
        await new Promise<void>((resolve) => (onArrival = resolve));
      }
      if (arrived.length > 0) {
        if (arrived.length < maxItems) await pause();
        const batch = arrived.splice(0);
        onRoom();
        yield batch;
      } else if (ending !== undefined) {
        if ("error" in ending) throw ending.error;
        return;
      }
    }
  } finally {
    closing.abort(asError("the stream was closed"));
    onRoom();
  }
}
