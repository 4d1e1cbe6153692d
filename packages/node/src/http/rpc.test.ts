import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, constants, createServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { MlsApi } from "@latchkey/xmtp/proto";
import { FREE_LEASE } from "../quota.ts";
import { NODE_LIMITS } from "../limits.ts";
import { openSqliteStore } from "../storage/sqlite/store.ts";
import { RateLimiter } from "../rate-limiter.ts";
import { cleanUp, runtimeOf, temporaryDirectory } from "../testing/support.ts";
import type { Outcome } from "./report.ts";
import { createRpcHandlers } from "./rpc.ts";

const PATH = "/xmtp.mls.api.v1.MlsApi/QueryGroupMessages";

for (const contentType of ["application/grpc", "application/proto"]) {
  test(`NODE a client that is gone before its answer is written holds nothing up (${contentType})`, async (t) => {
    const called = Promise.withResolvers<undefined>();
    const answer = Promise.withResolvers<undefined>();
    const store = openSqliteStore({
      dataDir: temporaryDirectory(t),
      maxBytes: NODE_LIMITS.databaseBytes,
      clock: () => 0n,
    });
    cleanUp(t, () => store.close());
    const handlers = createRpcHandlers({
      runtime: runtimeOf(store, () => 0n),
      limiter: new RateLimiter({ burst: 1, perSecond: 1, maxKeys: 1, monotonicMs: () => 0 }),
      stopping: new AbortController().signal,
      routes: (router) =>
        router.service(MlsApi, {
          async queryGroupMessages() {
            called.resolve(undefined);
            await answer.promise;
            return {};
          },
        }),
    });
    const outcome = Promise.withResolvers<Outcome | undefined>();
    const gone = Promise.withResolvers<undefined>();
    const server = createServer((request, response) => {
      response.once("close", () => gone.resolve(undefined));
      outcome.resolve(handlers.get(PATH)?.(request, response, { peer: "peer", running: FREE_LEASE }));
    });
    cleanUp(t, () => server.close());
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const session = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    cleanUp(t, () => session.close());

    const call = session.request({ ":method": "POST", ":path": PATH, "content-type": contentType });
    call.on("error", () => undefined);
    call.end(contentType === "application/grpc" ? Buffer.alloc(5) : undefined);
    await called.promise;
    call.close(constants.NGHTTP2_CANCEL);
    await gone.promise;
    answer.resolve(undefined);
    assert.equal((await outcome.promise)?.method, "QueryGroupMessages");
  });
}
