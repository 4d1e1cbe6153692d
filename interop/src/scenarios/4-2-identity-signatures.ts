import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { replayIdentityLog, type AssociationState } from "@latchkey/xmtp";
import { IdentityApi, type IdentityUpdate } from "@latchkey/xmtp/proto";
import { identityProbes } from "../../../packages/xmtp/src/testing/probes.ts";
import type { NativeInboxState } from "../native-library.ts";
import type { Scenario } from "../stage.ts";

/** A node that serves one identity log, whatever inbox is asked for. */
async function serveLogs() {
  let log: readonly IdentityUpdate[] = [];
  const server = createServer(
    connectNodeAdapter({
      routes: ({ service }) =>
        service(IdentityApi, {
          getIdentityUpdates: ({ requests }) => ({
            responses: requests.map(({ inboxId }) => ({
              inboxId,
              updates: log.map((update, index) => ({
                sequenceId: BigInt(index + 1),
                serverTimestampNs: BigInt(index + 1),
                update,
              })),
            })),
          }),
        }),
    }),
  );
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    serve: (updates: readonly IdentityUpdate[]) => void (log = updates),
    close: () => server.close(),
  };
}

interface Summary {
  readonly recovery: string;
  readonly installations: readonly string[];
  readonly identifiers: readonly string[];
}

function summaryOfNative({ recoveryIdentifier, installations, identifiers }: NativeInboxState): Summary {
  return {
    recovery: `${recoveryIdentifier.identifierKind} ${recoveryIdentifier.identifier}`,
    installations: installations.map(({ id }) => id).sort(),
    identifiers: identifiers.map(({ identifier, identifierKind }) => `${identifierKind} ${identifier}`).sort(),
  };
}

function summaryOf(state: AssociationState): Summary {
  const kinds = { ethereum: 0, passkey: 1 };
  const { kind, value } = state.recoveryIdentifier;
  return {
    recovery: `${kinds[kind]} ${value}`,
    installations: [...state.installations()].sort(),
    identifiers: [...state.members.values()]
      .flatMap(({ identifier }) =>
        identifier.kind === "installation" ? [] : [`${kinds[identifier.kind]} ${identifier.value}`],
      )
      .sort(),
  };
}

async function attempt<T>(action: () => T | Promise<T>): Promise<T | undefined> {
  try {
    return await action();
  } catch {
    return undefined;
  }
}

export const scenario: Scenario = {
  title: "4.2 identity signatures",
  async run({ library, step }) {
    const node = await serveLogs();
    try {
      const backend = await new library.BackendBuilder("Local").setApiUrl(node.url).build();
      await step("on every probe the verdict and the state are the same", async () => {
        const differing: string[] = [];
        for (const { title, log, holds } of identityProbes()) {
          node.serve(log);
          const inboxId = log[0]?.inboxId ?? "";
          const theirs = await attempt(async () => {
            const [state] = await library.fetchInboxStatesByInboxIds(backend, [inboxId]);
            return state && summaryOfNative(state);
          });
          const ours = await attempt(() => {
            const state = replayIdentityLog(log);
            return state && summaryOf(state);
          });
          const same = JSON.stringify(theirs) === JSON.stringify(ours) && holds === (theirs !== undefined);
          if (!same) differing.push(`${title}: native ${JSON.stringify(theirs)}, ours ${JSON.stringify(ours)}`);
        }
        assert.deepEqual(differing, []);
      });
    } finally {
      node.close();
    }
  },
};
