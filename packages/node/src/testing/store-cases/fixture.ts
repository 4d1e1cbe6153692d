import { createHash } from "node:crypto";
import { utf8 } from "@latchkey/mls";
import type { NewEnvelope, NewIdentityUpdate, PageRequest, Store, TopicLog } from "../../storage/storage.ts";

/** A store under test: empty at first, with a clock that the suite sets. */
export interface StoreFixture {
  readonly store: Store;
  /** Sets the clock that the store stamps by. */
  setClock(nowNs: bigint): void | Promise<void>;
  /** Whether the store's stamps never go back over all topics, although its clock does. */
  readonly keepsTime?: boolean;
  /** Another store on the same data, as another process would have it; left out where one process has the data. */
  readonly another?: () => Promise<Store>;
  /** Closes the store and opens the same data again. */
  reopen(): Promise<Store>;
  dispose(): Promise<void>;
}

/** Registers one case, which gets a fixture of its own. */
export type StoreTest = (title: string, run: (fixture: StoreFixture, store: Store) => Promise<void>) => void;

/** Topics of the cases. */
export const TOPIC = utf8("topic");
export const OTHER = utf8("other topic");

/** SHA-256 over the parts behind each other. */
export function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return new Uint8Array(hash.digest());
}

/** An envelope whose payload is a text. */
export function envelope(text: string, topic = TOPIC): NewEnvelope {
  const payload = utf8(text);
  return { topic, payload, digest: sha256(topic, payload) };
}

/** A page of a log as texts; the whole topic unless the request says otherwise. */
export async function read(
  log: TopicLog,
  request: Partial<PageRequest> = {},
): Promise<{ texts: string[]; more: boolean }> {
  const all: PageRequest = { topic: TOPIC, direction: "ascending", cursor: 0n, limit: 100, maxBytes: 1_000_000 };
  const page = await log.read({ ...all, ...request });
  return { texts: page.entries.map((entry) => Buffer.from(entry.payload).toString()), more: page.more };
}

/** An identity update whose payload is a text. */
export function identityUpdate(
  text: string,
  expectedLastId: bigint,
  fields: Partial<NewIdentityUpdate>,
): NewIdentityUpdate {
  const payload = utf8(text);
  const update = { inboxId: "inbox", payload, digest: sha256(payload), expectedLastId, added: [], removed: [] };
  return { ...update, ...fields };
}
