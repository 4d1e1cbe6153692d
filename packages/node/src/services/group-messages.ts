import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { peekMlsMessage, type MessageHeader } from "@latchkey/mls";
import {
  GroupMessage_V1Schema,
  GroupMessageSchema,
  type GroupMessage,
  type GroupMessageInput,
  type MlsApi,
} from "@latchkey/xmtp/proto";
import { invalidRequest, requireAtMost } from "../errors.ts";
import type { Envelope, EnvelopeHead, NewEnvelope } from "../storage/storage.ts";
import { pageAnswer, pageRequest } from "./paging.ts";
import { requireEnvelope, requireSmall, requireTopic } from "./request-checks.ts";
import { ANSWER, answerBytes, answerSize, envelopeDigest, mapInTurns, publish, type NodeRuntime } from "./runtime.ts";
import { subscribe, takeFilters } from "./streams.ts";

type Methods = "sendGroupMessages" | "queryGroupMessages" | "getNewestGroupMessage" | "subscribeGroupMessages";

function readHeader(data: Uint8Array): MessageHeader {
  try {
    return peekMlsMessage(data);
  } catch {
    throw invalidRequest("the message is no MLSMessage");
  }
}

/** What is stored: the answer's message without id, time and group id, which the log keeps. */
function toEnvelope({ version }: GroupMessageInput, { limits }: NodeRuntime): NewEnvelope {
  if (version.case !== "v1") throw invalidRequest("the message has no version this node knows");
  const data = requireEnvelope("the message", version.value.data, limits);
  const { groupId, contentKind } = readHeader(data);
  if (groupId === undefined || contentKind === undefined) {
    throw invalidRequest("only public and private MLS messages belong to a group");
  }
  const topic = requireTopic("the group id", groupId, limits);
  const message = create(GroupMessage_V1Schema, {
    data,
    senderHmac: requireSmall("the sender's HMAC", version.value.senderHmac),
    shouldPush: version.value.shouldPush,
    // XMTP's nodes say this of commits and of proposals; clients look for themselves.
    isCommit: contentKind !== "application",
  });
  const kind = contentKind === "application" ? contentKind : "handshake";
  return { topic, kind, payload: toBinary(GroupMessage_V1Schema, message), digest: envelopeDigest(topic, data) };
}

function toMessage(groupId: Uint8Array, { id, createdNs, payload }: Envelope): GroupMessage {
  const value = fromBinary(GroupMessage_V1Schema, payload);
  return create(GroupMessageSchema, { version: { case: "v1", value: { ...value, id, createdNs, groupId } } });
}

/** What XMTP's nodes answer without content: id, time, group id and whether it is a handshake message. */
function toBareMessage(groupId: Uint8Array, { id, createdNs, kind }: EnvelopeHead): GroupMessage {
  const value = create(GroupMessage_V1Schema, { id, createdNs, groupId, isCommit: kind === "handshake" });
  return create(GroupMessageSchema, { version: { case: "v1", value } });
}

/** The newest message of each group without content. Payloads are read of messages only whose kind no column has. */
async function newestHeads(
  { store, limits }: NodeRuntime,
  groupIds: readonly Uint8Array[],
): Promise<{ groupMessage?: GroupMessage }[]> {
  const heads = await store.groupMessages.heads(groupIds);
  const countRead = answerSize(limits.lookupBytes);
  return mapInTurns(groupIds, async (groupId, read, index) => {
    const head = heads[index];
    if (head === undefined) return {};
    if (head.kind !== undefined) return { groupMessage: toBareMessage(groupId, head) };
    const newest = await store.groupMessages.newest(groupId);
    if (newest === undefined) return {};
    read(newest.payload.length);
    countRead(newest.payload.length);
    const { isCommit } = fromBinary(GroupMessage_V1Schema, newest.payload);
    return { groupMessage: toBareMessage(groupId, { ...newest, kind: isCommit ? "handshake" : "application" }) };
  });
}

/** The methods of MlsApi about group messages. */
export function groupMessageMethods(runtime: NodeRuntime): Pick<ServiceImpl<typeof MlsApi>, Methods> {
  const { store, limits } = runtime;
  const log = store.groupMessages;
  const name = "group_messages";

  return {
    async sendGroupMessages({ messages }) {
      requireAtMost("a batch", messages.length, limits.batchEntries, "messages");
      const envelopes = messages.map((message) => toEnvelope(message, runtime));
      await publish(runtime, { name, log }, envelopes);
      return {};
    },

    async queryGroupMessages({ groupId, pagingInfo }, { values }) {
      const request = pageRequest(
        requireTopic("the group id", groupId, limits),
        pagingInfo,
        limits,
        answerBytes(limits, values),
      );
      const page = await log.read({ ...request, reserve: values.get(ANSWER).add });
      return {
        messages: page.entries.map((entry) => toMessage(groupId, entry)),
        pagingInfo: pageAnswer(request, page),
      };
    },

    async getNewestGroupMessage({ groupIds, includeContent }, { values }) {
      requireAtMost("the request", groupIds.length, limits.lookupEntries, "group ids");
      for (const groupId of groupIds) requireTopic("a group id", groupId, limits);
      if (!includeContent) return { responses: await newestHeads(runtime, groupIds) };
      const count = answerSize(answerBytes(limits, values), values.get(ANSWER));
      const responses = await mapInTurns(groupIds, async (groupId, read) => {
        const newest = await log.newest(groupId);
        if (newest === undefined) return {};
        read(newest.payload.length);
        count(newest.payload.length);
        return { groupMessage: toMessage(groupId, newest) };
      });
      return { responses };
    },

    async *subscribeGroupMessages(request, context: HandlerContext) {
      const cursors = takeFilters(request, limits.streamFilters, ({ groupId }) =>
        requireTopic("a group id", groupId, limits),
      );
      for await (const { topic, envelope } of subscribe({ runtime, name, log, context }, cursors)) {
        yield toMessage(topic, envelope);
      }
    },
  };
}
