import {
  check,
  optional,
  requireFields,
  requireFunction,
  requireOneOf,
  requireSignal,
  requireText,
} from "@latchkey/mls";
import type { WebClientOptions } from "./options.ts";

/** A name of files, locks and databases of an origin. */
const requireName = check("a name of 1 to 64 letters, digits, `.`, `_` or `-`", (value) =>
  typeof value === "string" && /^[\w.-]{1,64}$/.test(value) ? value : undefined,
);

/** The options of `createWebClient`; throws ARGUMENT_INVALID. */
export const requireWebClientOptions = requireFields<WebClientOptions>({
  nodeUrl: requireText,
  worker: requireFunction<WebClientOptions["worker"]>(),
  name: optional(requireName),
  identity: optional(requireOneOf(["guest", "existing"])),
  inviteServiceUrl: optional(requireText),
  inviteBaseUrl: optional(requireText),
  onState: optional(requireFunction<NonNullable<WebClientOptions["onState"]>>()),
  signal: optional(requireSignal),
});
