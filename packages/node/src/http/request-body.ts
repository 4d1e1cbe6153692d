import { createGunzip } from "node:zlib";
import type { DescMethod } from "@bufbuild/protobuf";
import { concatBytes } from "@latchkey/mls";
import { invalidRequest, NodeError, requireAtMost } from "../errors.ts";
import type { NodeLimits, RequestBounds } from "../limits.ts";
import { scanJson } from "../price/json-scan.ts";
import { scanProtobuf } from "../price/protobuf-scan.ts";
import type { HttpRequest } from "./exchange.ts";

/** Flag, and length in 4 bytes: what gRPC, gRPC-web and Connect put before each message of a stream. */
const FRAME_HEADER_BYTES = 5;
const COMPRESSED = 1;

/** Bytes that come out of the decompressor at a time: each is counted before the next is asked for. */
const INFLATE_CHUNK_BYTES = 64 * 1024;

/** Unpacked requests up to here may come from any few bytes; lists of ids repeat themselves. */
const FREE_INFLATE_BYTES = 1024 * 1024;

/** Larger ones unpack to at most so many times their bytes: they are ciphertext, which does not shrink. */
const MAX_INFLATE_RATIO = 16;

/** Headers by which a request says how it is packed, and which encoding it takes. */
const ENCODING = { framed: ["grpc-encoding", "connect-content-encoding"], bare: ["content-encoding"] };
const ACCEPTED = ["grpc-accept-encoding", "connect-accept-encoding", "accept-encoding"];

/** How the message of a request is packed. */
interface Packing {
  /** A frame comes before the message; Connect's unary requests have none. */
  readonly framed: boolean;
  readonly gzip: boolean;
  readonly json: boolean;
}

/** What a body is read with. */
export interface BodyOptions {
  readonly method: DescMethod;
  readonly bounds: RequestBounds;
  readonly limits: NodeLimits;
  /** Takes bytes of the budget, before they are kept. */
  readonly hold: (bytes: number) => void;
}

/**
 * Reads how a request is packed, and removes it from the headers: whoever decodes the body gets it unpacked. Answers are
 * never packed, as nearly all of their bytes are ciphertext.
 */
export function takePacking(headers: Headers): Packing {
  const [type = "", format = ""] = (headers.get("content-type") ?? "").toLowerCase().split(";", 1).join("").split("+");
  const framed = type.startsWith("application/grpc") || type === "application/connect";
  let gzip = false;
  for (const name of framed ? ENCODING.framed : ENCODING.bare) {
    if (headers.get(name) !== "gzip") continue;
    gzip = true;
    headers.delete(name);
    headers.delete("content-length");
  }
  for (const name of ACCEPTED) headers.delete(name);
  return { framed, gzip, json: format === "json" || type === "application/json" };
}

/**
 * The request's one message, unpacked, in a frame if it came in one. Each byte is counted as it comes, and the fields
 * are counted before the message is given on.
 * @throws NodeError `REQUEST_TOO_LARGE`, `REQUEST_INVALID`, `NODE_BUSY`
 */
export async function readMessage(request: HttpRequest, packing: Packing, options: BodyOptions): Promise<Uint8Array[]> {
  const { method, bounds, limits } = options;
  const limit = packing.json ? Math.min(2 * bounds.bytes, limits.jsonRequestBytes) : bounds.bytes;
  const body = await receive(request, packing, limit, options.hold);
  if (!packing.framed) {
    const message = packing.gzip ? await inflate(body, limit, options.hold) : body;
    requireFair(message, packing, method, bounds);
    return [message];
  }
  const packed = body.subarray(FRAME_HEADER_BYTES);
  const { flags, length } = readFrame(body);
  if (length !== packed.length || flags > COMPRESSED) throw invalidRequest("the request is not one message");
  const isPacked = flags === COMPRESSED;
  if (isPacked && !packing.gzip) throw invalidRequest("the request does not say how it is compressed");
  const message = isPacked ? await inflate(packed, limit, options.hold) : packed;
  requireFair(message, packing, method, bounds);
  return isPacked ? [frameHeader(message.length), message] : [body];
}

function requireFair(message: Uint8Array, { json }: Packing, { input }: DescMethod, { fields }: RequestBounds): void {
  // In JSON a field is a name and a value.
  if (json) scanJson(message, 2 * fields);
  else scanProtobuf(input, message, fields);
}

/** Reads the body to its end; refuses it as soon as a length that it states, or its bytes, are beyond the limit. */
async function receive(
  request: HttpRequest,
  { framed }: Packing,
  limit: number,
  hold: (bytes: number) => void,
): Promise<Uint8Array> {
  const most = framed ? limit + FRAME_HEADER_BYTES : limit;
  requireAtMost("the request", Number(request.headers["content-length"] ?? 0), most);
  const chunks: Uint8Array[] = [];
  let size = 0;
  let announced = !framed;
  // Leaving it early does not destroy the request, which would take the answer with it; the router throws the rest away.
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>) {
    size += chunk.length;
    requireAtMost("the request", size, most);
    hold(chunk.length);
    chunks.push(chunk);
    if (announced || size < FRAME_HEADER_BYTES) continue;
    announced = true;
    requireAtMost("the request", readFrame(concatBytes(...chunks)).length, limit);
  }
  if (framed && size < FRAME_HEADER_BYTES) throw invalidRequest("the request ends within the frame of its message");
  const [first] = chunks;
  return chunks.length === 1 && first !== undefined ? first : concatBytes(...chunks);
}

function readFrame(bytes: Uint8Array): { readonly flags: number; readonly length: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, FRAME_HEADER_BYTES);
  return { flags: view.getUint8(0), length: view.getUint32(1) };
}

function frameHeader(length: number): Uint8Array {
  const header = new Uint8Array(FRAME_HEADER_BYTES);
  new DataView(header.buffer).setUint32(1, length);
  return header;
}

/** Decompresses chunk by chunk, and stops at the limit or when the budget has no more. */
async function inflate(packed: Uint8Array, limit: number, hold: (bytes: number) => void): Promise<Uint8Array> {
  if (packed.length === 0) return packed;
  const gunzip = createGunzip({ chunkSize: INFLATE_CHUNK_BYTES });
  gunzip.end(packed);
  const most = Math.min(limit, Math.max(FREE_INFLATE_BYTES, packed.length * MAX_INFLATE_RATIO));
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of gunzip as AsyncIterable<Uint8Array>) {
      size += chunk.length;
      requireAtMost("the decompressed request", size, most);
      hold(chunk.length);
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof NodeError) throw error;
    throw invalidRequest("the request cannot be decompressed");
  }
  return concatBytes(...chunks);
}
