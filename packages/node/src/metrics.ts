import { Counter, Gauge, Histogram, Registry } from "prom-client";

/** The metrics of one node, on a registry of their own. `docs/operator.md` describes each. */
export type Metrics = ReturnType<typeof createMetrics>;

/** Creates all metrics of a node, at zero. */
export function createMetrics() {
  const registry = new Registry();
  const registers = [registry];
  let heldNow: () => readonly (readonly [name: string, held: number])[] = () => [];
  new Gauge({
    name: "latchkey_node_held",
    help: "What clients hold of each quota: connections, requests, bytes received and answered, streams, filters.",
    labelNames: ["quota"],
    registers,
    collect() {
      for (const [quota, held] of heldNow()) this.set({ quota }, held);
    },
  });
  return {
    registry,
    /** Sets where the gauge of the quotas reads. */
    observeHeld: (read: typeof heldNow) => void (heldNow = read),
    requests: new Counter({
      name: "latchkey_node_requests_total",
      help: "Requests by method and result code.",
      labelNames: ["method", "code"],
      registers,
    }),
    requestSeconds: new Histogram({
      name: "latchkey_node_request_duration_seconds",
      help: "Time from the request's headers to the end of the answer; streams are not counted.",
      labelNames: ["method"],
      buckets: [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10],
      registers,
    }),
    envelopes: new Counter({
      name: "latchkey_node_envelopes_stored_total",
      help: "Envelopes stored, duplicates not counted.",
      labelNames: ["log"],
      registers,
    }),
    envelopeBytes: new Counter({
      name: "latchkey_node_envelope_bytes_stored_total",
      help: "Bytes of the envelopes stored.",
      labelNames: ["log"],
      registers,
    }),
    duplicates: new Counter({
      name: "latchkey_node_duplicates_total",
      help: "Envelopes dropped because they were stored already.",
      labelNames: ["log"],
      registers,
    }),
    slotUploads: new Counter({
      name: "latchkey_node_slot_uploads_total",
      help: "Uploads to invite slots by outcome (stored, present).",
      labelNames: ["outcome"],
      registers,
    }),
    slotFetches: new Counter({
      name: "latchkey_node_slot_fetches_total",
      help: "Look-ups and existence queries of invite slots by outcome (found, missing).",
      labelNames: ["outcome"],
      registers,
    }),
    slotBlobsExpired: new Counter({
      name: "latchkey_node_slot_blobs_expired_total",
      help: "Blobs deleted by the sweep because they had expired.",
      registers,
    }),
    streamsOpen: new Gauge({
      name: "latchkey_node_streams_open",
      help: "Open subscriptions.",
      labelNames: ["log"],
      registers,
    }),
    rateLimited: new Counter({
      name: "latchkey_node_rate_limited_total",
      help: "Requests refused by a rate limit or a concurrency limit.",
      labelNames: ["scope"],
      registers,
    }),
    workSeconds: new Counter({
      name: "latchkey_node_verification_seconds_total",
      help: "Time that the verification of identity updates and key packages took.",
      registers,
    }),
    storageErrors: new Counter({
      name: "latchkey_node_storage_errors_total",
      help: "Requests that failed because of the store.",
      labelNames: ["code"],
      registers,
    }),
  };
}
