import type { Http2Session } from "node:http2";
import type { Socket } from "node:net";
import { addressKey } from "../address.ts";
import type { Lease, Quota } from "../quota.ts";
import type { HttpRequest, HttpResponse } from "./exchange.ts";
import type { Overhead } from "./overhead.ts";

interface Place {
  readonly lease: Lease;
  running: number;
}

/** The places of connections: one without a running request gives up its own when another connection needs it. */
export class Places {
  readonly #quota: Quota;
  readonly #places = new WeakMap<Socket | Http2Session, Place>();

  readonly #overhead: Overhead | undefined;

  constructor(quota: Quota, overhead?: Overhead) {
    this.#quota = quota;
    this.#overhead = overhead;
  }

  /** Gives a connection its place; closes it and returns false when there is none. */
  enter(socket: Socket): boolean {
    const address = addressKey(socket.remoteAddress ?? "");
    const lease = this.#quota.lease(address, () => socket.destroy());
    if (this.#overhead?.watch(socket, address) === false) {
      socket.destroy();
      return false;
    }
    try {
      lease.add(1);
    } catch {
      socket.destroy();
      return false;
    }
    socket.once("close", () => lease.end());
    this.#places.set(socket, { lease, running: 0 });
    return true;
  }

  /** A session of HTTP/2 has the place of its connection. */
  share(socket: Socket, session: Http2Session): void {
    const place = this.#places.get(socket);
    if (place !== undefined) this.#places.set(session, place);
    this.#overhead?.share(socket, session);
  }

  /** Keeps the connection of a request until the answer is over. */
  keep(request: HttpRequest, response: HttpResponse): void {
    const key = "stream" in request ? request.stream.session : request.socket;
    const place = key === undefined ? undefined : this.#places.get(key);
    if (place === undefined) return;
    if (place.running++ === 0) place.lease.shield();
    response.once("close", () => {
      if (--place.running === 0) place.lease.expose();
    });
  }
}
