import { create } from "@bufbuild/protobuf";
import { createClient, type CallOptions, type Client, type Transport as RpcTransport } from "@connectrpc/connect";
import { requireFunction, requireMethods } from "@latchkey/mls";
import { IDENTITY_AS_OF_HEADER } from "@latchkey/xmtp";
import {
  IdentityApi,
  MlsApi,
  SortDirection,
  WelcomeMessageInputSchema,
  type GetIdentityUpdatesResponse_IdentityUpdateLog,
  type GroupMessage,
  type PagingInfo,
  type WelcomeMessage,
} from "@latchkey/xmtp/proto";
import { clientError } from "../errors.ts";
import { CLIENT_LIMITS } from "../limits.ts";
import { inParts } from "./in-parts.ts";
import { networkError, type NetworkErrorOptions } from "./network-errors.ts";
import type { Envelope, IdentityLogEntry, Page, Position, Transport, WelcomeEnvelope } from "./transport.ts";

const INT64_MAX = (1n << 63n) - 1n;

function malformed(what: string): never {
  throw clientError("NODE_REJECTED", `the node answered ${what} with something malformed`, { data: { call: what } });
}

/** Ids and times have to fit the store's signed integers; id 0 means "nothing yet". */
function checkEnvelope<T extends Pick<Envelope, "id" | "createdNs">>(envelope: T, what: string): T {
  const { id, createdNs } = envelope;
  if (id === 0n || id > INT64_MAX || createdNs > INT64_MAX) malformed(what);
  return envelope;
}

function groupEnvelope(message: GroupMessage): Envelope {
  if (message.version.case !== "v1") malformed("QueryGroupMessages");
  const { id, createdNs, data } = message.version.value;
  return checkEnvelope({ id, createdNs, data }, "QueryGroupMessages");
}

function welcomeEnvelope({ version }: WelcomeMessage): WelcomeEnvelope {
  const what = "QueryWelcomeMessages";
  if (version.case === "v1") {
    const { id, createdNs, data, hpkePublicKey, welcomeMetadata, wrapperAlgorithm } = version.value;
    const wrapped = { data, hpkePublicKey, welcomeMetadata, wrapperAlgorithm };
    return checkEnvelope({ kind: "welcome", id, createdNs, ...wrapped }, what);
  }
  if (version.case === undefined) return malformed(what);
  const { id, createdNs, welcomePointer, hpkePublicKey, wrapperAlgorithm } = version.value;
  return checkEnvelope({ kind: "pointer", id, createdNs, welcomePointer, hpkePublicKey, wrapperAlgorithm }, what);
}

/** A page is the last one when it names no place to go on; short ones need not be, a node may cut pages by bytes. */
function pageOf<T>(items: readonly T[], paging: PagingInfo | undefined): Page<T> {
  return { items, complete: items.length === 0 || (paging?.idCursor ?? 0n) === 0n };
}

function pagingFrom(position: Position) {
  return { direction: SortDirection.ASCENDING, limit: CLIENT_LIMITS.pageSize, idCursor: position.afterId };
}

/** The time up to which all answers are complete; undefined when one does not say. */
function earliest(times: readonly (bigint | undefined)[]): bigint | undefined {
  const known = times.filter((time) => time !== undefined);
  return known.length < times.length ? undefined : known.sort((one, other) => (one < other ? -1 : 1))[0];
}

function sameLength(answer: readonly unknown[], request: readonly unknown[], what: string): void {
  if (answer.length !== request.length) malformed(what);
}

/** Runs calls with their timeout, gives errors their code, and refuses everything once it is closed. */
class Caller {
  readonly #closing = new AbortController();

  /** A call whose request the caller made. */
  call<T>(what: string, signal: AbortSignal | undefined, run: (options: CallOptions) => Promise<T>): Promise<T> {
    return this.#run(what, signal, run, {});
  }

  /** A call whose request holds what others wrote: that a node refuses it is their fault, and no trouble of the node. */
  lookUp<T>(what: string, signal: AbortSignal | undefined, run: (options: CallOptions) => Promise<T>): Promise<T> {
    return this.#run(what, signal, run, { scope: "message" });
  }

  async #run<T>(
    what: string,
    signal: AbortSignal | undefined,
    run: (options: CallOptions) => Promise<T>,
    told: NetworkErrorOptions,
  ): Promise<T> {
    this.#closing.signal.throwIfAborted();
    try {
      return await run({ timeoutMs: CLIENT_LIMITS.callTimeoutMs, ...(signal === undefined ? {} : { signal }) });
    } catch (error) {
      throw networkError(error, what, signal, told);
    }
  }

  async *stream<M, T>(
    what: string,
    signal: AbortSignal,
    open: (options: CallOptions) => AsyncIterable<M>,
    convert: (message: M) => T,
  ): AsyncGenerator<T, void, void> {
    const stop = AbortSignal.any([signal, this.#closing.signal]);
    stop.throwIfAborted();
    try {
      for await (const message of open({ signal: stop, timeoutMs: 0 })) yield convert(message);
    } catch (error) {
      throw networkError(error, what, stop);
    }
  }

  close(): void {
    this.#closing.abort(clientError("CLIENT_CLOSED", "the client is closed; create it again"));
  }
}

type GroupMethods = Pick<
  Transport,
  "sendGroupMessages" | "queryGroupMessages" | "newestGroupMessages" | "subscribeGroupMessages"
>;

function groupMethods(mls: Client<typeof MlsApi>, caller: Caller): GroupMethods {
  return {
    async sendGroupMessages(messages, signal) {
      const inputs = messages.map((message) => ({ version: { case: "v1" as const, value: message } }));
      await caller.call("SendGroupMessages", signal, (options) => mls.sendGroupMessages({ messages: inputs }, options));
    },
    queryGroupMessages(position, signal) {
      return caller.lookUp("QueryGroupMessages", signal, async (options) => {
        const request = { groupId: position.topic, pagingInfo: pagingFrom(position) };
        const answer = await mls.queryGroupMessages(request, options);
        return pageOf(answer.messages.map(groupEnvelope), answer.pagingInfo);
      });
    },
    newestGroupMessages(groupIds, signal) {
      return inParts(groupIds, CLIENT_LIMITS.lookUpKeys, (part) =>
        caller.lookUp("GetNewestGroupMessage", signal, async (options) => {
          const answer = await mls.getNewestGroupMessage({ groupIds: [...part] }, options);
          sameLength(answer.responses, part, "GetNewestGroupMessage");
          return answer.responses.map(({ groupMessage }) => groupMessage?.version.value?.id);
        }),
      );
    },
    subscribeGroupMessages(position, signal) {
      const filters = [{ groupId: position.topic, idCursor: position.afterId }];
      const open = (options: CallOptions) => mls.subscribeGroupMessages({ filters }, options);
      return caller.stream("SubscribeGroupMessages", signal, open, groupEnvelope);
    },
  };
}

type WelcomeMethods = Pick<Transport, "sendWelcomeMessages" | "queryWelcomeMessages" | "subscribeWelcomeMessages">;

function welcomeMethods(mls: Client<typeof MlsApi>, caller: Caller): WelcomeMethods {
  return {
    async sendWelcomeMessages(messages, signal) {
      const inputs = messages.map((input) => create(WelcomeMessageInputSchema, input));
      await caller.call("SendWelcomeMessages", signal, (options) =>
        mls.sendWelcomeMessages({ messages: inputs }, options),
      );
    },
    queryWelcomeMessages(position, signal) {
      return caller.lookUp("QueryWelcomeMessages", signal, async (options) => {
        const request = { installationKey: position.topic, pagingInfo: pagingFrom(position) };
        const answer = await mls.queryWelcomeMessages(request, options);
        return pageOf(answer.messages.map(welcomeEnvelope), answer.pagingInfo);
      });
    },
    subscribeWelcomeMessages(position, signal) {
      const filters = [{ installationKey: position.topic, idCursor: position.afterId }];
      const open = (options: CallOptions) => mls.subscribeWelcomeMessages({ filters }, options);
      return caller.stream("SubscribeWelcomeMessages", signal, open, welcomeEnvelope);
    },
  };
}

function keyPackageMethods(
  mls: Client<typeof MlsApi>,
  caller: Caller,
): Pick<Transport, "uploadKeyPackage" | "fetchKeyPackages"> {
  return {
    async uploadKeyPackage(keyPackage, signal) {
      const request = { keyPackage: { keyPackageTlsSerialized: keyPackage }, isInboxIdCredential: true };
      await caller.call("UploadKeyPackage", signal, (options) => mls.uploadKeyPackage(request, options));
    },
    fetchKeyPackages(installationKeys, signal) {
      return inParts(installationKeys, CLIENT_LIMITS.lookUpKeys, (part) =>
        caller.lookUp("FetchKeyPackages", signal, async (options) => {
          const answer = await mls.fetchKeyPackages({ installationKeys: [...part] }, options);
          sameLength(answer.keyPackages, part, "FetchKeyPackages");
          return answer.keyPackages.map(({ keyPackageTlsSerialized: bytes }) =>
            bytes.length === 0 ? undefined : bytes,
          );
        }),
      );
    },
  };
}

function logEntry({
  sequenceId,
  serverTimestampNs,
  update,
}: GetIdentityUpdatesResponse_IdentityUpdateLog): IdentityLogEntry {
  const fits = sequenceId <= INT64_MAX && serverTimestampNs <= INT64_MAX;
  if (update === undefined || !fits) return malformed("GetIdentityUpdates");
  return { sequenceId, serverTimestampNs, update };
}

/** A time in a header; undefined for anything else. */
function timeOf(header: string | null): bigint | undefined {
  if (header === null || !/^\d{1,19}$/.test(header)) return undefined;
  const timeNs = BigInt(header);
  return timeNs > INT64_MAX ? undefined : timeNs;
}

type IdentityMethods = Pick<
  Transport,
  "publishIdentityUpdate" | "getIdentityUpdates" | "verifyContractSignatures" | "getInboxId"
>;

function identityMethods(identity: Client<typeof IdentityApi>, caller: Caller): IdentityMethods {
  return {
    async publishIdentityUpdate(update, signal) {
      await caller.call("PublishIdentityUpdate", signal, (options) =>
        identity.publishIdentityUpdate({ identityUpdate: update }, options),
      );
    },
    async getIdentityUpdates(requests, signal) {
      const times: (bigint | undefined)[] = [];
      const ask = (part: typeof requests) =>
        caller.lookUp("GetIdentityUpdates", signal, async (options) => {
          const wire = part.map(({ inboxId, afterSequenceId }) => ({ inboxId, sequenceId: afterSequenceId }));
          let asOfNs: bigint | undefined;
          const onHeader = (headers: Headers) => void (asOfNs = timeOf(headers.get(IDENTITY_AS_OF_HEADER)));
          const { responses } = await identity.getIdentityUpdates({ requests: wire }, { ...options, onHeader });
          sameLength(responses, part, "GetIdentityUpdates");
          times.push(asOfNs);
          return responses.map(({ inboxId, updates }, index) => {
            if (inboxId !== part[index]?.inboxId) malformed("GetIdentityUpdates");
            return updates.map(logEntry);
          });
        });
      // A log that no node hands out is to everybody as if it were not there.
      const logs = (await inParts(requests, CLIENT_LIMITS.lookUpKeys, ask)).map((log) => log ?? []);
      return Object.assign(logs, { asOfNs: earliest(times) });
    },
    verifyContractSignatures(questions, signal) {
      return caller.call("VerifySmartContractWalletSignatures", signal, async (options) => {
        const signatures = questions.map(({ accountId, blockNumber, signature, hash }) => {
          return { accountId, blockNumber, signature, hash };
        });
        const { responses } = await identity.verifySmartContractWalletSignatures({ signatures }, options);
        sameLength(responses, questions, "VerifySmartContractWalletSignatures");
        return responses.map(({ isValid }) => isValid);
      });
    },
    getInboxId(address, signal) {
      return caller.call("GetInboxIds", signal, async (options) => {
        const { responses } = await identity.getInboxIds({ requests: [{ identifier: address }] }, options);
        return responses[0]?.inboxId;
      });
    },
  };
}

/** XMTP's MlsApi and IdentityApi over any RPC transport of Connect; `close` frees what lies below. */
export function connectTransport(rpc: RpcTransport, close: () => void): Transport {
  requireMethods<RpcTransport>("unary", "stream")(rpc, "rpc");
  requireFunction()(close, "close");
  const mls = createClient(MlsApi, rpc);
  const caller = new Caller();
  return {
    ...groupMethods(mls, caller),
    ...welcomeMethods(mls, caller),
    ...keyPackageMethods(mls, caller),
    ...identityMethods(createClient(IdentityApi, rpc), caller),
    close() {
      caller.close();
      close();
    },
  };
}
