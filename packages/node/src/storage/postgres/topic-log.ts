import type { TopicLog } from "../storage.ts";
import { AppendQueue } from "./append-queue.ts";
import type { Connections } from "./connections.ts";
import { LogReads } from "./log-reads.ts";
import type { LogTable } from "./schema.ts";
import { SharedReads } from "./shared-reads.ts";
import type { StampFloor } from "./stamp-floor.ts";
import { TopicWatch } from "./topic-watch.ts";

/** How a log tells the other processes what it has appended. */
export interface Announcements {
  readonly tell: (topics: ReadonlyMap<string, bigint>) => void;
  readonly tellAll: () => void;
}

/** A TopicLog on one table, with its readers in this process. */
export function postgresTopicLog(
  connections: Connections,
  table: Exclude<LogTable, "identity_updates">,
  floor: StampFloor,
  announcements: Announcements,
): { readonly log: TopicLog; readonly watch: TopicWatch } {
  const reads = new LogReads(connections, table);
  const shared = new SharedReads();
  const watch = new TopicWatch(reads, () => shared.forget());
  const queue = new AppendQueue(connections, table, floor, {
    grown(topics) {
      for (const [topic, id] of topics) watch.grown(topic, id);
      announcements.tell(topics);
    },
    unknown: announcements.tellAll,
  });
  const log: TopicLog = {
    append: (envelopes) => queue.append(envelopes),
    read: (request) => shared.read(request, (page) => reads.page(page)),
    async newest(topic) {
      const newest = {
        topic,
        direction: "descending",
        cursor: 0n,
        limit: 1,
        maxBytes: Number.MAX_SAFE_INTEGER,
      } as const;
      return (await reads.page(newest)).entries[0];
    },
    heads: (topics) => reads.heads(topics),
    subscribe: (topics, wake) => watch.subscribe(topics, wake),
  };
  return { log, watch };
}
