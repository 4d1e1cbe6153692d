import { asError } from "../../clock.ts";
import { clientError, codeOf } from "../../errors.ts";
import type { Outcome, Progress, WireCall } from "../protocol.ts";
import { toWire } from "../wire-errors.ts";
import { METHODS, type ServedCall } from "./methods.ts";
import type { OpenClient } from "./open-client.ts";

/** Outcomes that are kept for callers that did not hear them. */
const MAX_KEPT = 512;

/** Hears how a call goes on and ends. */
export type Answer = (message: Outcome | Progress) => void;

interface Served {
  readonly stop: AbortController;
  /** By caller, so that one that asks twice is answered once. */
  readonly answers: Map<string, Answer>;
  outcome: Outcome | undefined;
}

/** The calls that a leader serves. The same id is the same call: it runs once, and everybody who asks hears its outcome. */
export class ServedCalls {
  readonly #client: OpenClient;
  readonly #calls = new Map<string, Served>();

  constructor(client: OpenClient) {
    this.#client = client;
  }

  /** Serves a call of a tab, or answers with what it came to before. */
  serve(call: WireCall, tab: string, answer: Answer): void {
    const known = this.#calls.get(call.id);
    if (known !== undefined) {
      known.answers.set(tab, answer);
      if (known.outcome !== undefined) answer(known.outcome);
      return;
    }
    const served: Served = { stop: new AbortController(), answers: new Map([[tab, answer]]), outcome: undefined };
    this.#calls.set(call.id, served);
    void this.#run(call, served);
  }

  abort(id: string): void {
    this.#calls.get(id)?.stop.abort(new DOMException("the page has taken the call back", "AbortError"));
  }

  async #run({ id, method, args }: WireCall, served: Served): Promise<void> {
    const tell = (message: Outcome | Progress) => served.answers.forEach((answer) => answer(message));
    const call: ServedCall = {
      id,
      signal: served.stop.signal,
      progress: (value) => tell({ kind: "progress", id, value }),
    };
    try {
      served.outcome = { kind: "done", id, value: await invoke(this.#client, call, method, args) };
    } catch (error) {
      // This tab stops leading. The caller asks the next leader, under the same id.
      if (codeOf(error) === "CLIENT_CLOSED") return;
      const { signal } = served.stop;
      served.outcome = { kind: "failed", id, error: toWire(signal.aborted ? aborted(error, signal) : error) };
    }
    tell(served.outcome);
    this.#forgetOldest();
  }

  #forgetOldest(): void {
    for (const [id, { outcome }] of this.#calls) {
      if (this.#calls.size <= MAX_KEPT) return;
      if (outcome !== undefined) this.#calls.delete(id);
    }
  }
}

/** What a call that was taken back ends with: what the client says of it, else JOIN_ABORTED. */
function aborted(error: unknown, { reason }: AbortSignal): unknown {
  return error === reason || codeOf(error) === undefined
    ? clientError("JOIN_ABORTED", "the page has taken the call back", { cause: asError(reason) })
    : error;
}

async function invoke(
  client: OpenClient,
  call: ServedCall,
  method: string,
  args: readonly unknown[],
): Promise<unknown> {
  const methods: Readonly<Record<string, (...all: never[]) => unknown>> = METHODS;
  const run = Object.hasOwn(methods, method) ? methods[method] : undefined;
  if (run === undefined) {
    throw clientError("ARGUMENT_INVALID", "the page is of another version than its worker; reload it", {
      data: { argument: "method" },
    });
  }
  return Reflect.apply(run, undefined, [client, call, ...args]);
}
