import { concatBytes, fromHex } from "@latchkey/mls";
import { invalidRequest, NodeError, requireAtMost } from "../errors.ts";
import type { Lease } from "../quota.ts";
import type { RateLimiter } from "../rate-limiter.ts";
import type { NodeRuntime } from "../services/runtime.ts";
import type { SlotService } from "../services/slots/slot-service.ts";
import type { SlotPage, SlotQuery } from "../storage/storage.ts";
import { sendHttpError, toHttpError } from "./error-codes.ts";
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

const FRAME_BYTES = 4;

/** The answer for a slot without the blobs that were asked for: half of all existence queries, so it is made once. */
const MISSING = toHttpError(new NodeError("NOT_FOUND", "the slot holds no such blob"));

function hexParameter(what: string, text: string): Uint8Array {
  try {
    return fromHex(text);
  } catch {
    throw invalidRequest(`${what} must be an even number of hex digits`);
  }
}

/** `?epoch=E&digest=HEX`: both or none. */
function readMatch(parameters: URLSearchParams): SlotQuery["match"] {
  const [epoch, digest] = [parameters.get("epoch"), parameters.get("digest")];
  if (epoch === null && digest === null) return undefined;
  if (epoch === null || digest === null) throw invalidRequest("epoch and digest go together");
  if (!/^(0|[1-9]\d{0,19})$/.test(epoch)) throw invalidRequest("epoch must be an unsigned 64-bit number in decimal");
  return { epoch: BigInt(epoch), digest: hexParameter("digest", digest) };
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
};

/** Rates of one address. */
export interface SlotLimiters {
  readonly address: RateLimiter;
  /** Bytes of its uploads. */
  readonly bytes: RateLimiter;
}

/** Answers one request to a slot; its errors are told by the caller. */
export type SlotsHandler = (request: HttpRequest, response: HttpResponse, url: URL, caller: Caller) => Promise<void>;

/** The invite slots over HTTP, as `docs/invite-slots.md` specifies them. */
export function createSlotsHandler(runtime: NodeRuntime, slots: SlotService, limiters: SlotLimiters): SlotsHandler {
  const { limits, metrics, quotas } = runtime;

  function limit(scope: keyof typeof LIMITED, retryAfterMs: number): void {
    if (retryAfterMs === 0) return;
    metrics.rateLimited.inc({ scope });
    const text = `${LIMITED[scope]} than the service allows; wait`;
    throw new NodeError("RATE_LIMITED", text, { retryable: true, retryAfterMs });
  }

  async function put(
    slotId: Uint8Array,
    request: HttpRequest,
    response: HttpResponse,
    { peer, running }: Caller,
  ): Promise<void> {
    const upload = await slots.upload(slotId, readSlotWriter(request.headers), async () => {
      limit("slot_bytes", limiters.bytes.wait(peer));
      const lease = quotas.received.lease(peer, () => abortRequest(request));
      response.once("close", () => lease.end());
      const body = await readBody(request, limits.slotBlobBytes, lease);
      lease.shield();
      running.shield();
      return body;
    });
    const isNew = upload.outcome === "stored";
    if (isNew) limiters.bytes.charge(peer, Math.max(upload.bytes, limits.slotMinBytes));
    const servedUntil = String(upload.servedUntilNs);
    response.writeHead(isNew ? 201 : 200, { "content-length": "0", [SERVED_UNTIL_HEADER]: servedUntil });
    response.end();
  }

  async function get(
    slotId: Uint8Array,
    request: HttpRequest,
    response: HttpResponse,
    parameters: URLSearchParams,
    { peer }: Caller,
  ): Promise<void> {
    const found = await slots.find(slotId, readMatch(parameters), (tag) => hasAlready(request, `"${tag}"`));
    if (found.outcome === "missing") {
      sendHttpError(request, response, MISSING);
      return;
    }
    const { tag, blobs } = found.page;
    const headers: Record<string, string> = { "cache-control": "no-store", etag: `"${tag}"` };
    const isGet = request.method === "GET";
    if (isGet) headers[WAITING_HEADER] = String(slots.waiting(slotId, parameters.has("joining")));
    if (found.outcome === "unchanged") {
      response.writeHead(304, headers);
      response.end();
      return;
    }
    headers["content-type"] = "application/octet-stream";
    headers["content-length"] = String(blobs.reduce((sum, { bytes }) => sum + bytes + FRAME_BYTES, 0));
    headers[CANDIDATES_HEADER] = String(blobs.length);
    response.writeHead(200, headers);
    if (isGet) await send(found.page, request, response, peer);
    else response.end();
  }

  /** Writes the blobs one by one as the client takes them: each is read when the one before has gone. */
  async function send(page: SlotPage, request: HttpRequest, response: HttpResponse, peer: string): Promise<void> {
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
      const blob = await slots.blob(id);
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

  return (request, response, url, caller) => {
    limit("slot_address", limiters.address.take(caller.peer));
    const slotId = hexParameter("the slot's id", url.pathname.slice(SLOTS_PATH.length));
    switch (request.method) {
      case "PUT":
        return put(slotId, request, response, caller);
      case "GET":
      case "HEAD":
        return get(slotId, request, response, url.searchParams, caller);
      default:
        throw new NodeError("METHOD_NOT_ALLOWED", "slots understand GET, HEAD and PUT");
    }
  };
}
