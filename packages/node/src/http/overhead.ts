import type { Http2Session } from "node:http2";
import type { Socket } from "node:net";
import type { RateLimiter } from "../rate-limiter.ts";
import type { HttpRequest } from "./exchange.ts";

/** Bytes of its connection that a request may take beside its body: its headers, and what acknowledges the answer. */
const REQUEST_BYTES = 2_048;

/** Bytes that a request counts as which was taken back before it began: Node has made a stream for it by then. */
const TAKEN_BACK_BYTES = 2_048;

/** Bytes of one connection that are never held against it, whatever else its address does. */
const TOLERATED_BYTES = 16 * 1_024;

/** Milliseconds between two looks at what connections have received. */
const LOOK_MS = 20;

/** What is counted of one connection. */
export interface Watched {
  readonly socket: Socket;
  readonly address: string;
  /** Bytes that were received, as far as they were looked at. */
  seen: number;
  /** Bytes of requests since the last look. */
  carried: number;
  /** Bytes beyond those of its requests. */
  excess: number;
}

/** What the overhead is counted with. */
export interface OverheadOptions {
  readonly budgets: RateLimiter;
  /** Connections of addresses that are over their budget: somebody honest may be among them. */
  readonly entries: RateLimiter;
  /** Called for each connection that is closed for it. */
  readonly refused: () => void;
}

/**
 * Charges addresses for bytes on their connections that carry no request: frames that ask for nothing, requests taken back
 * at once, headers too long to be read. Node's parsers work through them before anybody is asked. So connections that send too
 * many are closed, and their address gets a few new ones in each second until its budget has recovered.
 */
export class Overhead {
  readonly #options: OverheadOptions;
  readonly #watched = new Map<Socket, Watched>();
  readonly #sessions = new WeakMap<Http2Session, Watched>();
  readonly #timer: NodeJS.Timeout;

  constructor(options: OverheadOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#look(), LOOK_MS).unref();
  }

  /** Begins to watch a connection; false when its address is over its budget, and had its few others already. */
  watch(socket: Socket, address: string): boolean {
    if (this.#isOver(address) && this.#options.entries.take(address) > 0) return false;
    const watched = { socket, address, seen: 0, carried: 0, excess: 0 };
    this.#watched.set(socket, watched);
    socket.once("close", () => {
      this.#charge(watched);
      this.#watched.delete(socket);
    });
    return true;
  }

  /** A session of HTTP/2 is counted by its connection. */
  share(socket: Socket, session: Http2Session): void {
    const watched = this.#watched.get(socket);
    if (watched !== undefined) this.#sessions.set(session, watched);
  }

  /** The connection of a request that has just arrived. */
  of(request: HttpRequest): Watched | undefined {
    if (!("stream" in request)) return this.#watched.get(request.socket);
    const { session } = request.stream;
    return session === undefined ? undefined : this.#sessions.get(session);
  }

  /** Takes the bytes of a request's body off the charge, as they come. */
  countBody(watched: Watched, request: HttpRequest): void {
    if (!hasBody(request)) return;
    const source = "stream" in request ? request.stream : request;
    const push = source.push.bind(source);
    source.push = (chunk: Uint8Array | null, ...rest: []) => {
      if (chunk !== null) watched.carried += chunk.length;
      return push(chunk, ...rest);
    };
  }

  /** Takes a request that is answered off the charge; charges one that was taken back. */
  countRequest(watched: Watched, isTakenBack: boolean): void {
    watched.carried += isTakenBack ? -TAKEN_BACK_BYTES : REQUEST_BYTES;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #isOver(address: string): boolean {
    return this.#options.budgets.wait(address) > 0;
  }

  /** Charges what came since the last look; a body that comes out of a buffer later is taken off then. */
  #charge(watched: Watched): void {
    const { bytesRead } = watched.socket;
    const bytes = bytesRead - watched.seen - watched.carried;
    watched.seen = bytesRead;
    watched.carried = 0;
    watched.excess = Math.max(0, watched.excess + bytes);
    if (bytes !== 0) this.#options.budgets.charge(watched.address, bytes);
  }

  #look(): void {
    for (const watched of this.#watched.values()) {
      this.#charge(watched);
      if (watched.excess <= TOLERATED_BYTES || !this.#isOver(watched.address)) continue;
      this.#options.refused();
      watched.socket.destroy();
    }
  }
}

/** Whether a body may follow the headers (RFC 9112 §6.3, RFC 9113 §8.1). */
function hasBody(request: HttpRequest): boolean {
  if ("stream" in request) return !request.stream.endAfterHeaders;
  const { "content-length": length, "transfer-encoding": encoding } = request.headers;
  return length !== undefined || encoding !== undefined;
}
