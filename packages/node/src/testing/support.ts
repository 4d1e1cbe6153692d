import type { EventEmitter } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { createClient, type Client, type Transport } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
  Http2SessionManager,
} from "@connectrpc/connect-node";
import { Reader, utf8, Writer } from "@latchkey/mls";
import {
  EncryptedGroupInfoBlobSchema,
  EncryptedGroupInfoBlobV1Schema,
  GroupStateHashSchema,
  IdentityApi,
  MlsApi,
  type EncryptedGroupInfoBlobV1,
  type GroupMessage,
} from "@latchkey/xmtp/proto";
import { NODE_LIMITS } from "../limits.ts";
import { createLogger } from "../logging.ts";
import { createMetrics } from "../metrics.ts";
import { createNode, type DeliveryNode } from "../node.ts";
import type { NodeSettings } from "../options.ts";
import { createQuotas } from "../quotas.ts";
import type { NodeRuntime } from "../services/runtime.ts";
import type { Store } from "../storage/storage.ts";
import { inlineWork } from "../work/work.ts";

const cleanups = new WeakMap<TestContext, (() => unknown)[]>();

/** Runs after the test, in reverse order: what was opened last is closed first. */
export function cleanUp(t: TestContext, step: () => unknown): void {
  const known = cleanups.get(t);
  if (known !== undefined) {
    known.push(step);
    return;
  }
  const steps = [step];
  cleanups.set(t, steps);
  t.after(async () => {
    for (const last of steps.reverse()) await last();
  });
}

/** A directory that is removed after the test. */
export function temporaryDirectory(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "latchkey-node-"));
  cleanUp(t, () => rmSync(directory, { recursive: true }));
  return directory;
}

/** A node on a free port, closed after the test. */
export async function startNode(
  t: TestContext,
  { dataDir = temporaryDirectory(t), ...settings }: NodeSettings & { readonly dataDir?: string } = {},
): Promise<DeliveryNode> {
  const node = await createNode({ dataDir, ...settings });
  cleanUp(t, () => node.close());
  return node;
}

/** What the services of a node share, around a store of the test's own. */
export function runtimeOf(store: Store, nowNs: () => bigint): NodeRuntime {
  const metrics = createMetrics();
  const quotas = createQuotas({ limits: NODE_LIMITS, metrics, proxied: false, monotonicMs: () => 0 });
  return { store, limits: NODE_LIMITS, metrics, quotas, work: inlineWork(), logger: createLogger("silent"), nowNs };
}

/** Both services over one protocol. */
export interface Clients {
  readonly mls: Client<typeof MlsApi>;
  readonly identity: Client<typeof IdentityApi>;
}

export const PROTOCOLS = ["grpc", "grpc-web", "connect"] as const;

/** Clients over gRPC on HTTP/2, or over gRPC-web or Connect on HTTP/1.1. */
export function connect(t: TestContext, url: string, protocol: (typeof PROTOCOLS)[number] = "grpc"): Clients {
  let transport: Transport;
  if (protocol === "grpc") {
    // Node's client resets a stream whose answer comes while it holds more bytes to send than this, in megabytes.
    const sessionManager = new Http2SessionManager(url, undefined, { maxSessionMemory: 64 });
    cleanUp(t, () => sessionManager.abort());
    transport = createGrpcTransport({ baseUrl: url, sessionManager });
  } else if (protocol === "grpc-web") {
    transport = createGrpcWebTransport({ baseUrl: url, httpVersion: "1.1" });
  } else {
    transport = createConnectTransport({ baseUrl: url, httpVersion: "1.1" });
  }
  return { mls: createClient(MlsApi, transport), identity: createClient(IdentityApi, transport) };
}

const CONTENT_TYPE = { application: 1, proposal: 2, commit: 3 } as const;

/** The header of an MLS PrivateMessage with some bytes behind it: all that a node reads. */
export function mlsMessage(groupId: Uint8Array, text: string, content: keyof typeof CONTENT_TYPE = "application") {
  const writer = new Writer();
  writer.u16(1);
  writer.u16(2);
  writer.opaque(groupId);
  writer.u64(0n);
  writer.u8(CONTENT_TYPE[content]);
  writer.opaque(utf8(text));
  return writer.finish();
}

/** A GroupMessageInput around `mlsMessage`. */
export function groupMessage(...message: Parameters<typeof mlsMessage>) {
  return { version: { case: "v1" as const, value: { data: mlsMessage(...message) } } };
}

/** The fields of a GroupMessage; throws when it has none. */
export function fieldsOf(message: GroupMessage | undefined) {
  if (message?.version.case !== "v1") throw new Error("the message has no version");
  return message.version.value;
}

/** The text given to `mlsMessage`. */
export function textOf(message: GroupMessage): string {
  const reader = new Reader(fieldsOf(message).data);
  reader.u32();
  reader.opaque();
  reader.u64();
  reader.u8();
  return Buffer.from(reader.opaque()).toString();
}

/** A well-formed blob with some bytes for a ciphertext. */
export function slotBlob(text: string, fields: Partial<Omit<EncryptedGroupInfoBlobV1, "$typeName">> = {}) {
  const value = create(EncryptedGroupInfoBlobV1Schema, {
    nonce: new Uint8Array(12),
    ciphertext: utf8(text.padEnd(16)),
    epoch: 7n,
    groupStateHash: create(GroupStateHashSchema, { digest: new Uint8Array(32).fill(9) }),
    ...fields,
  });
  return toBinary(
    EncryptedGroupInfoBlobSchema,
    create(EncryptedGroupInfoBlobSchema, { version: { case: "v1", value } }),
  );
}

/** The next `count` messages of a stream, which stays open. */
export async function take<T>(stream: AsyncIterator<T>, count: number): Promise<T[]> {
  const messages: T[] = [];
  while (messages.length < count) {
    const next = await stream.next();
    if (next.done === true) throw new Error(`the stream ended after ${messages.length} of ${count} messages`);
    messages.push(next.value);
  }
  return messages;
}

/** Resolves when a connection or request is closed, with or without an error. */
export function closed(emitter: EventEmitter): Promise<void> {
  emitter.on("error", () => undefined);
  return new Promise((resolve) => emitter.once("close", resolve));
}
