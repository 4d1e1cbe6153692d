import { LatchkeyError } from "@latchkey/mls";
import type { Environment, OutgoingMessage, Store, Tables, Transport } from "@latchkey/client";
import type { Fault } from "./fault.ts";
import { digestOf } from "./store-state.ts";

/** Thrown in place of everything once the process counts as dead; not of the error family, so that nothing handles it. */
export class ProcessDied extends Error {
  override readonly name = "ProcessDied";
}

/** What an injector tells while the operation runs; a process about to be killed has to have told it before. */
export interface FaultEvents {
  /** Bytes of a group message that the client hands to the network, delivered or not. */
  sent(message: Uint8Array): void;
  /** The digest that the database must have after the death that comes now. */
  dies(digest: string): void;
  /** What is done instead of dying, for `kill`. */
  kill?(): never;
  /** Another process tries to open the database. */
  intrude?(): Promise<void>;
}

type IdentityUpdateRecord = Parameters<Tables["identityUpdates"]["put"]>[0];

type Call = () => Promise<unknown>;

/** Pages that a database may grow by while an operation runs: plenty for each of them. */
export const SPARE_PAGES = 256;

/** A row that takes more than the spare pages. */
const FILLER: IdentityUpdateRecord = {
  inboxId: "filler",
  sequenceId: 0n,
  serverTimestampNs: 0n,
  update: new Uint8Array(2 * SPARE_PAGES * 4096),
};

const SUBSCRIPTIONS: ReadonlySet<PropertyKey> = new Set(["subscribeGroupMessages", "subscribeWelcomeMessages"]);

/** Runs every method of `target` through `around`, which may refuse. */
function wrapped<T extends object>(
  target: T,
  around: (name: PropertyKey, args: unknown[], call: () => unknown) => unknown,
): T {
  return new Proxy(target, {
    get(_, name) {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== "function") return value;
      return (...args: unknown[]): unknown =>
        around(name, args, () => Reflect.apply(value as (...all: unknown[]) => unknown, target, args));
    },
  });
}

/** Counts the transactions and network calls of one client and lets one fault happen to it, once it is armed. */
export class FaultInjector {
  transactions = 0;
  calls = 0;
  armed = false;
  /** Whether the fault has happened. */
  struck = false;
  /** Requests that arrive when everybody has gone on. */
  readonly late: Call[] = [];
  readonly #fault: Fault;
  readonly #events: FaultEvents;
  #rival: Uint8Array | undefined;
  #dead = false;

  /** `rival` is a commit of somebody else that reaches the node right before the first message of this client. */
  constructor(fault: Fault, events: FaultEvents, rival?: Uint8Array) {
    this.#fault = fault;
    this.#events = events;
    this.#rival = rival;
  }

  /** The environment with the fault in it. Its transport stays open until `environment` itself is closed. */
  wrap(environment: Environment): Environment {
    const { store, transport, slots, clock } = environment;
    const alive = (call: () => unknown): unknown => {
      this.#refuseWhenDead();
      return call();
    };
    return {
      ...environment,
      store: this.#wrapStore(store),
      transport: wrapped(transport, (name, args, call) => {
        if (name === "close") return undefined;
        if (SUBSCRIPTIONS.has(name)) return alive(call);
        if (name !== "sendGroupMessages") return this.#call(String(name), call as Call);
        this.#noteSent(args[0] as readonly OutgoingMessage[]);
        return this.#overtaken(transport).then(() => this.#call(name, call as Call));
      }),
      slots: wrapped(slots, (name, _, call) => this.#call(String(name), call as Call)),
      clock: wrapped(clock, (_, __, call) => alive(call)),
    };
  }

  #refuseWhenDead(): void {
    if (this.#dead) throw new ProcessDied("the process is dead");
  }

  /** Lets the rival's commit pass. */
  async #overtaken(transport: Transport): Promise<void> {
    const rival = this.#rival;
    if (rival === undefined || !this.armed || this.#dead) return;
    this.#rival = undefined;
    await transport.sendGroupMessages([{ data: rival, senderHmac: new Uint8Array(32), shouldPush: false }]);
  }

  #noteSent(messages: readonly OutgoingMessage[]): void {
    if (!this.#dead) for (const { data } of messages) this.#events.sent(data);
  }

  #wrapStore(store: Store): Store {
    const tables = Object.fromEntries(
      Object.entries(store as unknown as Record<string, object>).map(([name, table]) => [
        name,
        wrapped(table, (_, __, call) => (this.#refuseWhenDead(), call())),
      ]),
    ) as unknown as Store;
    return {
      ...tables,
      transaction: (write) => this.#transaction(store, write),
      close: () => {
        store.close();
      },
    };
  }

  #transaction<T>(store: Store, write: (tables: Tables) => T): T {
    this.#refuseWhenDead();
    if (!this.armed) return store.transaction(write);
    this.transactions++;
    const fault = this.#fault;
    if (
      (fault.kind === "full" && fault.at <= this.transactions) ||
      (fault.kind === "tight" && fault.at === this.transactions)
    ) {
      this.struck = true;
      return store.transaction((tables) => {
        write(tables);
        // More than `maxPages` lets in: SQLite itself refuses it, with everything that was written before.
        tables.identityUpdates.put(FILLER);
        throw new Error("the disk was meant to be full");
      });
    }
    if ((fault.kind !== "death" && fault.kind !== "kill") || fault.at !== this.transactions) {
      return store.transaction(write);
    }
    if (fault.phase === "before") return this.#die(store);
    if (fault.phase === "after") {
      store.transaction(write);
      return this.#die(store);
    }
    this.#events.dies(digestOf(store));
    return store.transaction((tables) => {
      write(tables);
      return this.#end();
    });
  }

  #die(store: Store): never {
    this.#events.dies(digestOf(store));
    return this.#end();
  }

  #end(): never {
    this.struck = true;
    this.#dead = true;
    if (this.#events.kill !== undefined) this.#events.kill();
    throw new ProcessDied("the process dies here");
  }

  async #call(name: string, call: Call): Promise<unknown> {
    this.#refuseWhenDead();
    if (!this.armed) return call();
    this.calls++;
    const fault = this.#fault;
    if (fault.kind === "busy" && fault.at === this.calls) {
      this.struck = true;
      await this.#events.intrude?.();
    }
    if (fault.kind !== "cut" && fault.kind !== "glitch") return this.#answer(call);
    if (fault.kind === "cut" && this.calls > fault.at) throw unanswered(name);
    if (this.calls !== fault.at) return this.#answer(call);
    this.struck = true;
    if (fault.moment === "during") this.late.push(call);
    // An error of the node is lost on the way as well.
    if (fault.moment === "after") await call().catch(() => undefined);
    throw unanswered(name);
  }

  async #answer(call: Call): Promise<unknown> {
    const answer = await call();
    this.#refuseWhenDead();
    return answer;
  }
}

function unanswered(name: string): LatchkeyError {
  return new LatchkeyError("NODE_UNREACHABLE", `no answer to ${name} (made up by a test)`, { retryable: true });
}
