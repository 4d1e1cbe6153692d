import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Metrics } from "../metrics.ts";
import type { HttpResponse } from "./exchange.ts";

/** Only programs on the machine of the node read its metrics. */
const HOST = "127.0.0.1";

/** A listener for `/metrics` alone, which no flood on the node's own port keeps from being answered. */
export interface MetricsServer {
  readonly url: string;
  close(): Promise<void>;
}

/** Answers with all metrics in Prometheus's text format. */
export async function sendMetrics({ registry }: Metrics, response: HttpResponse): Promise<void> {
  const text = await registry.metrics();
  response.writeHead(200, { "content-type": registry.contentType });
  response.end(text);
}

/** Listens for `GET /metrics` on 127.0.0.1; throws Node's error when the port is taken. */
export async function listenForMetrics(port: number, metrics: Metrics): Promise<MetricsServer> {
  const server = createServer((request, response) => {
    if (request.url === "/metrics" && request.method === "GET") void sendMetrics(metrics, response);
    else response.writeHead(404).end();
  });
  server.listen(port, HOST);
  await once(server, "listening");
  return {
    url: `http://${HOST}:${(server.address() as AddressInfo).port}`,
    async close() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
