import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { WelcomeMessageSchema, type MlsApi, type WelcomeMessage, type WelcomeMessageInput } from "@latchkey/xmtp/proto";
import { invalidRequest, requireAtMost } from "../errors.ts";
import type { Envelope, NewEnvelope } from "../storage/storage.ts";
import { pageAnswer, pageRequest } from "./paging.ts";
import { requireEnvelope, requireSmall, requireTopic } from "./request-checks.ts";
import { ANSWER, answerBytes, envelopeDigest, publish, type NodeRuntime } from "./runtime.ts";
import { subscribe, takeFilters } from "./streams.ts";

type Methods = "sendWelcomeMessages" | "queryWelcomeMessages" | "subscribeWelcomeMessages";

/** The answer's message without id, time and installation key, which the log keeps. */
function storedForm({ version }: WelcomeMessageInput, { limits }: NodeRuntime): WelcomeMessage {
  switch (version.case) {
    case "v1": {
      const { data, hpkePublicKey, wrapperAlgorithm, welcomeMetadata } = version.value;
      requireEnvelope("the Welcome", data, limits);
      requireSmall("the HPKE public key", hpkePublicKey);
      requireSmall("the Welcome's metadata", welcomeMetadata);
      const value = { data, hpkePublicKey, wrapperAlgorithm, welcomeMetadata };
      return create(WelcomeMessageSchema, { version: { case: "v1", value } });
    }
    case "welcomePointer": {
      const { welcomePointer, hpkePublicKey, wrapperAlgorithm } = version.value;
      requireEnvelope("the Welcome pointer", welcomePointer, limits);
      requireSmall("the HPKE public key", hpkePublicKey);
      const value = { welcomePointer, hpkePublicKey, wrapperAlgorithm };
      return create(WelcomeMessageSchema, { version: { case: "welcomePointer", value } });
    }
    default:
      throw invalidRequest("the Welcome has no version this node knows");
  }
}

function toEnvelope(input: WelcomeMessageInput, runtime: NodeRuntime): NewEnvelope {
  const payload = toBinary(WelcomeMessageSchema, storedForm(input, runtime));
  const installationKey = input.version.value?.installationKey ?? new Uint8Array();
  const topic = requireTopic("the installation key", installationKey, runtime.limits);
  return { topic, payload, digest: envelopeDigest(topic, payload) };
}

function toMessage(installationKey: Uint8Array, { id, createdNs, payload }: Envelope): WelcomeMessage {
  const message = fromBinary(WelcomeMessageSchema, payload);
  if (message.version.case !== undefined) Object.assign(message.version.value, { id, createdNs, installationKey });
  return message;
}

/** The methods of MlsApi about Welcomes, which are addressed to installations or to random destinations. */
export function welcomeMethods(runtime: NodeRuntime): Pick<ServiceImpl<typeof MlsApi>, Methods> {
  const { store, limits } = runtime;
  const log = store.welcomes;
  const name = "welcomes";

  return {
    async sendWelcomeMessages({ messages }) {
      requireAtMost("a batch", messages.length, limits.batchEntries, "messages");
      const envelopes = messages.map((message) => toEnvelope(message, runtime));
      await publish(runtime, { name, log }, envelopes);
      return {};
    },

    async queryWelcomeMessages({ installationKey, pagingInfo }, { values }) {
      const request = pageRequest(
        requireTopic("the installation key", installationKey, limits),
        pagingInfo,
        limits,
        answerBytes(limits, values),
      );
      const page = await log.read({ ...request, reserve: values.get(ANSWER).add });
      return {
        messages: page.entries.map((entry) => toMessage(installationKey, entry)),
        pagingInfo: pageAnswer(request, page),
      };
    },

    async *subscribeWelcomeMessages(request, context: HandlerContext) {
      const cursors = takeFilters(request, limits.streamFilters, ({ installationKey }) =>
        requireTopic("an installation key", installationKey, limits),
      );
      for await (const { topic, envelope } of subscribe({ runtime, name, log, context }, cursors)) {
        yield toMessage(topic, envelope);
      }
    },
  };
}
