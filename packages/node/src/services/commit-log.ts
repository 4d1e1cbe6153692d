import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import { CommitLogEntrySchema, type MlsApi, type PublishCommitLogRequest } from "@latchkey/xmtp/proto";
import { invalidRequest, requireAtMost } from "../errors.ts";
import type { NewEnvelope } from "../storage/storage.ts";
import { pageAnswer, pageRequest } from "./paging.ts";
import { requireSmall, requireTopic } from "./request-checks.ts";
import { ANSWER, answerBytes, answerSize, envelopeDigest, mapInTurns, publish, type NodeRuntime } from "./runtime.ts";

type Methods = "batchPublishCommitLog" | "batchQueryCommitLog";

function toEnvelope(request: PublishCommitLogRequest, { limits }: NodeRuntime): NewEnvelope {
  const topic = requireTopic("the group id", request.groupId, limits);
  const { serializedCommitLogEntry, signature } = request;
  if (serializedCommitLogEntry.length === 0) throw invalidRequest("the commit log entry is empty");
  requireSmall("the commit log entry", serializedCommitLogEntry);
  requireSmall("the entry's signature", signature?.bytes ?? new Uint8Array());
  const entry = create(CommitLogEntrySchema, { serializedCommitLogEntry });
  if (signature !== undefined) entry.signature = signature;
  const payload = toBinary(CommitLogEntrySchema, entry);
  return { topic, payload, digest: envelopeDigest(topic, payload) };
}

/** The methods of MlsApi about the commit log, by which members find out about forks; the node does not read it. */
export function commitLogMethods(runtime: NodeRuntime): Pick<ServiceImpl<typeof MlsApi>, Methods> {
  const { store, limits } = runtime;
  const log = store.commitLog;

  return {
    async batchPublishCommitLog({ requests }) {
      requireAtMost("a batch", requests.length, limits.batchEntries, "entries");
      const envelopes = requests.map((request) => toEnvelope(request, runtime));
      await publish(runtime, { name: "commit_log", log }, envelopes);
      return {};
    },

    async batchQueryCommitLog({ requests }, { values }) {
      requireAtMost("the request", requests.length, limits.lookupEntries, "group ids");
      const count = answerSize(answerBytes(limits, values), values.get(ANSWER));
      const responses = await mapInTurns(requests, async ({ groupId, pagingInfo }, read) => {
        const request = pageRequest(
          requireTopic("a group id", groupId, limits),
          pagingInfo,
          limits,
          answerBytes(limits, values),
        );
        const page = await log.read(request);
        for (const { payload } of page.entries) {
          read(payload.length);
          count(payload.length);
        }
        return {
          groupId,
          commitLogEntries: page.entries.map(({ id, payload }) => {
            const entry = fromBinary(CommitLogEntrySchema, payload);
            entry.sequenceId = id;
            return entry;
          }),
          pagingInfo: pageAnswer(request, page),
        };
      });
      return { responses };
    },
  };
}
