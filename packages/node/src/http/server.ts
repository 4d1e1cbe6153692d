import { createServer as createHttp1Server, type Server } from "node:http";
import { createServer as createHttp2Server, type ServerHttp2Session } from "node:http2";
import type { AddressInfo, Socket } from "node:net";
import type { NodeLimits } from "../limits.ts";
import type { Quota } from "../quota.ts";
import { abortRequest, isGone, type HttpRequest, type HttpResponse } from "./exchange.ts";
import type { Overhead } from "./overhead.ts";
import { Places } from "./places.ts";
import { Turns } from "./turns.ts";

/** A listening server for both HTTP versions. */
export interface HttpServer {
  readonly port: number;
  /** Accepts no more connections, no more requests on those of HTTP/2, and closes those that say nothing. */
  refuse(): void;
  /** Closes connections of HTTP/1.1 whose request was answered. */
  closeIdle(): void;
  /** Resolves when every connection is closed, which is enforced after so many milliseconds. */
  closed(timeoutMs: number): Promise<void>;
}

/** Where to listen and what to call. */
export interface HttpServerOptions {
  readonly host: string;
  readonly port: number;
  readonly limits: NodeLimits;
  readonly connections: Quota;
  /** Counts what connections carry beside requests; left out behind a proxy, whose address all of them have. */
  readonly overhead: Overhead | undefined;
  /** The key of the client's address. */
  readonly peerOf: (request: HttpRequest) => string;
  readonly handle: (request: HttpRequest, response: HttpResponse) => void;
}

/** The first bytes of the HTTP/2 connection preface (RFC 9113 §3.4); no HTTP/1 method starts with them. */
const HTTP2_PREFACE = Buffer.from("PRI");

/** Milliseconds between two looks at connections whose headers are late. */
const CHECK_MS = 1_000;

/** A megabyte per stream and four per connection: with the default of 64 KiB a 25 MiB message would crawl. */
const STREAM_WINDOW_BYTES = 1024 * 1024;
const SESSION_WINDOW_BYTES = 4 * STREAM_WINDOW_BYTES;

/**
 * Listens on one cleartext port for HTTP/1.1 and for HTTP/2 with prior knowledge: the first bytes of a connection say
 * which of the two servers gets it. HTTP/1.1 is the server that listens, so that its time limits apply.
 */
export async function listen(options: HttpServerOptions): Promise<HttpServer> {
  const { host, port, limits } = options;
  const places = new Places(options.connections, options.overhead);
  const handle = inTurns(options, places);
  const headersTimeout = Math.min(limits.greetingMs, limits.receiveMs);
  const http1 = createHttp1Server(
    {
      headersTimeout,
      // By default Node looks every 30 seconds whether headers are late.
      connectionsCheckingInterval: Math.min(CHECK_MS, headersTimeout),
      requestTimeout: limits.receiveMs,
      keepAliveTimeout: limits.idleMs,
      keepAlive: true,
      noDelay: true,
    },
    handle,
  );
  const http2 = createHttp2Server(
    {
      maxSessionMemory: 64,
      settings: { maxConcurrentStreams: limits.streamsPerConnection, initialWindowSize: STREAM_WINDOW_BYTES },
    },
    handle,
  );
  const connections: Connections = { all: new Set(), undecided: new Set() };
  const sessions = new Set<ServerHttp2Session>();
  http2.on("session", (session: ServerHttp2Session) => trackSession(session, sessions, limits));
  routeConnections(http1, { connections, places }, limits, (socket) => {
    http2.once("session", (session: ServerHttp2Session) => places.share(socket, session));
    // Node's types do not know that a server without TLS can be given connections; its documentation does.
    http2.emit("connection", socket);
  });

  await new Promise<void>((resolve, reject) => {
    http1.once("error", reject);
    http1.listen(port, host, () => {
      http1.off("error", reject);
      resolve();
    });
  });

  const closed = new Promise((resolve) => http1.once("close", resolve));
  return {
    port: (http1.address() as AddressInfo).port,
    refuse() {
      http1.close();
      for (const session of sessions) session.close();
      for (const socket of connections.undecided) socket.destroy();
    },
    closeIdle() {
      http1.closeIdleConnections();
    },
    async closed(timeoutMs) {
      const late = setTimeout(() => {
        for (const socket of connections.all) socket.destroy();
      }, timeoutMs);
      await closed;
      clearTimeout(late);
    },
  };
}

/** Lets requests that arrive together begin one after the other, unless they were taken back before. */
function inTurns({ limits, overhead, peerOf, handle }: HttpServerOptions, places: Places): HttpServerOptions["handle"] {
  const turns = new Turns(limits.requestsPerAddress);
  return (request, response) => {
    request.on("error", () => undefined); // A client that goes away is no event.
    places.keep(request, response);
    const watched = overhead?.of(request);
    if (watched !== undefined) overhead?.countBody(watched, request);
    const isTaken = turns.take(peerOf(request), () => {
      const isTakenBack = isGone(request);
      if (watched !== undefined) overhead?.countRequest(watched, isTakenBack);
      if (!isTakenBack) handle(request, response);
      return !isTakenBack;
    });
    if (!isTaken) abortRequest(request);
  };
}

interface Connections {
  readonly all: Set<Socket>;
  /** Those that have not said which protocol they speak. */
  readonly undecided: Set<Socket>;
}

/** Takes the place of the HTTP/1.1 server's own connection listener, which gets the connections that are for it. */
function routeConnections(
  http1: Server,
  { connections: { all, undecided }, places }: { readonly connections: Connections; readonly places: Places },
  limits: NodeLimits,
  handleHttp2: (socket: Socket) => void,
): void {
  const handlers = http1.listeners("connection");
  http1.removeAllListeners("connection");
  http1.on("connection", (socket: Socket) => {
    if (!places.enter(socket)) return;
    all.add(socket);
    undecided.add(socket);
    socket.once("close", () => {
      all.delete(socket);
      undecided.delete(socket);
    });
    socket.on("error", () => socket.destroy()); // A broken connection is no event.
    sniff(socket, limits.greetingMs, (isHttp2) => {
      undecided.delete(socket);
      if (isHttp2) handleHttp2(socket);
      else for (const handler of handlers) handler.call(http1, socket);
    });
  });
}

/** Looks at the first bytes of a connection and puts them back; closes it when they do not come. */
function sniff(socket: Socket, timeoutMs: number, decide: (isHttp2: boolean) => void): void {
  const timer = setTimeout(() => socket.destroy(), timeoutMs);
  const stop = (): void => clearTimeout(timer);
  socket.once("close", stop);
  let start = Buffer.alloc(0);
  const look = (): void => {
    const chunk = socket.read() as Buffer | null;
    if (chunk === null) return;
    // Put back only when decided: it would be reported as readable again at once.
    start = Buffer.concat([start, chunk]);
    if (start.length < HTTP2_PREFACE.length && HTTP2_PREFACE.subarray(0, start.length).equals(start)) return;
    socket.off("readable", look);
    socket.off("close", stop);
    stop();
    socket.unshift(start);
    decide(start.subarray(0, HTTP2_PREFACE.length).equals(HTTP2_PREFACE));
  };
  socket.on("readable", look);
}

/** Widens the window and closes sessions that have been without a request for long; pings do not count. */
function trackSession(session: ServerHttp2Session, sessions: Set<ServerHttp2Session>, { idleMs }: NodeLimits): void {
  sessions.add(session);
  session.setLocalWindowSize(SESSION_WINDOW_BYTES);
  let open = 0;
  let idle = setTimeout(() => session.close(), idleMs);
  session.on("stream", (stream) => {
    open++;
    clearTimeout(idle);
    stream.once("close", () => {
      open--;
      if (open === 0 && !session.closed) idle = setTimeout(() => session.close(), idleMs);
    });
  });
  session.once("close", () => {
    clearTimeout(idle);
    sessions.delete(session);
  });
}
