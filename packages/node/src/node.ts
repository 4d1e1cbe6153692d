import { Code, ConnectError } from "@connectrpc/connect";
import { IdentityApi, MlsApi } from "@latchkey/xmtp/proto";
import { StampClock, SYSTEM_CLOCKS } from "./clock.ts";
import { listen, type HttpServer } from "./http/server.ts";
import { listenForMetrics, type MetricsServer } from "./http/metrics-server.ts";
import { reportError } from "./http/report.ts";
import { Overhead } from "./http/overhead.ts";
import { Router } from "./http/router.ts";
import { createRpcHandlers } from "./http/rpc.ts";
import { createSlotsHandler } from "./http/slots-api.ts";
import { NODE_LIMITS, type NodeLimits } from "./limits.ts";
import { createLogger } from "./logging.ts";
import { createMetrics } from "./metrics.ts";
import { requireNodeOptions, type NodeOptions } from "./options.ts";
import { readPageFiles } from "./page/page-files.ts";
import { createPageHandler, type PageHandler } from "./page/page-handler.ts";
import { createQuotas } from "./quotas.ts";
import { RateLimiter } from "./rate-limiter.ts";
import { budgetedWork } from "./work/work.ts";
import { createIdentityService } from "./services/identity-service.ts";
import { createMlsService } from "./services/mls-service.ts";
import type { NodeRuntime } from "./services/runtime.ts";
import { createSlotService } from "./services/slots/slot-service.ts";
import { sqliteStore } from "./storage/sqlite/store.ts";
import type { Store } from "./storage/storage.ts";

/** A running node. */
export interface DeliveryNode {
  /** `http://host:port`. */
  readonly url: string;
  readonly port: number;
  /** Where `/metrics` is. */
  readonly metricsUrl: string;
  /**
   * Stops: accepts nothing more, ends streams with UNAVAILABLE, lets running requests finish for `limits.stopMs`,
   * and closes the store. Idempotent.
   */
  close(): Promise<void>;
}

function monotonicMs(): number {
  return performance.now();
}

/**
 * Starts a delivery node: MlsApi and IdentityApi over gRPC, gRPC-web and Connect, invite slots, `/healthz` and
 * `/metrics`, all on one port.
 * @throws NodeError `ARGUMENT_INVALID`, `STORE_LOCKED`, `STORE_VERSION`, `STORE_FULL`, `STORE_FAILED`, and Node's error when the port is taken
 * @example
 * const node = await createNode({ dataDir: "./data", port: 5556 });
 * // … node.url …
 * await node.close();
 * @example
 * const node = await createNode({ store: ({ clock, maxBytes }) => openMyStore({ clock, maxBytes }) });
 */
export async function createNode(given: NodeOptions): Promise<DeliveryNode> {
  const options = requireNodeOptions(given);
  const limits: NodeLimits = { ...NODE_LIMITS, ...options.limits };
  const logger = options.logger ?? createLogger("silent");
  const { store, clock } = await openStore(options, limits);
  const nowNs = () => clock.nowNs();
  const clockOffsetNs = () => clock.offsetNs();
  const metrics = createMetrics();
  const proxied = options.trustForwardedFor ?? false;
  const quotas = createQuotas({ limits, metrics, proxied, monotonicMs });
  const work = budgetedWork(limits, metrics, monotonicMs);
  const runtime: NodeRuntime = { store, limits, metrics, quotas, work, logger, nowNs, clockOffsetNs };
  const stopping = new AbortController();
  const page = await openPage(options, store);
  const router = createRouter(runtime, options, stopping.signal, page);
  const overhead = proxied ? undefined : createOverhead(runtime);
  const host = options.host ?? "127.0.0.1";
  let metricsServer: MetricsServer | undefined;
  let server: HttpServer;
  try {
    if (options.metricsPort !== undefined) metricsServer = await listenForMetrics(options.metricsPort, metrics);
    server = await listen({
      host,
      port: options.port ?? 0,
      limits,
      connections: quotas.connections,
      overhead,
      peerOf: router.peerOf,
      handle: router.handle,
    });
  } catch (error) {
    overhead?.close();
    await metricsServer?.close();
    await store.close();
    throw error;
  }
  const { port } = server;
  const url = `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
  const timers = [startSweep(runtime), startInspections(runtime)];
  logger.info({ host, port }, "node started");

  async function stop(): Promise<void> {
    logger.info("node stops");
    timers.forEach(clearInterval);
    server.refuse();
    stopping.abort(new ConnectError("the node stops; connect again", Code.Unavailable));
    void router.idle().then(() => server.closeIdle());
    await server.closed(limits.stopMs);
    overhead?.close();
    await router.idle();
    await metricsServer?.close();
    await store.close();
    logger.info("node stopped");
  }

  let stopped: Promise<void> | undefined;
  return {
    url,
    port,
    metricsUrl: `${metricsServer?.url ?? url}/metrics`,
    close: () => (stopped ??= stop()),
  };
}

/** The store and the clock that it stamps by, which goes on behind the newest stamp in the store. */
async function openStore(
  options: NodeOptions,
  { databaseBytes: maxBytes }: NodeLimits,
): Promise<{ store: Store; clock: StampClock }> {
  const { clock: given, nowNs: wallNs } = options;
  const open = options.store ?? sqliteStore(options.dataDir);
  const clocks = given ?? (wallNs === undefined ? SYSTEM_CLOCKS : { ...SYSTEM_CLOCKS, wallNs });
  // Nothing is stamped before the store has told its newest stamp.
  let clock = new StampClock(clocks, 0n);
  const store = await open({ maxBytes, clock: () => clock.nowNs() });
  try {
    clock = new StampClock(clocks, await store.newestStampNs());
    return { store, clock };
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** The handler of the page, if there is one; its requests go to this node under whatever address it is reached. */
async function openPage({ pageDir, publicUrl }: NodeOptions, store: Store): Promise<PageHandler | undefined> {
  if (pageDir === undefined) return undefined;
  try {
    const connect = publicUrl === undefined ? [] : [new URL(publicUrl).origin];
    return createPageHandler(await readPageFiles(pageDir), { connect });
  } catch (error) {
    await store.close();
    throw error;
  }
}

function createRouter(
  runtime: NodeRuntime,
  options: NodeOptions,
  stopping: AbortSignal,
  page: PageHandler | undefined,
): Router {
  const { limits } = runtime;
  const limiter = (burst: number, perSecond: number): RateLimiter =>
    new RateLimiter({ burst, perSecond, maxKeys: limits.rateLimiterKeys, monotonicMs });
  const rpc = createRpcHandlers({
    runtime,
    stopping,
    limiter: limiter(limits.rpcBurst, limits.rpcPerSecond),
    routes: (router) => {
      router.service(MlsApi, createMlsService(runtime));
      router.service(IdentityApi, createIdentityService(runtime));
    },
  });
  const slotLimiters = {
    address: limiter(limits.slotAddressBurst, limits.slotAddressPerSecond),
    bytes: limiter(limits.slotBytesBurst, limits.slotBytesPerSecond),
  };
  const slots = createSlotsHandler(runtime, createSlotService(runtime, monotonicMs), slotLimiters);
  const trustForwardedFor = options.trustForwardedFor ?? false;
  const servesMetrics = options.metricsPort === undefined;
  const statement = { page: page !== undefined || (options.invitePage ?? false), publicUrl: options.publicUrl };
  return new Router({ runtime, rpc, slots, trustForwardedFor, servesMetrics, statement, page, stopping });
}

function createOverhead({ limits, metrics }: NodeRuntime): Overhead {
  const { overheadBurst: burst, overheadPerSecond: perSecond, rateLimiterKeys: maxKeys } = limits;
  const budgets = new RateLimiter({ burst, perSecond, maxKeys, monotonicMs });
  const { overheadEntriesPerSecond: entries } = limits;
  const few = new RateLimiter({ burst: entries, perSecond: entries, maxKeys, monotonicMs });
  return new Overhead({ budgets, entries: few, refused: () => metrics.rateLimited.inc({ scope: "overhead" }) });
}

/** Deletes expired blobs that nobody asks for; reading never shows them anyway. */
function startSweep({ store, metrics, logger, limits, nowNs }: NodeRuntime): NodeJS.Timeout {
  const timer = setInterval(() => {
    store.slots
      .sweep(nowNs(), nowNs() - BigInt(limits.slotCredentialMs) * 1_000_000n)
      .then((deleted) => metrics.slotBlobsExpired.inc(deleted))
      .catch((error: unknown) => logger.error({ err: error }, "expired blobs could not be deleted"));
  }, limits.sweepMs);
  return timer.unref();
}

function startInspections({ store, metrics, logger, limits }: NodeRuntime): NodeJS.Timeout {
  const timer = setInterval(() => {
    store.inspect().catch((error: unknown) => reportError({ metrics, logger }, "inspection", error));
  }, limits.inspectMs);
  return timer.unref();
}
