import {
  argumentInvalid,
  check,
  optional,
  requireFields,
  requireFlag,
  requireFunction,
  requireMethods,
  requireWholeNumber,
  type Check,
} from "@latchkey/mls";
import type { Clocks } from "./clock.ts";
import { checked } from "./errors.ts";
import { NODE_LIMITS, type NodeLimits } from "./limits.ts";
import type { Logger } from "./logging.ts";
import type { StoreFactory } from "./storage/storage.ts";

/** Where a node keeps its data. */
export type NodeStore =
  | {
      /** Directory of the SQLite database; created when missing. One node at a time. */
      readonly dataDir: string;
      readonly store?: undefined;
    }
  | {
      /** Opens a store of another kind, which passes `describeStore` of `@latchkey/node/testing`. */
      readonly store: StoreFactory;
      readonly dataDir?: undefined;
    };

/** How a node is started. */
export type NodeOptions = NodeSettings & NodeStore;

/** How a node behaves, wherever its data is. */
export interface NodeSettings {
  /** TCP port, 0 (the default) for any free one. */
  readonly port?: number;
  /** Address to listen on, `127.0.0.1` by default. The port is cleartext: see `docs/operator.md` before changing it. */
  readonly host?: string;
  /** TCP port of `/metrics`, on 127.0.0.1 and apart from everything else; by default it is served on `port`. */
  readonly metricsPort?: number;
  /** Silent by default. */
  readonly logger?: Logger;
  /** Bounds that differ from `NODE_LIMITS`. */
  readonly limits?: Partial<NodeLimits>;
  /** True when a proxy in front adds the client's address to `X-Forwarded-For`; rate limits then count by that. */
  readonly trustForwardedFor?: boolean;
  /** Address under which others reach the node, as `/.well-known/latchkey` states it. */
  readonly publicUrl?: string;
  /** Whether a proxy serves the page that opens invites at `/i` of the same origin; false by default. */
  readonly invitePage?: boolean;
  /** Folder of a built page, `@latchkey/page`, which this node serves itself; see `docs/operator.md`. */
  readonly pageDir?: string;
  /** The machine's clocks; the system's by default. */
  readonly clock?: Clocks;
  /** Wall clock in nanoseconds since 1970, beside the system's monotonic clock; `clock` goes before it. */
  readonly nowNs?: () => bigint;
}

/** Longest timer, in milliseconds: a longer one would fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** As systems have it. */
export const MAX_PATH_CHARACTERS = 4_096;

/** Of a name in the DNS. */
const MAX_HOST_CHARACTERS = 253;

/** Limits in milliseconds that no timer waits for. */
const DATES: ReadonlySet<string> = new Set<keyof NodeLimits>(["slotBlobMs", "slotCredentialMs"]);

/** What a name of the file system or of a network is: a text that the system takes. */
export function requireName(expected: string, max: number): Check<string> {
  return check(`${expected}, of at most ${max} characters`, (value) => {
    if (typeof value !== "string" || value === "" || value.length > max) return undefined;
    return value.isWellFormed() && !value.includes("\0") ? value : undefined;
  });
}

const requirePort = requireWholeNumber(0, 65_535);

const requirePublicUrl = check("an http or https address without credentials, query and fragment", (value) => {
  const url = typeof value === "string" ? URL.parse(value) : undefined;
  if (typeof value !== "string" || !url || !/^https?:$/.test(url.protocol)) return undefined;
  return `${url.username}${url.password}${url.search}${url.hash}` === "" ? value : undefined;
});

/** Rates may be less than one a second; everything else is counted. */
function limitCheck(name: string): Check<number> {
  if (name.endsWith("PerSecond")) {
    return check("a number above 0", (value) =>
      typeof value === "number" && Number.isFinite(value) && value > 0 ? value : undefined,
    );
  }
  if (name.endsWith("Ms") && !DATES.has(name)) return requireWholeNumber(1, MAX_TIMER_MS);
  return requireWholeNumber(0, Number.MAX_SAFE_INTEGER);
}

const requireLimits = check<Partial<NodeLimits>>("an object with names of `NODE_LIMITS`", (value, name) => {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const given = Object.entries(value).filter(([, limit]) => limit !== undefined);
  if (Reflect.ownKeys(value).some((key) => typeof key !== "string" || !Object.hasOwn(NODE_LIMITS, key)))
    return undefined;
  return Object.fromEntries(given.map(([key, limit]) => [key, limitCheck(key)(limit, `${name}.${key}`)]));
});

/** Both ways of telling where the data is, before one of them is chosen. */
interface GivenStore {
  readonly dataDir?: string;
  readonly store?: StoreFactory;
}

const requireOptions = requireFields<NodeSettings & GivenStore>({
  dataDir: optional(requireName("the path of a directory", MAX_PATH_CHARACTERS)),
  store: optional(requireFunction<StoreFactory>()),
  port: optional(requirePort),
  host: optional(requireName("an address of this machine", MAX_HOST_CHARACTERS)),
  metricsPort: optional(requirePort),
  logger: optional(requireMethods<Logger>("debug", "info", "warn", "error")),
  limits: optional(requireLimits),
  trustForwardedFor: optional(requireFlag),
  publicUrl: optional(requirePublicUrl),
  invitePage: optional(requireFlag),
  pageDir: optional(requireName("the path of a directory", MAX_PATH_CHARACTERS)),
  clock: optional(requireMethods<Clocks>("wallNs", "monotonicNs")),
  nowNs: optional(requireFunction<() => bigint>()),
});

const requireOneStore: Check<NodeOptions> = (value, name) => {
  const { dataDir, store, ...settings } = requireOptions(value, name);
  if (dataDir !== undefined && store === undefined) return { ...settings, dataDir };
  if (dataDir === undefined && store !== undefined) return { ...settings, store };
  throw argumentInvalid("dataDir", "given, or `store`, and not both");
};

/** The options of `createNode`, copied; throws ARGUMENT_INVALID. */
export function requireNodeOptions(options: unknown): NodeOptions {
  return checked(requireOneStore, options, "options");
}
