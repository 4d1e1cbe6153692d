import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { setTimeout as wait } from "node:timers/promises";
import { toHex } from "@latchkey/mls";
import type { BlobMatch, ServiceClock, SlotUnderTest, UploadRight } from "./slot-under-test.ts";

/** One request of the suite, in milliseconds. */
const CALL_TIMEOUT_MS = 20_000;
/** Times a refusal for too many requests is waited out, and the longest wait, in seconds. */
const MAX_RETRIES = 5;
const MAX_RETRY_AFTER_SECONDS = 30;

/** An answer, read to its end. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Uint8Array;
}

/** A slot that is reached over HTTP. */
export class HttpSlot implements SlotUnderTest {
  readonly clock: ServiceClock = { nowMs: Date.now, pass: (ms) => wait(ms) };
  readonly #base: string;
  readonly id: string;

  constructor(base: string, id: string = toHex(randomBytes(16))) {
    this.#base = base.replace(/\/+$/, "");
    this.id = id;
  }

  other(id?: string): HttpSlot {
    return new HttpSlot(this.#base, id);
  }

  /** Sends a request as it is, without following redirects; waits and repeats when told that there are too many. */
  async call(method: string, query = "", body?: BodyInit, headers: Record<string, string> = {}): Promise<Answer> {
    for (let retry = 0; ; retry++) {
      const init: RequestInit & { duplex?: "half" } = {
        method,
        headers,
        redirect: "manual",
        signal: AbortSignal.timeout(CALL_TIMEOUT_MS),
        ...(body === undefined ? {} : { body }),
        ...(body instanceof ReadableStream ? { duplex: "half" } : {}),
      };
      const response = await fetch(`${this.#base}/v1/slots/${this.id}${query}`, init);
      const answer = {
        status: response.status,
        headers: response.headers,
        body: new Uint8Array(await response.arrayBuffer()),
      };
      const seconds = Number(response.headers.get("retry-after") ?? Number.NaN);
      if (response.status !== 429 || retry === MAX_RETRIES || !(seconds <= MAX_RETRY_AFTER_SECONDS)) return answer;
      await wait(seconds * 1000);
    }
  }

  async put(blob: Uint8Array, right?: UploadRight): Promise<string> {
    const answer = await this.call("PUT", "", Buffer.from(blob), right === undefined ? {} : headersOf(right));
    if (answer.status === 201) return "stored";
    return answer.status === 200 ? "present" : refused(answer);
  }

  async blobs(match?: BlobMatch): Promise<string[]> {
    const answer = await this.call("GET", match === undefined ? "" : queryOf(match));
    if (answer.status === 200) return splitFrames(answer.body).map(toHex);
    const code = refused(answer);
    if (code === "NOT_FOUND") return [];
    throw Object.assign(new Error(`GET is refused with ${code}`), { code });
  }

  async has(match: BlobMatch): Promise<boolean> {
    const { status } = await this.call("HEAD", queryOf(match));
    assert.ok(status === 200 || status === 404, `HEAD is answered with status ${status}, not 200 or 404`);
    return status === 200;
  }
}

/** Statuses of the refusals that the rules expect. */
const STATUS: Readonly<Record<string, number>> = {
  REQUEST_INVALID: 400,
  BLOB_EXPIRED: 400,
  SLOT_FORBIDDEN: 403,
  NOT_FOUND: 404,
  METHOD_NOT_ALLOWED: 405,
};

/** The code of a refusal; throws when status, body and header do not agree, or another one is expected. */
export function refused({ status, headers, body }: Answer, expected?: string): string {
  assert.ok(status >= 400, `the request is answered with status ${status}, not refused`);
  const told = JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(body)) as {
    code?: unknown;
    message?: unknown;
  };
  const code = String(told.code);
  assert.equal(code, expected ?? code, "the body's code");
  assert.equal(status, STATUS[code], `the status of ${code}`);
  assert.equal(typeof told.message, "string", "the body's message");
  assert.equal(headers.get("x-latchkey-error"), code, "the header repeats the code");
  return code;
}

function queryOf({ epoch, digest }: BlobMatch): string {
  return `?epoch=${epoch}&digest=${toHex(digest)}`;
}

function headersOf({ credential, next }: UploadRight): Record<string, string> {
  const shown = { authorization: `Bearer ${Buffer.from(credential).toString("base64url")}` };
  if (next === undefined) return shown;
  return { ...shown, "x-latchkey-next-credential": createHash("sha256").update(next).digest("base64url") };
}

/** Splits an answer into its frames; throws when it does not end with one. */
export function splitFrames(body: Uint8Array): Uint8Array[] {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const blobs: Uint8Array[] = [];
  let at = 0;
  while (at < body.length) {
    if (body.length - at < 4) throw new Error("the body ends within the length of a frame");
    const end = at + 4 + view.getUint32(at);
    if (end > body.length) throw new Error("the body ends within a frame");
    blobs.push(body.slice(at + 4, end));
    at = end;
  }
  return blobs;
}
