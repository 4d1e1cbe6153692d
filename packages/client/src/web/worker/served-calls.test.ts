import assert from "node:assert/strict";
import { test } from "node:test";
import { clientError } from "../../errors.ts";
import type { Outcome, Progress } from "../protocol.ts";
import type { OpenClient } from "./open-client.ts";
import { ServedCalls } from "./served-calls.ts";

/** A client whose synchronizations end when told. */
function clientThatSyncs() {
  const syncs: PromiseWithResolvers<unknown[]>[] = [];
  const signals: AbortSignal[] = [];
  const client = {
    conversations: {
      sync({ signal }: { signal: AbortSignal }) {
        const sync = Promise.withResolvers<unknown[]>();
        signal.addEventListener("abort", () => sync.reject(signal.reason as Error));
        syncs.push(sync);
        signals.push(signal);
        return sync.promise;
      },
    },
  };
  const open = { client, live: { look: () => undefined } } as unknown as OpenClient;
  return { calls: new ServedCalls(open), syncs, signals };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

test("WEB-05 the same call runs once, however many tabs ask for it, and all of them hear its outcome", async () => {
  const { calls, syncs } = clientThatSyncs();
  const heard: [string, Outcome | Progress][] = [];
  for (const tab of ["one", "two", "one"]) {
    calls.serve({ id: "call", method: "sync", args: [] }, tab, (message) => heard.push([tab, message]));
  }
  assert.equal(syncs.length, 1);
  syncs[0]?.resolve([]);
  await settled();
  calls.serve({ id: "call", method: "sync", args: [] }, "three", (message) => heard.push(["three", message]));
  const done = { kind: "done", id: "call", value: undefined };
  assert.deepEqual(heard, [
    ["one", done],
    ["two", done],
    ["three", done],
  ]);
  assert.equal(syncs.length, 1);
});

test("WEB-05 a call that its leader gives up is answered by nobody: its tab asks the next leader", async () => {
  const { calls, syncs } = clientThatSyncs();
  const heard: unknown[] = [];
  calls.serve({ id: "call", method: "sync", args: [] }, "tab", (message) => heard.push(message));
  syncs[0]?.reject(clientError("CLIENT_CLOSED", "the client is closed"));
  await settled();
  assert.deepEqual(heard, []);
});

test("a call that its page takes back ends, and an unknown one says that the page is of another version", async () => {
  const { calls, signals } = clientThatSyncs();
  const heard: (Outcome | Progress)[] = [];
  calls.serve({ id: "call", method: "sync", args: [] }, "tab", (message) => heard.push(message));
  calls.abort("call");
  for (const method of ["unknown", "constructor", "__proto__"]) {
    calls.serve({ id: method, method, args: [] }, "tab", (message) => heard.push(message));
  }
  await settled();
  assert.equal(signals[0]?.aborted, true);
  const codes = heard.map((message) => (message.kind === "failed" ? message.error.code : message.kind));
  assert.deepEqual(codes.sort(), ["ARGUMENT_INVALID", "ARGUMENT_INVALID", "ARGUMENT_INVALID", "JOIN_ABORTED"]);
});
