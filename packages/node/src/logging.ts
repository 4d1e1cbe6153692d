import { pino, type DestinationStream, type Logger } from "pino";
import { toHex } from "@latchkey/mls";

export type { Logger } from "pino";

/** Levels of the node's log, from no line at all to one line per request. */
export type LogLevel = "silent" | "error" | "warn" | "info" | "debug";

/** A logger that writes one JSON object per line, to standard error unless told otherwise. */
export function createLogger(level: LogLevel, destination: DestinationStream = process.stderr): Logger {
  return pino({ name: "latchkey-node", level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, destination);
}

/** The first 4 bytes of an id as hex: enough to follow it through a log, not enough to use it. */
export function shortId(id: Uint8Array): string {
  return `${toHex(id.subarray(0, 4))}…`;
}
