import { create, toBinary } from "@bufbuild/protobuf";
import { createRouterTransport, type Interceptor, type Transport } from "@connectrpc/connect";
import { utf8 } from "@latchkey/mls";
import { GroupMessage_V1Schema, IdentityApi, MlsApi } from "@latchkey/xmtp/proto";
import { toConnectError } from "./http/error-codes.ts";
import { NodeError } from "./errors.ts";
import { NODE_LIMITS } from "./limits.ts";
import { createLogger } from "./logging.ts";
import { createMetrics } from "./metrics.ts";
import { createQuotas } from "./quotas.ts";
import { createIdentityService } from "./services/identity-service.ts";
import { createMlsService } from "./services/mls-service.ts";
import { envelopeDigest, type NodeRuntime } from "./services/runtime.ts";
import { createSlotService } from "./services/slots/slot-service.ts";
import type { SlotPutOutcome, SlotQuery, SlotWriter } from "./storage/storage.ts";
import { openSqliteStore } from "./storage/sqlite/store.ts";
import { inlineWork } from "./work/work.ts";

/** What a look-up of a slot gives. */
export interface SlotAnswer {
  /** Newest last. */
  readonly blobs: readonly Uint8Array[];
  /** What HTTP gives as `ETag`. */
  readonly tag: string;
  /** How many others came to join lately. */
  readonly waiting: number;
}

/** The node's slot service without HTTP, its statuses and the rates of addresses. */
export interface InProcessSlots {
  /** `forbidden` when the writer may not; otherwise throws as `SlotService.upload` does. */
  put(slotId: Uint8Array, blob: Uint8Array, writer: SlotWriter): Promise<SlotPutOutcome>;
  /** `joining` says that this is the beginning of a join, which is counted for those who come later. */
  list(slotId: Uint8Array, joining: boolean, match?: SlotQuery["match"]): Promise<SlotAnswer>;
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

function slotsOf(runtime: NodeRuntime): InProcessSlots {
  const service = createSlotService(runtime, () => Number(runtime.nowNs() / 1_000_000n));
  return {
    async put(slotId, blob, writer) {
      try {
        return (await service.upload(slotId, writer, () => Promise.resolve(blob))).outcome;
      } catch (error) {
        if (error instanceof NodeError && error.code === "SLOT_FORBIDDEN") return "forbidden";
        throw error;
      }
    },
    async list(slotId, joining, match) {
      const found = await service.find(slotId, match);
      if (found.outcome === "missing") return { blobs: [], tag: "", waiting: 0 };
      const { blobs, tag } = found.page;
      const waiting = service.waiting(slotId, joining);
      const bytes = await Promise.all(blobs.map(({ id }) => service.blob(id)));
      return { blobs: bytes.filter((blob) => blob !== undefined), tag, waiting };
    },
    async has(slotId, epoch, digest) {
      const { outcome } = await service.find(slotId, { epoch, digest });
      return outcome !== "missing";
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
