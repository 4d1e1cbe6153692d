import {
  decodeUtf8,
  optional,
  Reader,
  requireBigint,
  requireBytes,
  requireFields,
  requireFlag,
  requireList,
  requireSignal,
  requireText,
  toHex,
  type LatchkeyError,
} from "@latchkey/mls";
import { toBase64Url, XMTP_LIMITS } from "@latchkey/xmtp";
import { clientError } from "../errors.ts";
import { CLIENT_LIMITS } from "../limits.ts";
import type {
  ServiceDescription,
  Slot,
  SlotCredentials,
  SlotFetchOptions,
  SlotService,
} from "../transport/slot-service.ts";
import { networkError, retryAfterMs, unreachable } from "../transport/network-errors.ts";

const LOOPBACK = new Set(["localhost", "127.0.0.1", "[::1]"]);

/**
 * Checks the address of an invite service and drops credentials, query and fragment from it: `https:`, or `http:` on
 * this very machine. Returns undefined for anything else.
 */
export function checkedServiceUrl(text: string): string | undefined {
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  if (url.protocol !== "https:" && !(url.protocol === "http:" && LOOPBACK.has(url.hostname))) return undefined;
  return `${url.protocol}//${url.host}${url.pathname.replace(/\/+$/, "")}`;
}

function noServiceUrl(): LatchkeyError {
  return clientError("INVITE_MALFORMED", "the invite service has to be an https address, or http on this machine");
}

function slotUrl(slot: Slot): string {
  const base = checkedServiceUrl(slot.serviceUrl);
  if (base === undefined) throw noServiceUrl();
  return `${base}/v1/slots/${toHex(slot.externalGroupId)}`;
}

async function request(
  what: string,
  url: string,
  init: RequestInit,
  signal: AbortSignal | undefined,
  timeoutMs: number = CLIENT_LIMITS.callTimeoutMs,
) {
  const timeout = AbortSignal.timeout(timeoutMs);
  const both = signal === undefined ? timeout : AbortSignal.any([timeout, signal]);
  try {
    // A redirect could lead to another origin or into the local network.
    return await fetch(url, { ...init, redirect: "error", credentials: "omit", signal: both });
  } catch (error) {
    if (signal?.aborted === true) throw networkError(error, what, signal);
    throw unreachable(what, error);
  }
}

function refuse(what: string, response: Response): never {
  const nodeCode = response.headers.get("x-latchkey-error") ?? undefined;
  const data = { call: what, status: response.status, nodeCode };
  if (response.status === 429) {
    const waitMs = retryAfterMs(response.headers.get("retry-after"));
    throw clientError("RATE_LIMITED", `the invite service limits requests; wait ${waitMs} ms`, {
      data,
      retryAfterMs: waitMs,
    });
  }
  if (response.status >= 500) throw unreachable(what, undefined, data, response.headers.get("retry-after"));
  if (nodeCode === "SLOT_FORBIDDEN") {
    throw clientError("INVITE_SLOT_CLOSED", "the invite's key does not admit to its slot; replace the slot", { data });
  }
  throw clientError("NODE_REJECTED", `the invite service refused ${what} with status ${response.status}`, { data });
}

/** Reads a body up to a limit, whatever its length header says; the limit bounds memory, the timeout time. */
async function readBody(
  what: string,
  response: Response,
  signal: AbortSignal | undefined,
  maxBytes: number = CLIENT_LIMITS.maxSlotBytes,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    // Safari's streams have no asynchronous iterator.
    const reader = response.body?.getReader();
    for (;;) {
      const { value: chunk } = (await reader?.read()) ?? {};
      if (chunk === undefined) break;
      length += chunk.length;
      if (length > maxBytes) {
        await reader?.cancel();
        break;
      }
      chunks.push(chunk);
    }
  } catch (error) {
    if (signal?.aborted === true) throw networkError(error, what, signal);
    throw unreachable(what, error);
  }
  if (length > maxBytes) {
    throw clientError("NODE_REJECTED", `the invite service sends more than ${maxBytes} bytes`);
  }
  const body = new Uint8Array(length);
  let offset = 0;
  for (const chunk of chunks) {
    body.set(chunk, offset);
    offset += chunk.length;
  }
  return body;
}

/**
 * Splits a slot's answer, frames of a 32-bit big-endian length and that many bytes, newest last. Frames that are too
 * long are dropped and a frame that is cut off ends the list: one bad blob must not hide the good ones.
 */
export function splitFrames(body: Uint8Array): Uint8Array[] {
  const reader = new Reader(body);
  const newest: Uint8Array[] = [];
  while (reader.remaining >= 4) {
    const length = reader.u32();
    if (length > reader.remaining) break;
    const blob = reader.bytes(length);
    if (length > XMTP_LIMITS.maxBlobBytes) continue;
    newest.push(blob);
    if (newest.length > CLIENT_LIMITS.maxCandidates) newest.shift();
  }
  return newest;
}

/** The entity tag of an answer, when it is one that can be sent back. */
function tagOf({ headers }: Response): string | undefined {
  const tag = headers.get("etag") ?? "";
  return /^"[!#-~]{1,128}"$/.test(tag) ? tag : undefined;
}

function waitingOf({ headers }: Response): number | undefined {
  const told = headers.get("x-latchkey-waiting") ?? "";
  return /^\d{1,9}$/.test(told) ? Number(told) : undefined;
}

function servedUntilOf({ headers }: Response): bigint | undefined {
  const told = headers.get("x-latchkey-served-until") ?? "";
  return /^\d{1,19}$/.test(told) ? BigInt(told) : undefined;
}

/** What one attempt to write a slot shows. */
export interface SlotKey {
  readonly credential: Uint8Array;
  /** SHA-256 of what is to take the credential's place; undefined when it is to stay. */
  readonly nextHash: Uint8Array | undefined;
}

/**
 * What to show at a slot, one after the other: the present credential, then that of version 1 and the one of the key
 * before, of which a slot mostly has one; then all of them from the oldest on. Others who write meanwhile move a slot from older credentials to newer ones,
 * never back, so that the walk in this direction cannot miss it. Each but the present one is to be replaced by that.
 */
export function slotKeys(credentials: SlotCredentials): SlotKey[] {
  const { current, currentHash, earlier } = requireCredentials(credentials, "credentials");
  const likely = earlier.slice(0, Math.min(2, earlier.length - 1));
  const order = earlier.length === 0 ? [current] : [current, ...likely, ...earlier.toReversed(), current];
  return order.map((credential) => ({ credential, nextHash: credential === current ? undefined : currentHash }));
}

function headersOf({ credential, nextHash }: SlotKey): Record<string, string> {
  return {
    authorization: `Bearer ${toBase64Url(credential)}`,
    ...(nextHash === undefined ? {} : { "x-latchkey-next-credential": toBase64Url(nextHash) }),
  };
}

const requireCredentials = requireFields<SlotCredentials>({
  current: requireBytes(),
  currentHash: requireBytes(),
  earlier: requireList(requireBytes(), CLIENT_LIMITS.maxArguments),
});

const requireSlot = requireFields<Slot>({
  serviceUrl: requireText,
  externalGroupId: requireBytes(),
  credentials: optional(requireCredentials),
});

const requireFetchOptions = requireFields<SlotFetchOptions>({
  joining: optional(requireFlag),
  unless: optional(requireText),
  signal: optional(requireSignal),
});

/** The slots of Latchkey's node, over the `fetch` of the platform. All methods throw ARGUMENT_INVALID. */
export const httpSlots: SlotService = {
  async upload(slot, blob, signal) {
    const stop = optional(requireSignal)(signal, "signal");
    return overHttp.upload(requireSlot(slot, "slot"), requireBytes()(blob, "blob"), stop);
  },

  async fetch(slot, options = {}) {
    return overHttp.fetch(requireSlot(slot, "slot"), requireFetchOptions(options, "options"));
  },

  async exists(slot, epoch, groupStateHash, signal) {
    const at = requireBigint(0n, XMTP_LIMITS.maxInt64)(epoch, "epoch");
    const hash = requireBytes()(groupStateHash, "groupStateHash");
    return overHttp.exists(requireSlot(slot, "slot"), at, hash, optional(requireSignal)(signal, "signal"));
  },

  async describe(serviceUrl, signal) {
    return overHttp.describe(requireText(serviceUrl, "serviceUrl"), optional(requireSignal)(signal, "signal"));
  },
};

const overHttp: Required<SlotService> = {
  async upload(slot, blob, signal) {
    const what = "the upload of a blob";
    const ways = slot.credentials === undefined ? [{}] : slotKeys(slot.credentials).map(headersOf);
    for (const [index, way] of ways.entries()) {
      const headers = { "content-type": "application/octet-stream", ...way };
      const response = await request(what, slotUrl(slot), { method: "PUT", body: blob.slice(), headers }, signal);
      await response.body?.cancel();
      if (response.ok) return servedUntilOf(response);
      if (response.status !== 403 || index === ways.length - 1) refuse(what, response);
    }
    return undefined;
  },

  async fetch(slot, { joining = false, unless, signal } = {}) {
    const what = "the look-up of an invite";
    const headers: Record<string, string> = unless === undefined ? {} : { "if-none-match": unless };
    const url = `${slotUrl(slot)}${joining ? "?joining=1" : ""}`;
    const response = await request(what, url, { method: "GET", headers }, signal);
    const tag = tagOf(response);
    const waiting = waitingOf(response);
    if (response.status === 304 && unless !== undefined) return { blobs: undefined, tag: unless, waiting };
    if (response.status === 404) {
      await response.body?.cancel();
      throw clientError(
        "INVITE_UNKNOWN_SLOT",
        "the invite service knows nothing under this invite; ask for a new link",
      );
    }
    if (!response.ok) {
      await response.body?.cancel();
      refuse(what, response);
    }
    return { blobs: splitFrames(await readBody(what, response, signal)), tag, waiting };
  },

  async exists(slot, epoch, groupStateHash, signal) {
    const what = "the look-up of a blob";
    const url = `${slotUrl(slot)}?epoch=${epoch}&digest=${toHex(groupStateHash)}`;
    const response = await request(what, url, { method: "HEAD" }, signal);
    if (response.status === 404) return false;
    if (!response.ok) refuse(what, response);
    return true;
  },

  async describe(serviceUrl, signal) {
    const what = "the look at the invite service";
    const { describeTimeoutMs, maxDescriptionBytes } = CLIENT_LIMITS;
    const base = checkedServiceUrl(serviceUrl);
    if (base === undefined) throw noServiceUrl();
    const url = new URL("/.well-known/latchkey", base).href;
    const response = await request(what, url, { method: "GET" }, signal, describeTimeoutMs);
    if (!response.ok) {
      await response.body?.cancel();
      return { page: false };
    }
    return readDescription(await readBody(what, response, signal, maxDescriptionBytes));
  },
};

/** Reads what a service states; anything but the expected object states nothing. */
function readDescription(body: Uint8Array): ServiceDescription {
  try {
    const value: unknown = JSON.parse(decodeUtf8(body));
    return { page: typeof value === "object" && value !== null && "page" in value && value.page === true };
  } catch {
    return { page: false };
  }
}
