import { bytesKey } from "@latchkey/mls";
import type { Page, PageRequest } from "../storage.ts";

/** Reads under way that followers may share: the streams of one group all ask for the same when a message has come. */
export class SharedReads {
  #reads = new Map<string, Promise<Page>>();

  read(request: PageRequest, read: (request: PageRequest) => Promise<Page>): Promise<Page> {
    const { topic, direction, cursor, limit, maxBytes, reserve, isFollowing = false } = request;
    if (!isFollowing) return read(request);
    const key = `${bytesKey(topic)} ${direction} ${cursor} ${limit} ${maxBytes}`;
    const known = this.#reads.get(key);
    if (known !== undefined) {
      return known.then((page) => {
        for (const { payload } of page.entries) reserve?.(payload.length);
        return page;
      });
    }
    const reads = this.#reads;
    const begun = read(request).finally(() => reads.delete(key));
    reads.set(key, begun);
    return begun;
  }

  /** To be called before readers are woken: what they read must begin later. */
  forget(): void {
    this.#reads = new Map();
  }
}
