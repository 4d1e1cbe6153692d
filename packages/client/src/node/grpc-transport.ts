import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { requireText } from "@latchkey/mls";
import { clientError } from "../errors.ts";
import { connectTransport } from "../transport/connect-transport.ts";
import type { Transport } from "../transport/transport.ts";

/** Largest message a node delivers: 25 MiB. */
const MAX_MESSAGE_BYTES = 25 * 1024 * 1024;

/** Pings on open connections, in milliseconds: as often as XMTP's own clients. */
const PING_INTERVAL_MS = 16_000;

/**
 * gRPC over HTTP/2 to the node at `nodeUrl`, connected when it is first used; `http:` is HTTP/2 in the clear, for a node
 * on the same machine. Throws NODE_REJECTED when the address is none.
 */
export function grpcTransport(nodeUrl: string): Transport {
  const protocol = URL.parse(requireText(nodeUrl, "nodeUrl"))?.protocol;
  if (protocol !== "http:" && protocol !== "https:") {
    throw clientError("NODE_REJECTED", "the address of the node has to begin with http:// or https://");
  }
  const sessions = new Http2SessionManager(nodeUrl, { pingIntervalMs: PING_INTERVAL_MS });
  const rpc = createGrpcTransport({ baseUrl: nodeUrl, sessionManager: sessions, readMaxBytes: MAX_MESSAGE_BYTES });
  return connectTransport(rpc, () => sessions.abort());
}
