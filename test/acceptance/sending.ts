import type { TestContext } from "node:test";
import type { Environment, FailedMessage, Group } from "@latchkey/client";
import { LatchkeyError } from "@latchkey/mls";
import { groupOf, World, type Device, type Wrap } from "./support.ts";

type Transport = Environment["transport"];
/** Publishes what was to be published, over the own line unless told otherwise. */
type Forward = (through?: Transport) => Promise<void>;

export const cut = () =>
  new LatchkeyError("NODE_UNREACHABLE", "the line was cut (made up by a test)", { retryable: true });
export const limited = () =>
  new LatchkeyError("RATE_LIMITED", "too many requests (made up by a test)", { retryable: true, retryAfterMs: 7 });
export const rejected = () => new LatchkeyError("NODE_REJECTED", "refused (made up by a test)");

/** The line of one device to its node, as a test wants it, and what its client told. */
export class Line {
  /** In place of publishing; undefined publishes. */
  send: ((forward: Forward) => Promise<void>) | undefined;
  /** Thrown by every look into a group's log. */
  queryError: (() => unknown) | undefined;
  published = 0;
  readonly failed: FailedMessage[] = [];
  /** Messages that a proxy has taken and not passed on. */
  readonly held: Forward[] = [];

  readonly wrap: Wrap = (environment) => {
    const { transport } = environment;
    const sendGroupMessages: typeof transport.sendGroupMessages = (messages, signal) => {
      this.published += messages.length;
      const forward = (through: Transport = transport) => through.sendGroupMessages(messages);
      return this.send === undefined ? transport.sendGroupMessages(messages, signal) : this.send(forward);
    };
    const queryGroupMessages: typeof transport.queryGroupMessages = async (position, signal) => {
      if (this.queryError !== undefined) throw this.queryError();
      return transport.queryGroupMessages(position, signal);
    };
    return {
      ...environment,
      transport: { ...transport, sendGroupMessages, queryGroupMessages },
      onMessageFailed: (failed) => {
        this.failed.push(failed);
        throw new Error("a listener of the application fails");
      },
    };
  };

  /** Nothing goes through, in either direction. */
  down(): void {
    this.send = () => Promise.reject(cut());
    this.queryError = cut;
  }

  /** What is published is taken and not passed on; there is no answer. */
  hold(): void {
    this.send = (forward) => {
      this.held.push(forward);
      return Promise.reject(cut());
    };
  }

  up(): void {
    this.send = undefined;
    this.queryError = undefined;
  }

  /** The proxy passes on what it has, over the line of another device. */
  async release({ environment }: Device): Promise<void> {
    for (const forward of this.held.splice(0)) await forward(environment.transport);
  }
}

/** A sender with a line of its own, and a reader; the reader made the group. */
export async function pair(t: TestContext) {
  const world = await World.start(t);
  const line = new Line();
  const reader = await world.device("reader");
  const sender = await world.device("sender", { wrap: line.wrap });
  const readerGroup = await reader.client.conversations.createGroup([sender.client.inboxId], { name: "Queue" });
  await sender.client.conversations.sync();
  const group = () => groupOf(sender, readerGroup.id);
  const restart = () => world.restart(sender, line.wrap);
  return { world, line, reader, sender, readerGroup, group, restart };
}

/** Texts that wait or failed, with their states. */
export const states = (group: Group) => group.queue().map(({ text, state, error }) => [text, state, error]);
