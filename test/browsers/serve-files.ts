import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { pageHeaders } from "@latchkey/node/internals";
import type { BuiltFile } from "./build.ts";

/** Files on loopback. */
export interface ServedFiles {
  readonly url: string;
  /** How many requests came. */
  readonly asked: number;
  close(): void;
}

/** Serves files on loopback with the headers of the page. */
export async function serveFiles(files: Readonly<Record<string, BuiltFile>>): Promise<ServedFiles> {
  let asked = 0;
  const server = createServer((request, response) => {
    asked++;
    const file = files[request.url ?? ""];
    if (file === undefined) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { "content-type": file.type, ...pageHeaders(file.role, { connect: [] }) });
    response.end(file.bytes);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get asked() {
      return asked;
    },
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
