import { createRouterTransport, type Interceptor, type Transport } from "@connectrpc/connect";
import { IdentityApi, MlsApi } from "@latchkey/xmtp/proto";
import { toConnectError } from "./http/error-codes.ts";
import { readBlob } from "./http/slots-api.ts";
import { NODE_LIMITS } from "./limits.ts";
import { createLogger } from "./logging.ts";
import { createMetrics } from "./metrics.ts";
import { createIdentityService } from "./services/identity-service.ts";
import { createMlsService } from "./services/mls-service.ts";
import type { NodeRuntime } from "./services/runtime.ts";
import { openSqliteStore } from "./storage/sqlite/store.ts";
import type { Store } from "./storage/storage.ts";

/** The invite slots without their HTTP: `packages/node/src/http/slots-api.ts` adds addresses, limits and statuses. */
export interface InProcessSlots {
  /** Throws NodeError `REQUEST_INVALID`, `BLOB_EXPIRED`, `SLOTS_FULL`. */
  put(slotId: Uint8Array, blob: Uint8Array): Promise<void>;
  /** Newest last, with the tag that HTTP gives as `ETag`. */
  list(slotId: Uint8Array): Promise<{ readonly blobs: readonly Uint8Array[]; readonly tag: string }>;
  has(slotId: Uint8Array, epoch: bigint, digest: Uint8Array): Promise<boolean>;
}

/** A node's services on its real storage, without sockets, rate limits and timers. */
export interface InProcessNode {
  /** MlsApi and IdentityApi; every call is encoded and decoded as over the network. */
  readonly rpc: Transport;
  readonly slots: InProcessSlots;
  readonly store: Store;
  close(): Promise<void>;
}

const translateErrors: Interceptor = (next) => async (request) => {
  try {
    return await next(request);
  } catch (error) {
    throw toConnectError(error);
  }
};

function slotsOf({ store, limits, nowNs }: NodeRuntime): InProcessSlots {
  const bounds = { blobsPerSlot: limits.slotBlobs, slotsTotal: limits.slotsTotal, bytesTotal: limits.slotBytesTotal };
  return {
    async put(slotId, blob) {
      await store.slots.put(slotId, readBlob(blob, nowNs()), bounds, nowNs());
    },
    list: (slotId) => store.slots.list({ slotId, nowNs: nowNs() }),
    async has(slotId, epoch, digest) {
      const { blobs } = await store.slots.measure({ slotId, match: { epoch, digest }, nowNs: nowNs() });
      return blobs > 0;
    },
  };
}

/** Opens a node for a simulation: whoever calls decides when each request arrives. Throws as `createNode` does. */
export function openInProcess(options: { readonly dataDir: string; readonly nowNs: () => bigint }): InProcessNode {
  const { dataDir, nowNs } = options;
  const limits = NODE_LIMITS;
  const store = openSqliteStore({ dataDir, maxBytes: limits.databaseBytes, clock: nowNs });
  const runtime: NodeRuntime = { store, limits, metrics: createMetrics(), logger: createLogger("silent"), nowNs };
  const rpc = createRouterTransport(
    (router) => {
      router.service(MlsApi, createMlsService(runtime));
      router.service(IdentityApi, createIdentityService(runtime));
    },
    { router: { interceptors: [translateErrors] } },
  );
  return { rpc, slots: slotsOf(runtime), store, close: () => store.close() };
}
