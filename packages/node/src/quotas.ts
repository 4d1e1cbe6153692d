import type { NodeLimits } from "./limits.ts";
import type { Metrics } from "./metrics.ts";
import { Quota } from "./quota.ts";
import { RateLimiter } from "./rate-limiter.ts";

/** What the clients of one node share. */
export interface Quotas {
  readonly connections: Quota;
  /** Requests that are running, streams included. */
  readonly requests: Quota;
  /** Bytes of request bodies. */
  readonly received: Quota;
  /** Bytes of answers. */
  readonly answers: Quota;
  readonly streams: Quota;
  /** Filters of all streams. */
  readonly filters: Quota;
}

/** What the quotas need beside the limits. */
export interface QuotasOptions {
  readonly limits: NodeLimits;
  readonly metrics: Metrics;
  /** True behind a proxy: all connections have its address. */
  readonly proxied: boolean;
  readonly monotonicMs: () => number;
}

/** The quotas of one node, shown as `latchkey_node_held`. */
export function createQuotas({ limits, metrics, proxied, monotonicMs }: QuotasOptions): Quotas {
  const base = (scope: string, what: string) => ({
    what,
    monotonicMs,
    reclaimMs: limits.stalledMs,
    refused: () => metrics.rateLimited.inc({ scope }),
  });
  const { transferBurst: burst, transferPerSecond: perSecond, rateLimiterKeys: maxKeys } = limits;
  const bodies = {
    total: limits.bodyBytesInFlight,
    perAddress: limits.bodyBytesPerAddress,
    small: limits.smallBodyBytes,
    rate: new RateLimiter({ burst, perSecond, maxKeys, monotonicMs }),
  };
  const quotas: Quotas = {
    connections: new Quota({
      ...base("connections", "connections"),
      total: limits.connections,
      perAddress: proxied ? limits.connections : limits.connectionsPerAddress,
      reclaimMs: limits.restingMs,
    }),
    requests: new Quota({
      ...base("requests", "requests"),
      total: limits.requests,
      perAddress: limits.requestsPerAddress,
    }),
    received: new Quota({ ...base("request_bytes", "bytes of requests"), ...bodies }),
    answers: new Quota({ ...base("answer_bytes", "bytes of answers"), ...bodies }),
    streams: new Quota({
      ...base("streams", "streams"),
      total: limits.requests,
      perAddress: limits.streamsPerAddress,
    }),
    filters: new Quota({
      ...base("filters", "filters of streams"),
      total: limits.filters,
      perAddress: limits.filtersPerAddress,
    }),
  };
  metrics.observeHeld(() => Object.entries(quotas).map(([name, quota]: [string, Quota]) => [name, quota.held]));
  return quotas;
}
