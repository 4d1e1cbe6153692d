import { appendFileSync } from "node:fs";
import {
  connect,
  constants,
  createServer,
  type ClientHttp2Session,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import type { AddressInfo } from "node:net";
import { once } from "node:events";

/** The line between clients and node, which can be made bad. */
export interface Wire {
  readonly url: string;
  /** From now on the node still does what every n-th call asks for, but its answer is lost; 0 for a good line. */
  loseEvery(n: number): void;
  /** From now on the node gets every write twice. */
  repeatWrites(on: boolean): void;
  /** Answers lost so far. */
  readonly lost: number;
  /** Writes repeated so far. */
  readonly repeated: number;
  /** Bodies of all calls of this method so far, without gRPC's frame. */
  requests(method: string): Uint8Array[];
  close(): Promise<void>;
}

const WRITES = new Set([
  "SendGroupMessages",
  "SendWelcomeMessages",
  "UploadKeyPackage",
  "PublishIdentityUpdate",
  "BatchPublishCommitLog",
]);

/** Bytes before a message in gRPC: a flag and a length. */
const FRAME_BYTES = 5;

interface Answer {
  readonly headers: OutgoingHttpHeaders;
  readonly body: Buffer;
  readonly trailers: OutgoingHttpHeaders | undefined;
}

/** Only what belongs to the message: the rest describes one connection. */
function messageHeaders(headers: IncomingHttpHeaders): OutgoingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => name !== "connection"));
}

async function call(session: ClientHttp2Session, headers: IncomingHttpHeaders, body: Buffer): Promise<Answer> {
  const request = session.request(messageHeaders(headers));
  let answered: IncomingHttpHeaders | undefined;
  let trailers: IncomingHttpHeaders | undefined;
  request.once("response", (received) => (answered = received));
  request.once("trailers", (received) => (trailers = received));
  request.end(body);
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  if (answered === undefined) throw new Error("the node gave no answer");
  return {
    headers: messageHeaders(answered),
    body: Buffer.concat(chunks),
    trailers: trailers === undefined ? undefined : messageHeaders(trailers),
  };
}

function reply(stream: ServerHttp2Stream, { headers, body, trailers }: Answer): void {
  if (trailers === undefined) {
    stream.respond(headers);
    stream.end(body);
    return;
  }
  stream.respond(headers, { waitForTrailers: true });
  stream.once("wantTrailers", () => stream.sendTrailers(trailers));
  stream.end(body);
}

/** Passes a stream on as it comes. */
function follow(session: ClientHttp2Session, stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
  const request = session.request(messageHeaders(headers));
  let trailers: OutgoingHttpHeaders | undefined;
  request.once("trailers", (received) => (trailers = messageHeaders(received)));
  request.once("response", (received) => {
    stream.respond(messageHeaders(received), { waitForTrailers: true });
    stream.once("wantTrailers", () => (trailers === undefined ? stream.close() : stream.sendTrailers(trailers)));
    request.pipe(stream);
  });
  request.once("error", () => stream.close(constants.NGHTTP2_INTERNAL_ERROR));
  stream.once("close", () => request.close(constants.NGHTTP2_CANCEL));
  stream.pipe(request);
}

/** Starts a line to the node at `target`. Every request's body is also appended to `captureFile`, one JSON object a line. */
export async function startWire(target: string, captureFile?: string): Promise<Wire> {
  const seen = new Map<string, Uint8Array[]>();
  const sessions = new Set<ServerHttp2Session>();
  let [period, repeating, calls, lost, repeated] = [0, false, 0, 0, 0];
  let upstream: ClientHttp2Session | undefined;

  function node(): ClientHttp2Session {
    if (upstream === undefined || upstream.closed || upstream.destroyed) {
      upstream = connect(target);
      upstream.on("error", () => undefined);
    }
    return upstream;
  }

  function note(method: string, body: Buffer, headers: IncomingHttpHeaders): void {
    const message = new Uint8Array(body.subarray(FRAME_BYTES));
    seen.set(method, [...(seen.get(method) ?? []), message]);
    if (captureFile === undefined) return;
    const from = headers["x-libxmtp-version"] === undefined ? "ours" : "native";
    const captured = { from, method, request: Buffer.from(message).toString("base64") };
    appendFileSync(captureFile, `${JSON.stringify(captured)}\n`);
  }

  async function unary(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, method: string): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of stream) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    note(method, body, headers);
    if (repeating && WRITES.has(method)) {
      await call(node(), headers, body);
      repeated += 1;
    }
    const answer = await call(node(), headers, body);
    calls += 1;
    if (period > 0 && calls % period === 0) {
      lost += 1;
      stream.close(constants.NGHTTP2_INTERNAL_ERROR);
    } else {
      reply(stream, answer);
    }
  }

  const server = createServer();
  server.on("session", (session) => {
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
  });
  server.on("stream", (stream: ServerHttp2Stream, headers) => {
    stream.on("error", () => undefined);
    const method = headers[":path"]?.split("/").at(-1) ?? "";
    if (method.startsWith("Subscribe")) {
      follow(node(), stream, headers);
    } else {
      unary(stream, headers, method).catch(() => stream.close(constants.NGHTTP2_INTERNAL_ERROR));
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    loseEvery: (n) => void ([period, calls] = [n, 0]),
    repeatWrites: (on) => void (repeating = on),
    get lost() {
      return lost;
    },
    get repeated() {
      return repeated;
    },
    requests: (method) => seen.get(method) ?? [],
    async close() {
      const closed = once(server, "close");
      server.close();
      for (const session of sessions) session.destroy();
      upstream?.destroy();
      await closed;
    },
  };
}
