import { ConnectError } from "@connectrpc/connect";
import { LatchkeyError } from "@latchkey/mls";
import { NodeError } from "../errors.ts";
import type { NodeRuntime } from "../services/runtime.ts";

/** How a request ended, as metrics and the log name it. */
export interface Outcome {
  readonly method: string;
  readonly code: string;
  readonly isStream?: boolean;
}

/** Counts and logs what the operator must know: failures of the store and of the node itself, not those of clients. */
export function reportError(
  { metrics, logger }: Pick<NodeRuntime, "metrics" | "logger">,
  method: string,
  error: unknown,
): void {
  if (error instanceof NodeError && error.code.startsWith("STORE_")) {
    metrics.storageErrors.inc({ code: error.code });
    logger.error({ method, code: error.code, cause: causeOf(error) }, "the store failed");
  } else if (error instanceof LatchkeyError || error instanceof ConnectError) {
    const rule = error instanceof LatchkeyError ? error.rule : undefined;
    logger.debug({ method, code: error.code, rule }, "request refused");
  } else {
    logger.error({ method, err: error }, "request failed unexpectedly");
  }
}

function causeOf(error: Error): string | undefined {
  return error.cause instanceof Error ? error.cause.message : undefined;
}
