import {
  connect as connectHttp2,
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type IncomingHttpHeaders,
} from "node:http2";
import { connect as connectTcp, type Socket } from "node:net";

/** The loopback address of whoever attacks; the crowd has others, as it would have on a network. */
export const ATTACKER = "127.0.0.66";

/** Addresses of an attacker who has many. */
export const MANY = Array.from({ length: 100 }, (_, index) => `127.0.2.${index + 1}`);

/** Milliseconds after which an attack's own call is given up. */
const CALL_MS = 10_000;

/** The frame of gRPC around a message. */
export function grpcFrame(message: Uint8Array, flags = 0, length = message.length): Buffer {
  const frame = Buffer.alloc(5 + message.length);
  frame[0] = flags;
  frame.writeUInt32BE(length, 1);
  frame.set(message, 5);
  return frame;
}

/** A TCP connection from an address; undefined when it is refused. */
export function openSocket(port: number, localAddress = ATTACKER): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = connectTcp({ port, host: "127.0.0.1", localAddress });
    socket.on("error", () => resolve(undefined));
    socket.once("connect", () => resolve(socket));
    socket.resume();
  });
}

/** A session of HTTP/2 from an address. */
export async function openSession(
  port: number,
  localAddress = ATTACKER,
  settings = {},
): Promise<ClientHttp2Session | undefined> {
  const socket = await openSocket(port, localAddress);
  if (socket === undefined) return undefined;
  socket.pause();
  const session = connectHttp2("http://127.0.0.1", { createConnection: () => socket, settings });
  session.on("error", () => undefined);
  return session;
}

/** Begins a gRPC call; what becomes of it is the caller's business. */
export function beginCall(session: ClientHttp2Session, path: string, headers = {}): ClientHttp2Stream {
  const fixed = { ":method": "POST", ":path": path, "content-type": "application/grpc", te: "trailers" };
  const stream = session.request({ ...fixed, ...headers });
  stream.on("error", () => undefined);
  return stream;
}

/** What an answer says of a call. */
export interface CallAnswer {
  readonly status: string;
  readonly retryAfter: boolean;
  readonly code: string;
}

/** One gRPC call with a body of bytes; resolves whatever happens. */
export function call(session: ClientHttp2Session, path: string, body: Uint8Array, headers = {}): Promise<CallAnswer> {
  return new Promise((resolve) => {
    const seen: IncomingHttpHeaders = {};
    const stream = beginCall(session, path, headers);
    const note = (received: IncomingHttpHeaders): void => void Object.assign(seen, received);
    stream.on("response", note).on("trailers", note).resume();
    stream.setTimeout(CALL_MS, () => stream.close());
    stream.once("close", () => {
      const status = String(seen["grpc-status"]);
      const code = String(seen["x-latchkey-error"]);
      resolve({ status, code, retryAfter: seen["retry-after"] !== undefined });
    });
    stream.end(body);
  });
}
