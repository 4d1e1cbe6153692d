import { asError } from "../clock.ts";
import { clientError } from "../errors.ts";
import type { ClientEvent, ClientState, FromWorker, OpenOptions, ToWorker } from "./protocol.ts";
import { fromWire } from "./wire-errors.ts";

/** A call of a page that has not ended. */
interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly onProgress: ((value: unknown) => void) | undefined;
}

/** How one call is made. */
export interface PortCall {
  /** Names the call; fresh unless given. The same name is the same call. */
  readonly id?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((value: unknown) => void) | undefined;
}

/** The page's end of its worker. */
export class PagePort {
  readonly #worker: Worker;
  readonly #waiting = new Map<string, Waiting>();
  readonly #onState: (state: ClientState) => void;
  readonly #onEvent: (event: ClientEvent) => void;
  readonly #shown = () => this.#show(document.visibilityState === "visible");
  readonly #hidden = () => this.#show(false);
  readonly #comesBack = () => this.#show(true);
  #isClosed = false;

  constructor(worker: Worker, onState: (state: ClientState) => void, onEvent: (event: ClientEvent) => void) {
    this.#worker = worker;
    this.#onState = onState;
    this.#onEvent = onEvent;
    worker.onmessage = ({ data }: MessageEvent<FromWorker>) => this.#heard(data);
    worker.onerror = (event) => this.#broke(event);
    document.addEventListener("visibilitychange", this.#shown);
    document.addEventListener("freeze", this.#hidden);
    globalThis.addEventListener("pagehide", this.#hidden);
    globalThis.addEventListener("pageshow", this.#comesBack);
  }

  open(options: OpenOptions): void {
    this.#post({ kind: "open", options });
  }

  retry(identity: OpenOptions["identity"]): void {
    this.#post({ kind: "retry", identity });
  }

  /** Makes a call; it ends with CLIENT_CLOSED when the client is closed. */
  call(method: string, args: readonly unknown[], { id, signal, onProgress }: PortCall = {}): Promise<unknown> {
    if (this.#isClosed) return Promise.reject(closed());
    if (signal?.aborted === true) return Promise.reject(asError(signal.reason));
    const name = id ?? crypto.randomUUID();
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#waiting.set(name, { resolve, reject, onProgress });
    const stop = () => this.#post({ kind: "abort", id: name });
    signal?.addEventListener("abort", stop, { once: true });
    this.#post({ kind: "call", call: { id: name, method, args } });
    return promise.finally(() => signal?.removeEventListener("abort", stop));
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    document.removeEventListener("visibilitychange", this.#shown);
    document.removeEventListener("freeze", this.#hidden);
    globalThis.removeEventListener("pagehide", this.#hidden);
    globalThis.removeEventListener("pageshow", this.#comesBack);
    this.#worker.postMessage({ kind: "close" } satisfies ToWorker);
    this.#endAll(closed());
  }

  #show(visible: boolean): void {
    this.#post({ kind: "visible", visible });
  }

  #post(message: ToWorker): void {
    if (!this.#isClosed) this.#worker.postMessage(message);
  }

  #heard(message: FromWorker): void {
    switch (message.kind) {
      case "state":
        this.#onState(message.state);
        return;
      case "event":
        this.#onEvent(message.event);
        return;
      case "progress":
        this.#waiting.get(message.id)?.onProgress?.(message.value);
        return;
      case "done":
        this.#waiting.get(message.id)?.resolve(message.value);
        this.#waiting.delete(message.id);
        return;
      case "failed":
        this.#waiting.get(message.id)?.reject(fromWire(message.error));
        this.#waiting.delete(message.id);
    }
  }

  /** The script of the worker did not load or threw at its top. */
  #broke(event: ErrorEvent): void {
    const text = "the worker of the client does not run; check its address and the policy of the page";
    const error = clientError("DEFECT", text, { cause: new Error(event.message) });
    this.#onState({ kind: "failed", error: { code: "DEFECT", message: text, data: {}, retryable: true } });
    this.#endAll(error);
  }

  #endAll(error: Error): void {
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}

function closed(): Error {
  return clientError("CLIENT_CLOSED", "the client is closed; create it again");
}
