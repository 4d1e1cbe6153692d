import { createClient, type Client } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import { MlsApi } from "@latchkey/xmtp/proto";
import { clientError } from "../../errors.ts";
import { connectTransport } from "../../transport/connect-transport.ts";
import type { Transport } from "../../transport/transport.ts";

/** The way to a node by `fetch`. */
export interface WebTransport {
  readonly transport: Transport;
  /** For the one subscription to all groups. */
  readonly mls: Client<typeof MlsApi>;
}

/** gRPC-web to the node at `nodeUrl`. Throws NODE_REJECTED when the address is none. */
export function webTransport(nodeUrl: string): WebTransport {
  if (!/^https?:$/.test(URL.parse(nodeUrl)?.protocol ?? "")) {
    throw clientError("NODE_REJECTED", "the address of the node has to begin with http:// or https://");
  }
  const rpc = createGrpcWebTransport({ baseUrl: nodeUrl });
  // Requests that run are ended by their signals; fetch has nothing to close.
  return { transport: connectTransport(rpc, () => undefined), mls: createClient(MlsApi, rpc) };
}
