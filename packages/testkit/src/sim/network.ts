import { LatchkeyError } from "@latchkey/mls";
import { CLIENT_LIMITS, type Environment, type SlotService, type Transport } from "@latchkey/client";
import type { Faults } from "./faults.ts";
import type { Process } from "./process.ts";
import type { World } from "./world.ts";

/** Milliseconds after which a stream that hears nothing is cut, where streams are cut. */
const STREAM_PATIENCE_MS = 8_000;

function unreachable(what: string): LatchkeyError {
  return new LatchkeyError("NODE_UNREACHABLE", `no answer to ${what} (simulated)`, { retryable: true });
}

/** The network between one process and the world: each call is a request and an answer, and each has its fate. */
export class Line {
  readonly #world: World;
  readonly #faults: Faults;
  readonly #process: Process;

  constructor(world: World, faults: Faults, process: Process) {
    this.#world = world;
    this.#faults = faults;
    this.#process = process;
  }

  /** `deliver` is what the world does when the request arrives, which may happen twice, or when nobody waits any more. */
  #call<T>(what: string, signal: AbortSignal | undefined, deliver: () => Promise<T>): Promise<T> {
    const process = this.#process;
    if (process.isDead) return new Promise(() => undefined);
    const { scheduler } = this.#world;
    const fate = this.#faults.ofRequest();
    const name = `${process.name} ${what}`;
    return new Promise<T>((resolve, reject) => {
      let isOpen = true;
      const end = (finish: () => void) => {
        if (!isOpen) return;
        isOpen = false;
        patience.cancel();
        signal?.removeEventListener("abort", abort);
        // What died waits for ever: nothing of it goes on.
        if (!process.isDead) finish();
      };
      const abort = () => end(() => reject(asError(signal?.reason)));
      const patience = scheduler.after(CLIENT_LIMITS.callTimeoutMs, "", () => end(() => reject(unreachable(what))));
      if (signal?.aborted === true) {
        abort();
        return;
      }
      signal?.addEventListener("abort", abort, { once: true });
      const answer = (finish: () => void) => {
        if (fate.answerAfterMs !== undefined) scheduler.after(fate.answerAfterMs, `< ${name}`, () => end(finish));
      };
      const arrive = async () => {
        if (this.#world.isDown || process.isOffline) {
          answer(() => reject(unreachable(what)));
          return;
        }
        try {
          const result = await deliver();
          answer(() => resolve(result));
        } catch (error) {
          answer(() => reject(asError(error)));
        }
      };
      const again = async () => {
        if (!this.#world.isDown) await deliver().catch(() => undefined);
      };
      if (fate.arrivesAfterMs === undefined) scheduler.note(`lost ${name}`);
      else scheduler.after(fate.arrivesAfterMs, `> ${name}`, arrive);
      if (fate.againAfterMs !== undefined) scheduler.after(fate.againAfterMs, `>> ${name}`, again);
    });
  }

  /** The stream of a topic: what is there, then whatever comes, until the line breaks. */
  async *#stream<T extends { readonly id: bigint }>(
    what: string,
    afterId: bigint,
    signal: AbortSignal,
    read: (afterId: bigint) => Promise<{ readonly items: readonly T[]; readonly complete: boolean }>,
  ): AsyncGenerator<T, void, void> {
    let position = afterId;
    for (;;) {
      const growth = this.#world.grown();
      const page = await this.#call(what, signal, () => read(position));
      for (const item of page.items) {
        if (item.id <= position) continue;
        position = item.id;
        yield item;
      }
      if (page.complete) await this.#untilGrown(what, growth, signal);
    }
  }

  #untilGrown(what: string, growth: Promise<void>, signal: AbortSignal): Promise<void> {
    const process = this.#process;
    if (process.isDead) return new Promise(() => undefined);
    const { scheduler } = this.#world;
    return new Promise((resolve, reject) => {
      const breaks = this.#faults.has("network");
      const end = (finish: () => void) => {
        patience?.cancel();
        signal.removeEventListener("abort", abort);
        if (!process.isDead) finish();
      };
      const abort = () => end(() => reject(asError(signal.reason)));
      const cut = () => {
        this.#faults.count("streams cut");
        end(() => reject(unreachable(what)));
      };
      const patience = breaks ? scheduler.after(STREAM_PATIENCE_MS, `cut ${process.name} ${what}`, cut) : undefined;
      if (signal.aborted) {
        abort();
        return;
      }
      signal.addEventListener("abort", abort, { once: true });
      void growth.then(() => end(resolve));
    });
  }

  get transport(): Transport {
    const world = this.#world;
    const { name, sent } = this.#process;
    const group: Pick<Transport, "sendGroupMessages" | "queryGroupMessages" | "subscribeGroupMessages"> = {
      sendGroupMessages: (messages, signal) => {
        for (const { data } of messages) sent(data);
        return this.#call("sends", signal, () => world.publish(name, messages));
      },
      queryGroupMessages: (position, signal) => this.#call("reads", signal, () => world.read(name, position)),
      subscribeGroupMessages: ({ topic, afterId }, signal) =>
        this.#stream("streams", afterId, signal, (from) => world.read(name, { topic, afterId: from })),
    };
    const welcomes: Pick<Transport, "sendWelcomeMessages" | "queryWelcomeMessages" | "subscribeWelcomeMessages"> = {
      sendWelcomeMessages: (messages, signal) =>
        this.#call("welcomes", signal, () => world.transport.sendWelcomeMessages(messages)),
      queryWelcomeMessages: (position, signal) =>
        this.#call("reads welcomes", signal, () => world.transport.queryWelcomeMessages(position)),
      subscribeWelcomeMessages: ({ topic, afterId }, signal) =>
        this.#stream("streams welcomes", afterId, signal, (from) =>
          world.transport.queryWelcomeMessages({ topic, afterId: from }),
        ),
    };
    return {
      ...group,
      ...welcomes,
      uploadKeyPackage: (bytes, signal) =>
        this.#call("uploads a key package", signal, () => world.transport.uploadKeyPackage(bytes)),
      fetchKeyPackages: (keys, signal) =>
        this.#call("fetches key packages", signal, () => world.transport.fetchKeyPackages(keys)),
      publishIdentityUpdate: (update, signal) =>
        this.#call("publishes identity", signal, () => world.transport.publishIdentityUpdate(update)),
      getIdentityUpdates: (requests, signal) =>
        this.#call("reads identities", signal, () => world.identities(name, requests)),
      getInboxId: (address, signal) => this.#call("asks for inbox", signal, () => world.transport.getInboxId(address)),
      close: () => undefined,
    };
  }

  get slots(): SlotService {
    const world = this.#world;
    return {
      upload: (slot, blob, signal) => this.#call("uploads blob", signal, () => uploaded(world.uploadBlob(slot, blob))),
      fetch: (slot, { joining = false, unless, signal } = {}) =>
        this.#call("fetches blobs", signal, async () => {
          const { blobs, tag, waiting } = await world.slot(slot, joining);
          if (blobs.length > 0) return { blobs: tag === unless ? undefined : blobs, tag, waiting };
          throw new LatchkeyError("INVITE_UNKNOWN_SLOT", "nothing in this slot (simulated)", { retryable: true });
        }),
      exists: (slot, epoch, digest, signal) =>
        this.#call("asks for blob", signal, () => world.hasBlob(slot, epoch, digest)),
    };
  }

  get clock(): Environment["clock"] {
    const { scheduler } = this.#world;
    const process = this.#process;
    return {
      nowNs: () => scheduler.nowNs + process.skewNs,
      monotonicNs: () => scheduler.nowNs,
      timeout(ms) {
        const controller = new AbortController();
        scheduler.after(ms, "", () => {
          if (!process.isDead) controller.abort();
        });
        return controller.signal;
      },
      sleep: (ms, signal) =>
        new Promise((resolve, reject) => {
          const stop = () => {
            timer.cancel();
            if (!process.isDead) reject(asError(signal?.reason));
          };
          const timer = scheduler.after(ms, "", () => {
            signal?.removeEventListener("abort", stop);
            if (!process.isDead) resolve();
          });
          if (signal?.aborted === true) stop();
          else signal?.addEventListener("abort", stop, { once: true });
        }),
    };
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

/** A refusal of the invite service as its adapter for HTTP tells it. */
async function uploaded(upload: Promise<boolean>): Promise<undefined> {
  const refusal = "the invite service refused a blob (simulated)";
  const admitted = await upload.catch((cause: unknown) => {
    throw new LatchkeyError("NODE_REJECTED", refusal, { cause });
  });
  if (!admitted) throw new LatchkeyError("INVITE_SLOT_CLOSED", refusal);
  return undefined;
}
