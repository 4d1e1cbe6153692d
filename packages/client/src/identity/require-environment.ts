import { check, requireMethods } from "@latchkey/mls";
import type { Transport } from "../transport/transport.ts";
import type { Environment } from "./environment.ts";

const ENVIRONMENT = {
  transport: requireMethods<Transport>("sendGroupMessages", "queryGroupMessages", "getIdentityUpdates", "close"),
  store: requireMethods<Environment["store"]>("transaction", "close"),
  crypto: requireMethods<Environment["crypto"]>("suite", "randomBytes"),
  slots: requireMethods<Environment["slots"]>("upload", "fetch", "exists"),
  clock: requireMethods<Environment["clock"]>("nowNs", "sleep", "timeout"),
} as const;

/** Checks the named parts of an environment; other fields of it are not looked at. */
export function requireParts<T extends object>(...parts: readonly (keyof typeof ENVIRONMENT)[]) {
  return check<T>(`an environment with ${parts.join(", ")}`, (value) => {
    if (typeof value !== "object" || value === null) return undefined;
    for (const part of parts) ENVIRONMENT[part]((value as Record<string, unknown>)[part], part);
    return value as T;
  });
}

export const requireEnvironment = requireParts<Environment>("transport", "store", "crypto", "slots", "clock");
