import type { ToWorker, FromWorker } from "../protocol.ts";
import { toWire } from "../wire-errors.ts";
import { Broker } from "./broker.ts";
import { placeOf } from "./open-client.ts";

/** What `runWebClient` needs. */
export interface WebWorkerOptions {
  /** Address of `sqlite3.wasm`; default: beside the worker's script, where bundlers put it. */
  readonly wasmUrl?: string;
}

/** The parts of a dedicated worker that are used. */
interface WorkerScope {
  onmessage: ((event: MessageEvent<ToWorker>) => void) | null;
  postMessage(message: FromWorker): void;
  close(): void;
}

/**
 * Runs the client of a page in a dedicated worker: call it once, in the worker's script, at its top.
 *
 * @example
 * import { runWebClient } from "@latchkey/client/web/worker";
 * runWebClient();
 */
export function runWebClient({ wasmUrl }: WebWorkerOptions = {}): void {
  const scope = globalThis as unknown as WorkerScope;
  const toPage = (message: FromWorker) => scope.postMessage(message);
  let broker: Promise<Broker> | undefined;
  const open = async (message: Extract<ToWorker, { kind: "open" }>): Promise<Broker> => {
    const { options } = message;
    return new Broker({ options, place: await placeOf(options.name, wasmUrl), toPage });
  };
  scope.onmessage = ({ data }) => {
    if (data.kind === "open") {
      broker = open(data);
      broker.catch((error: unknown) => toPage({ kind: "state", state: { kind: "failed", error: toWire(error) } }));
      return;
    }
    void broker
      ?.then((ready) => obey(ready, data))
      .catch(() => undefined)
      .finally(() => {
        if (data.kind === "close") scope.close();
      });
  };
  globalThis.addEventListener("online", () => void broker?.then((ready) => ready.look()));
}

async function obey(broker: Broker, message: Exclude<ToWorker, { kind: "open" }>): Promise<void> {
  switch (message.kind) {
    case "call":
      broker.call(message.call);
      return;
    case "abort":
      broker.abort(message.id);
      return;
    case "visible":
      broker.visible(message.visible);
      return;
    case "retry":
      broker.retry(message.identity);
      return;
    case "close":
      await broker.close();
  }
}
