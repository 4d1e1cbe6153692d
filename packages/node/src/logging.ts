import { pino, type DestinationStream, type Logger } from "pino";
import { requireMethods, requireOneOf, toHex } from "@latchkey/mls";
import { checked } from "./errors.ts";

export type { Logger } from "pino";

/** Levels of the node's log, from no line at all to one line per request. */
export type LogLevel = "silent" | "error" | "warn" | "info" | "debug";

const requireLevel = requireOneOf<LogLevel>(["silent", "error", "warn", "info", "debug"]);

const requireDestination = requireMethods<DestinationStream>("write");

/** A logger that writes one JSON object per line, to standard error unless told otherwise. Throws ARGUMENT_INVALID. */
export function createLogger(level: LogLevel, destination: DestinationStream = process.stderr): Logger {
  checked(requireLevel, level, "level");
  checked(requireDestination, destination, "destination");
  return pino({ name: "latchkey-node", level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, destination);
}

/** The first 4 bytes of an id as hex: enough to follow it through a log, not enough to use it. */
export function shortId(id: Uint8Array): string {
  return `${toHex(id.subarray(0, 4))}…`;
}
