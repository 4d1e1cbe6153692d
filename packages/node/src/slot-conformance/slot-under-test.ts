import { randomBytes } from "node:crypto";
import { setTimeout as wait } from "node:timers/promises";
import { create, toBinary } from "@bufbuild/protobuf";
import { toHex } from "@latchkey/mls";
import { EncryptedGroupInfoBlobSchema } from "@latchkey/xmtp/proto";

/** One request of the suite, in milliseconds. */
const CALL_TIMEOUT_MS = 20_000;
/** Times a refusal for too many requests is waited out, and the longest wait, in seconds. */
const MAX_RETRIES = 5;
const MAX_RETRY_AFTER_SECONDS = 30;

/** A blob as the service sees it; what is left out is made up. */
export interface BlobFields {
  readonly nonce?: Uint8Array;
  readonly ciphertext?: Uint8Array;
  readonly epoch?: bigint;
  readonly digest?: Uint8Array | undefined;
  readonly expiresAtNs?: bigint;
}

/** A blob that no key opens: a service cannot tell. */
export function testBlob(fields: BlobFields = {}): Uint8Array {
  const digest = "digest" in fields ? fields.digest : randomBytes(32);
  const value = {
    nonce: fields.nonce ?? randomBytes(12),
    ciphertext: fields.ciphertext ?? randomBytes(300),
    epoch: fields.epoch ?? 7n,
    expiresAtNs: fields.expiresAtNs ?? 0n,
    ...(digest === undefined ? {} : { groupStateHash: { digest } }),
  };
  const blob = create(EncryptedGroupInfoBlobSchema, { version: { case: "v1", value } });
  return toBinary(EncryptedGroupInfoBlobSchema, blob);
}

/** An answer, read to its end. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Uint8Array;
}

/** A fresh slot of the service that is looked at. */
export class SlotUnderTest {
  readonly #base: string;
  readonly id: string;

  constructor(base: string, id: string = toHex(randomBytes(16))) {
    this.#base = base.replace(/\/+$/, "");
    this.id = id;
  }

  /** Another slot of the same service. */
  other(id?: string): SlotUnderTest {
    return new SlotUnderTest(this.#base, id);
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

  put(blob: Uint8Array, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    return this.call("PUT", "", Buffer.from(blob), headers);
  }

  /** The blobs of a look-up in hex, in their order; none when there are none. */
  async blobs(query = ""): Promise<string[]> {
    const { status, body } = await this.call("GET", query);
    if (status === 404) return [];
    if (status !== 200) throw new Error(`GET is answered with status ${status}, not 200 or 404`);
    return splitFrames(body).map(toHex);
  }
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
