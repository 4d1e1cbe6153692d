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
import type { Envelope, NewEnvelope } from "../storage/storage.ts";
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
  return { topic, payload: toBinary(GroupMessage_V1Schema, message), digest: envelopeDigest(topic, data) };
}

function toMessage(groupId: Uint8Array, { id, createdNs, payload }: Envelope): GroupMessage {
  const value = fromBinary(GroupMessage_V1Schema, payload);
  return create(GroupMessageSchema, { version: { case: "v1", value: { ...value, id, createdNs, groupId } } });
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
      const count = answerSize(answerBytes(limits, values), values.get(ANSWER));
      const countRead = answerSize(limits.lookupBytes);
      const responses = await mapInTurns(groupIds, async (groupId, read) => {
        const newest = await log.newest(requireTopic("a group id", groupId, limits));
        if (newest === undefined) return {};
        read(newest.payload.length);
        countRead(newest.payload.length);
        const groupMessage = toMessage(groupId, newest);
        if (!includeContent && groupMessage.version.case === "v1") groupMessage.version.value.data = new Uint8Array();
        count(includeContent ? newest.payload.length : 0);
        return { groupMessage };
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
