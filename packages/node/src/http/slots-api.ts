import { fromBinary } from "@bufbuild/protobuf";
import { concatBytes, fromHex } from "@latchkey/mls";
import { EncryptedGroupInfoBlobSchema } from "@latchkey/xmtp/proto";
import { invalidRequest, NodeError, requireAtMost } from "../errors.ts";
import { slotBounds } from "../limits.ts";
import { shortId } from "../logging.ts";
import { scanProtobuf } from "../price/protobuf-scan.ts";
import type { Lease } from "../quota.ts";
import type { RateLimiter } from "../rate-limiter.ts";
import type { NodeRuntime } from "../services/runtime.ts";
import type { WaitingRoom } from "../waiting-room.ts";
import { servedUntilNs, type SlotBlob, type SlotPage, type SlotQuery } from "../storage/storage.ts";
import { readSlotWriter } from "./slot-writer.ts";
import { abortRequest, boundTime, written, type Caller, type HttpRequest, type HttpResponse } from "./exchange.ts";

/** Where the slots are; the id in hex follows. */
export const SLOTS_PATH = "/v1/slots/";

/** Header of answers with candidates: how many there are. */
export const CANDIDATES_HEADER = "x-latchkey-candidates";

/** Header of answers to GET: how many others have come for the slot lately and are not done. */
export const WAITING_HEADER = "x-latchkey-waiting";

/** Header of answers to PUT: until when the blob is served, in nanoseconds since 1970. */
export const SERVED_UNTIL_HEADER = "x-latchkey-served-until";

const DIGEST_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const FRAME_BYTES = 4;

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

async function readBody(request: HttpRequest, limit: number, lease: Lease): Promise<Uint8Array> {
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

/** What comes before a blob: its length. */
function frameOf(bytes: number): Uint8Array {
  const length = new Uint8Array(FRAME_BYTES);
  new DataView(length.buffer).setUint32(0, bytes);
  return length;
}

/** What a rate limit says, by its name in metrics. */
const LIMITED = {
  slot_address: "this address sends more requests",
  slot_bytes: "this address uploads more",
  slot_uploads: "this slot gets more uploads",
};

/** What slot requests are limited by. */
export interface SlotLimiters {
  /** Requests of one address. */
  readonly address: RateLimiter;
  /** Bytes that one address uploads. */
  readonly bytes: RateLimiter;
  /** Uploads to one slot. */
  readonly slot: RateLimiter;
}

/** Answers one request to a slot; its errors are told by the caller. */
export type SlotsHandler = (request: HttpRequest, response: HttpResponse, url: URL, caller: Caller) => Promise<void>;

/** The invite slots of XIP-82 over HTTP, as `docs/invite-slots.md` specifies them. */
export function createSlotsHandler(runtime: NodeRuntime, limiters: SlotLimiters, room: WaitingRoom): SlotsHandler {
  const { store, limits, metrics, quotas, logger, nowNs } = runtime;

  function limit(scope: keyof typeof LIMITED, retryAfterMs: number): void {
    if (retryAfterMs === 0) return;
    metrics.rateLimited.inc({ scope });
    throw new NodeError("RATE_LIMITED", `${LIMITED[scope]} than the service allows; wait`, {
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

  async function put(
    slotId: Uint8Array,
    request: HttpRequest,
    response: HttpResponse,
    { peer, running }: Caller,
  ): Promise<void> {
    const writer = readSlotWriter(request.headers);
    // Before the body is read and counted, so that whoever has no key can neither fill the slot nor use up its rate.
    if (!(await store.slots.admits(slotId, writer))) throw forbidden();
    limit("slot_bytes", limiters.bytes.wait(peer));
    const lease = quotas.received.lease(peer, () => abortRequest(request));
    response.once("close", () => lease.end());
    const body = await readBody(request, limits.slotBlobBytes, lease);
    lease.shield();
    running.shield();
    const now = nowNs();
    const blob = readBlob(body, now);
    limit("slot_uploads", limiters.slot.take(keyOf(slotId)));
    const bounds = slotBounds(limits);
    const outcome = await store.slots.put(slotId, blob, bounds, now, writer);
    if (outcome === "forbidden") throw forbidden();
    if (outcome === "stored") {
      limiters.bytes.charge(peer, Math.max(body.length, limits.slotMinBytes));
      room.depart(keyOf(slotId)); // Whoever has joined leaves a fresh blob.
    }
    metrics.slotUploads.inc({ outcome });
    logger.debug({ slot: shortId(slotId), outcome, bytes: blob.bytes.length }, "blob uploaded");
    const servedUntil = String(servedUntilNs(blob, bounds, now));
    response.writeHead(outcome === "stored" ? 201 : 200, { "content-length": "0", [SERVED_UNTIL_HEADER]: servedUntil });
    response.end();
  }

  async function get(
    query: SlotQuery,
    request: HttpRequest,
    response: HttpResponse,
    joining: boolean,
  ): Promise<SlotPage> {
    const page = await store.slots.measure(query);
    if (page.blobs.length === 0) {
      metrics.slotFetches.inc({ outcome: "missing" });
      throw new NodeError("NOT_FOUND", "the slot holds no such blob");
    }
    const etag = `"${page.tag}"`;
    const validators = { "cache-control": "no-store", etag, ...waitingHeader(query, request, joining) };
    const isUnchanged = hasAlready(request, etag);
    metrics.slotFetches.inc({ outcome: isUnchanged ? "unchanged" : "found" });
    if (isUnchanged) {
      response.writeHead(304, validators);
      return { ...page, blobs: [] };
    }
    response.writeHead(200, {
      ...validators,
      "content-type": "application/octet-stream",
      "content-length": String(page.blobs.reduce((sum, { bytes }) => sum + bytes + FRAME_BYTES, 0)),
      [CANDIDATES_HEADER]: String(page.blobs.length),
    });
    return request.method === "HEAD" ? { ...page, blobs: [] } : page;
  }

  /** Writes the blobs one by one as the client takes them: each is read when the one before has gone. */
  async function send(page: SlotPage, request: HttpRequest, response: HttpResponse, { peer }: Caller): Promise<void> {
    const lease = quotas.answers.lease(peer, () => abortRequest(request));
    const gone = new AbortController();
    response.once("close", () => {
      lease.end();
      gone.abort();
    });
    boundTime(request, response, limits.answerMs);
    for (const { id, bytes } of page.blobs) {
      if (gone.signal.aborted) return;
      lease.add(bytes);
      const blob = await store.slots.blob(id);
      // An upload has pushed it out meanwhile: the answer ends short of its length, and is asked for again.
      if (blob === undefined) {
        abortRequest(request);
        return;
      }
      response.write(frameOf(bytes));
      await written(response, blob, gone.signal).catch(() => undefined);
      lease.give(bytes);
    }
    response.end();
  }

  return async (request, response, url, caller) => {
    limit("slot_address", limiters.address.take(caller.peer));
    const slotId = readSlotId(url);
    switch (request.method) {
      case "PUT":
        return put(slotId, request, response, caller);
      case "GET":
      case "HEAD": {
        const query = { slotId, match: readMatch(url.searchParams), nowNs: nowNs() };
        const page = await get(query, request, response, url.searchParams.has("joining"));
        return send(page, request, response, caller);
      }
      default:
        throw new NodeError("METHOD_NOT_ALLOWED", "slots understand GET, HEAD and PUT");
    }
  };
}
