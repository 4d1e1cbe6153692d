import { fromBinary } from "@bufbuild/protobuf";
import { concatBytes, fromHex } from "@latchkey/mls";
import { EncryptedGroupInfoBlobSchema } from "@latchkey/xmtp/proto";
import type { ByteBudget, ByteLease } from "../byte-budget.ts";
import { invalidRequest, NodeError, requireAtMost } from "../errors.ts";
import { shortId } from "../logging.ts";
import { scanProtobuf } from "../price/protobuf-scan.ts";
import type { RateLimiter } from "../rate-limiter.ts";
import type { NodeRuntime } from "../services/runtime.ts";
import type { WaitingRoom } from "../waiting-room.ts";
import type { SlotBlob, SlotQuery } from "../storage/storage.ts";
import { readSlotWriter } from "./slot-writer.ts";
import { abortRequest, type HttpRequest, type HttpResponse } from "./exchange.ts";

/** Where the slots are; the id in hex follows. */
export const SLOTS_PATH = "/v1/slots/";

/** Header of answers with candidates: how many there are. */
export const CANDIDATES_HEADER = "x-latchkey-candidates";

/** Header of answers to GET: how many others have come for the slot lately and are not done. */
export const WAITING_HEADER = "x-latchkey-waiting";

const DIGEST_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** Fields of a blob, with those that later versions add: version 1 has 8. */
const MAX_BLOB_FIELDS = 64;

function hexParameter(what: string, text: string): Uint8Array {
  try {
    return fromHex(text);
  } catch {
    throw invalidRequest(`${what} must be an even number of hex digits`);
  }
}

/**
 * Reads what the service has to know of a blob; throws `REQUEST_INVALID` for anything but a blob of version 1, and
 * `BLOB_EXPIRED`.
 */
export function readBlob(bytes: Uint8Array, nowNs: bigint): SlotBlob {
  let version;
  scanProtobuf(EncryptedGroupInfoBlobSchema, bytes, MAX_BLOB_FIELDS);
  try {
    version = fromBinary(EncryptedGroupInfoBlobSchema, bytes).version;
  } catch {
    throw invalidRequest("the body is no EncryptedGroupInfoBlob");
  }
  if (version.case !== "v1") throw invalidRequest("the blob has no version this service knows");
  const { nonce, ciphertext, epoch, groupStateHash, expiresAtNs } = version.value;
  const digest = groupStateHash?.digest ?? new Uint8Array();
  if (nonce.length !== NONCE_BYTES) throw invalidRequest(`the nonce has ${nonce.length} bytes, not ${NONCE_BYTES}`);
  if (digest.length !== DIGEST_BYTES) {
    throw invalidRequest(`the group state hash has ${digest.length} bytes, not ${DIGEST_BYTES}`);
  }
  if (ciphertext.length < TAG_BYTES) throw invalidRequest("the ciphertext is shorter than its tag");
  if (expiresAtNs !== 0n && expiresAtNs <= nowNs) {
    throw new NodeError("BLOB_EXPIRED", "the blob has expired already; upload a fresh one");
  }
  return { epoch, digest, expiresAtNs, bytes };
}

/** `?epoch=E&digest=HEX`: both or none. */
function readMatch(parameters: URLSearchParams): SlotQuery["match"] {
  const [epoch, digest] = [parameters.get("epoch"), parameters.get("digest")];
  if (epoch === null && digest === null) return undefined;
  if (epoch === null || digest === null) throw invalidRequest("epoch and digest go together");
  if (!/^(0|[1-9]\d{0,19})$/.test(epoch) || BigInt(epoch) >= 1n << 64n) {
    throw invalidRequest("epoch must be an unsigned 64-bit number in decimal");
  }
  const bytes = hexParameter("digest", digest);
  if (bytes.length !== DIGEST_BYTES) throw invalidRequest(`digest must have ${DIGEST_BYTES} bytes`);
  return { epoch: BigInt(epoch), digest: bytes };
}

/** Whether the request says that it has these very blobs (RFC 9110 §13.1.2): its list of entity tags names theirs. */
function hasAlready(request: HttpRequest, etag: string): boolean {
  const asked = request.headers["if-none-match"];
  if (asked === undefined) return false;
  return asked.trim() === "*" || asked.split(",").some((tag) => tag.trim().replace(/^W\//, "") === etag);
}

async function readBody(request: HttpRequest, limit: number, lease: ByteLease): Promise<Uint8Array> {
  requireAtMost("the blob", Number(request.headers["content-length"] ?? 0), limit);
  const chunks: Uint8Array[] = [];
  let size = 0;
  // Not left by `for await`, which would destroy the request and its answer with it.
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>) {
    size += chunk.length;
    requireAtMost("the blob", size, limit);
    lease.add(chunk.length);
    chunks.push(chunk);
  }
  return concatBytes(...chunks);
}

function keyOf(slotId: Uint8Array): string {
  return Buffer.from(slotId).toString("hex");
}

function frames(blobs: readonly Uint8Array[]): Uint8Array[] {
  return blobs.flatMap((blob) => {
    const length = new Uint8Array(4);
    new DataView(length.buffer).setUint32(0, blob.length);
    return [length, blob];
  });
}

/** Answers one request to a slot; its errors are told by the caller. */
export type SlotsHandler = (request: HttpRequest, response: HttpResponse, url: URL, peer: string) => Promise<void>;

/** The invite slots of XIP-82 over HTTP, as `docs/invite-slots.md` specifies them. */
export function createSlotsHandler(
  runtime: NodeRuntime,
  limiters: { readonly address: RateLimiter; readonly slot: RateLimiter },
  budget: ByteBudget,
  room: WaitingRoom,
): SlotsHandler {
  const { store, limits, metrics, logger, nowNs } = runtime;

  function limit(scope: "slot_address" | "slot_uploads", limiter: RateLimiter, key: string): void {
    const retryAfterMs = limiter.take(key);
    if (retryAfterMs === 0) return;
    metrics.rateLimited.inc({ scope });
    const whose = scope === "slot_address" ? "this address sends" : "this slot gets";
    throw new NodeError("RATE_LIMITED", `${whose} more requests than the service allows; wait`, {
      retryable: true,
      retryAfterMs,
    });
  }

  function readSlotId(url: URL): Uint8Array {
    const id = hexParameter("the slot's id", url.pathname.slice(SLOTS_PATH.length));
    if (id.length < limits.slotIdMinBytes || id.length > limits.slotIdMaxBytes) {
      throw invalidRequest(
        `the slot's id has ${id.length} bytes, not ${limits.slotIdMinBytes} to ${limits.slotIdMaxBytes}`,
      );
    }
    return id;
  }

  /** How many others are about to join; who says that it begins to is counted for those who come later. */
  function waitingHeader({ slotId }: SlotQuery, request: HttpRequest, joining: boolean): Record<string, string> {
    if (request.method !== "GET") return {};
    const key = keyOf(slotId);
    const waiting = room.waiting(key);
    if (joining) room.arrive(key);
    return { [WAITING_HEADER]: String(waiting) };
  }

  function forbidden(): NodeError {
    metrics.slotUploads.inc({ outcome: "forbidden" });
    return new NodeError("SLOT_FORBIDDEN", "uploads to this slot need its credential, which the invite's key gives");
  }

  async function put(slotId: Uint8Array, request: HttpRequest, response: HttpResponse): Promise<void> {
    const writer = readSlotWriter(request.headers);
    // Before the body is read and counted, so that whoever has no key can neither fill the slot nor use up its rate.
    if (!(await store.slots.admits(slotId, writer))) throw forbidden();
    const lease = budget.lease();
    response.once("close", lease.release);
    const body = await readBody(request, limits.slotBlobBytes, lease);
    const now = nowNs();
    const blob = readBlob(body, now);
    limit("slot_uploads", limiters.slot, keyOf(slotId));
    const bounds = {
      blobsPerSlot: limits.slotBlobs,
      slotsTotal: limits.slotsTotal,
      bytesTotal: limits.slotBytesTotal,
    };
    const outcome = await store.slots.put(slotId, blob, bounds, now, writer);
    if (outcome === "forbidden") throw forbidden();
    // Whoever has joined leaves a fresh blob.
    if (outcome === "stored") room.depart(keyOf(slotId));
    metrics.slotUploads.inc({ outcome });
    logger.debug({ slot: shortId(slotId), outcome, bytes: blob.bytes.length }, "blob uploaded");
    response.writeHead(outcome === "stored" ? 201 : 200, { "content-length": "0" });
    response.end();
  }

  async function get(query: SlotQuery, request: HttpRequest, response: HttpResponse, joining: boolean): Promise<void> {
    const { blobs, bytes, tag } = await store.slots.measure(query);
    if (blobs === 0) {
      metrics.slotFetches.inc({ outcome: "missing" });
      throw new NodeError("NOT_FOUND", "the slot holds no such blob");
    }
    const validators = { "cache-control": "no-store", etag: `"${tag}"`, ...waitingHeader(query, request, joining) };
    if (hasAlready(request, `"${tag}"`)) {
      metrics.slotFetches.inc({ outcome: "unchanged" });
      response.writeHead(304, validators);
      response.end();
      return;
    }
    metrics.slotFetches.inc({ outcome: "found" });
    const headers = {
      ...validators,
      "content-type": "application/octet-stream",
      "content-length": String(bytes + 4 * blobs),
      [CANDIDATES_HEADER]: String(blobs),
    };
    if (request.method === "HEAD") {
      response.writeHead(200, headers);
      response.end();
      return;
    }
    const lease = budget.lease();
    response.once("close", lease.release);
    lease.add(bytes);
    const { blobs: candidates, tag: listed } = await store.slots.list(query);
    const slow = setTimeout(abortRequest, limits.slotAnswerMs, request);
    response.once("close", () => clearTimeout(slow));
    headers.etag = `"${listed}"`;
    headers[CANDIDATES_HEADER] = String(candidates.length);
    headers["content-length"] = String(candidates.reduce((sum, blob) => sum + blob.length + 4, 0));
    response.writeHead(200, headers);
    for (const part of frames(candidates)) response.write(part);
    response.end();
  }

  return async (request, response, url, peer) => {
    limit("slot_address", limiters.address, peer);
    const slotId = readSlotId(url);
    switch (request.method) {
      case "PUT":
        return put(slotId, request, response);
      case "GET":
      case "HEAD":
        return get(
          { slotId, match: readMatch(url.searchParams), nowNs: nowNs() },
          request,
          response,
          url.searchParams.has("joining"),
        );
      default:
        throw new NodeError("METHOD_NOT_ALLOWED", "slots understand GET, HEAD and PUT");
    }
  };
}
