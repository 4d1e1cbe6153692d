import { create, toBinary } from "@bufbuild/protobuf";
import { createRouterTransport, type Interceptor, type Transport } from "@connectrpc/connect";
import { toHex, utf8 } from "@latchkey/mls";
import { GroupMessage_V1Schema, IdentityApi, MlsApi } from "@latchkey/xmtp/proto";
import { toConnectError } from "./http/error-codes.ts";
import { readBlob } from "./http/slots-api.ts";
import { NODE_LIMITS, slotBounds } from "./limits.ts";
import { createLogger } from "./logging.ts";
import { createMetrics } from "./metrics.ts";
import { createQuotas } from "./quotas.ts";
import { createIdentityService } from "./services/identity-service.ts";
import { createMlsService } from "./services/mls-service.ts";
import { envelopeDigest, type NodeRuntime } from "./services/runtime.ts";
import type { SlotWriter } from "./storage/storage.ts";
import { openSqliteStore } from "./storage/sqlite/store.ts";
import { inlineWork } from "./work/work.ts";
import { WaitingRoom } from "./waiting-room.ts";

/** What a look-up of a slot gives. */
export interface SlotAnswer {
  /** Newest last. */
  readonly blobs: readonly Uint8Array[];
  /** What HTTP gives as `ETag`. */
  readonly tag: string;
  /** How many others came to join lately. */
  readonly waiting: number;
}

/** The invite slots without their HTTP: `packages/node/src/http/slots-api.ts` adds addresses, limits and statuses. */
export interface InProcessSlots {
  /** False when the writer may not; throws NodeError `REQUEST_INVALID`, `BLOB_EXPIRED`, `SLOTS_FULL`. */
  put(slotId: Uint8Array, blob: Uint8Array, writer: SlotWriter): Promise<boolean>;
  /** `joining` says that this is the beginning of a join, which is counted for those who come later. */
  list(slotId: Uint8Array, joining: boolean): Promise<SlotAnswer>;
  has(slotId: Uint8Array, epoch: bigint, digest: Uint8Array): Promise<boolean>;
}

/** A node's services on its real storage, without sockets, rate limits and timers. */
export interface InProcessNode {
  /** MlsApi and IdentityApi; every call is encoded and decoded as over the network. */
  readonly rpc: Transport;
  readonly slots: InProcessSlots;
  /** Puts bytes into a group's log as no client could, and again if they are there: what a hostile operator can do. */
  inject(groupId: Uint8Array, data: Uint8Array): Promise<void>;
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
  const bounds = slotBounds(limits);
  const monotonicMs = () => Number(nowNs() / 1_000_000n);
  const { slotWaitingHalfLifeMs: halfLifeMs, rateLimiterKeys: maxKeys } = limits;
  const room = new WaitingRoom({ halfLifeMs, maxKeys, monotonicMs });
  return {
    async put(slotId, blob, writer) {
      const outcome = await store.slots.put(slotId, readBlob(blob, nowNs()), bounds, nowNs(), writer);
      if (outcome === "stored") room.depart(toHex(slotId));
      return outcome !== "forbidden";
    },
    async list(slotId, joining) {
      const waiting = room.waiting(toHex(slotId));
      if (joining) room.arrive(toHex(slotId));
      const { blobs, tag } = await store.slots.measure({ slotId, nowNs: nowNs() });
      const bytes = await Promise.all(blobs.map(({ id }) => store.slots.blob(id)));
      return { blobs: bytes.filter((blob) => blob !== undefined), tag, waiting };
    },
    async has(slotId, epoch, digest) {
      const { blobs } = await store.slots.measure({ slotId, match: { epoch, digest }, nowNs: nowNs() });
      return blobs.length > 0;
    },
  };
}

/** Opens a node for a simulation: whoever calls decides when each request arrives. Throws as `createNode` does. */
export function openInProcess(options: { readonly dataDir: string; readonly nowNs: () => bigint }): InProcessNode {
  const { dataDir, nowNs } = options;
  const limits = NODE_LIMITS;
  const store = openSqliteStore({ dataDir, maxBytes: limits.databaseBytes, clock: nowNs });
  const metrics = createMetrics();
  const quotas = createQuotas({ limits, metrics, proxied: false, monotonicMs: () => performance.now() });
  const runtime: NodeRuntime = {
    store,
    limits,
    metrics,
    quotas,
    work: inlineWork(),
    logger: createLogger("silent"),
    nowNs,
  };
  const rpc = createRouterTransport(
    (router) => {
      router.service(MlsApi, createMlsService(runtime));
      router.service(IdentityApi, createIdentityService(runtime));
    },
    { router: { interceptors: [translateErrors] } },
  );
  let injected = 0;
  return {
    rpc,
    slots: slotsOf(runtime),
    async inject(groupId, data) {
      const payload = toBinary(GroupMessage_V1Schema, create(GroupMessage_V1Schema, { data }));
      const digest = envelopeDigest(groupId, utf8(`injected at ${nowNs()} as ${++injected}`));
      await store.groupMessages.append([{ topic: groupId, payload, digest }]);
    },
    close: () => store.close(),
  };
}
