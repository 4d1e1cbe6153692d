import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  connectTransport,
  slotKeys,
  type Envelope,
  type Page,
  type Position,
  type Slot,
  type Transport,
} from "@latchkey/client";
import { toHex } from "@latchkey/mls";
import { openInProcess, type InProcessNode, type SlotAnswer } from "@latchkey/node/internals";
import type { Scheduler } from "./scheduler.ts";

/** Where the files of the nodes go: memory, where the machine has such a place. */
const SHARED_MEMORY = "/dev/shm";

/** True for what a reader shall not see yet, or ever. */
export type Veil = (reader: string, envelope: Envelope) => boolean;

/** The identity logs that were asked for, with the time that the answer is of. */
export type IdentityAnswer = Awaited<ReturnType<Transport["getIdentityUpdates"]>>;

/** Makes of an answer what the operator gives to one reader. */
export type Lens<T> = (reader: string, answer: T) => T;

/**
 * The node and the invite slots: the real services on their real storage, reached by function calls. What a hostile
 * operator can do is done here, in front of the services.
 */
export class World {
  readonly scheduler: Scheduler;
  /** Does not answer anybody. */
  isDown = false;
  /** What the operator hides, from whom. */
  readonly veils = new Set<Veil>();
  /** What the operator changes in pages of group logs, and in identity logs. */
  readonly pageLenses = new Set<Lens<Page<Envelope>>>();
  readonly identityLenses = new Set<Lens<IdentityAnswer>>();
  /** Inboxes that only messages of a forbidden shape name: honest clients never ask about them. */
  readonly madeUp = new Set<string>();
  /** Told of each question about a made-up inbox. */
  onMadeUp: (reader: string) => void = () => undefined;
  /** Runs before the node takes a group message, for an operator that wants to be first. */
  beforePublish: ((data: Uint8Array) => Promise<void>) | undefined;
  /** Who has sent each group message first, by its hex. */
  readonly publishers = new Map<string, string>();
  #node: InProcessNode;
  #transport: Transport;
  readonly #directory: string;
  readonly #waiting: (() => void)[] = [];

  constructor(scheduler: Scheduler) {
    this.scheduler = scheduler;
    this.#directory = mkdtempSync(join(existing(SHARED_MEMORY) ?? tmpdir(), "latchkey-sim-"));
    this.#node = this.#open();
    this.#transport = connectTransport(this.#node.rpc, () => undefined);
  }

  #open(): InProcessNode {
    return openInProcess({ dataDir: this.#directory, nowNs: () => this.scheduler.nowNs });
  }

  /** The node's side of a client's calls, for the device of that name. */
  get transport(): Transport {
    return this.#transport;
  }

  /** Ends the node's process and begins another one on what the first one has stored. */
  async restart(): Promise<void> {
    await this.#node.close();
    this.#node = this.#open();
    this.#transport = connectTransport(this.#node.rpc, () => undefined);
  }

  async publish(sender: string, messages: Parameters<Transport["sendGroupMessages"]>[0]): Promise<void> {
    for (const { data } of messages) {
      const key = toHex(data);
      if (!this.publishers.has(key)) this.publishers.set(key, sender);
      await this.beforePublish?.(data);
    }
    await this.#transport.sendGroupMessages(messages);
    this.#wake();
  }

  /** A page of a group's log as that reader is shown it. */
  async read(reader: string, position: Position): Promise<Page<Envelope>> {
    let { afterId } = position;
    for (;;) {
      const page = await this.#transport.queryGroupMessages({ topic: position.topic, afterId });
      const items = page.items.filter((envelope) => ![...this.veils].some((veil) => veil(reader, envelope)));
      const last = page.items.at(-1);
      if (items.length > 0 || page.complete || last === undefined) {
        return through(this.pageLenses, reader, { items, complete: page.complete });
      }
      afterId = last.id;
    }
  }

  /** Identity logs as that reader is shown them. */
  async identities(reader: string, requests: Parameters<Transport["getIdentityUpdates"]>[0]): Promise<IdentityAnswer> {
    if (requests.some(({ inboxId }) => this.madeUp.has(inboxId))) this.onMadeUp(reader);
    return through(this.identityLenses, reader, await this.#transport.getIdentityUpdates(requests));
  }

  /** The whole log of a group as it is stored. */
  async log(groupId: Uint8Array): Promise<Envelope[]> {
    const all: Envelope[] = [];
    for (;;) {
      const page = await this.#transport.queryGroupMessages({ topic: groupId, afterId: all.at(-1)?.id ?? 0n });
      all.push(...page.items);
      if (page.complete) return all;
    }
  }

  /** Puts bytes into a group's log as no client could: unread, and again if they are there already. */
  async inject(groupId: Uint8Array, data: Uint8Array): Promise<void> {
    await this.#node.inject(groupId, data);
    this.#wake();
  }

  /** Resolves when some log has grown. */
  grown(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  /** Tries the present credential, then those before it, as the adapter for HTTP does; false when none admits. */
  async uploadBlob({ externalGroupId, credentials }: Slot, blob: Uint8Array): Promise<boolean> {
    const { slots } = this.#node;
    if (credentials === undefined) return (await slots.put(externalGroupId, blob, {})) !== "forbidden";
    for (const { credential, nextHash } of slotKeys(credentials)) {
      const writer = { credentialHash: sha256(credential), nextHash };
      if ((await slots.put(externalGroupId, blob, writer)) !== "forbidden") return true;
    }
    return false;
  }

  slot({ externalGroupId }: Slot, joining: boolean): Promise<SlotAnswer> {
    return this.#node.slots.list(externalGroupId, joining);
  }

  hasBlob({ externalGroupId }: Slot, epoch: bigint, digest: Uint8Array): Promise<boolean> {
    return this.#node.slots.has(externalGroupId, epoch, digest);
  }

  async close(): Promise<void> {
    await this.#node.close();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

function through<T>(lenses: ReadonlySet<Lens<T>>, reader: string, answer: T): T {
  return [...lenses].reduce((seen, lens) => lens(reader, seen), answer);
}

function sha256(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(createHash("sha256").update(bytes).digest());
}

function existing(path: string): string | undefined {
  return existsSync(path) ? path : undefined;
}
