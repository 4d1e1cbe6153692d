import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SOCKET } from "./postgres.ts";

/** A network between nodes and a database server: it can be cut, stand still, and lead to another server. */
export class PostgresProxy {
  readonly #directory: string;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #target: string;
  #isCut = false;

  private constructor(directory: string, target: string) {
    this.#directory = directory;
    this.#target = target;
    this.#server = createServer((socket) => this.#carry(socket));
  }

  static async start(target: string): Promise<PostgresProxy> {
    const proxy = new PostgresProxy(mkdtempSync(join(tmpdir(), "latchkey-pg-")), target);
    proxy.#server.listen(join(proxy.#directory, SOCKET));
    await once(proxy.#server, "listening");
    return proxy;
  }

  /** The url of a database behind the network. */
  url(url: string): string {
    const behind = new URL(url);
    behind.searchParams.set("host", this.#directory);
    return behind.href;
  }

  /** Ends all connections, and lets nobody through until `mend`. */
  cut(): void {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Nothing arrives any more on the connections there are, and nobody is told; new ones wait as well. */
  freeze(): void {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.pause().unpipe();
  }

  /** Lets everybody through, to another server if one is given. Frozen connections stay frozen, as with a lost router. */
  mend(target = this.#target): void {
    this.#target = target;
    this.#isCut = false;
  }

  async close(): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, "close");
    rmSync(this.#directory, { recursive: true, force: true });
  }

  #carry(near: Socket): void {
    if (this.#isCut) {
      near.destroy();
      return;
    }
    const far = connect(this.#target);
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.add(socket);
      socket.on("error", () => socket.destroy());
      socket.once("close", () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
      socket.pipe(other);
    }
  }
}
