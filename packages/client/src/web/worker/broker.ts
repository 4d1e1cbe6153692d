import { clientError, codeOf } from "../../errors.ts";
import type {
  BetweenWorkers,
  ClientEvent,
  ClientState,
  FromWorker,
  OpenOptions,
  Outcome,
  Progress,
  WireCall,
  WireError,
} from "../protocol.ts";
import { toWire } from "../wire-errors.ts";
import { openClient, type OpenClient, type Place } from "./open-client.ts";
import { ServedCalls } from "./served-calls.ts";

/** How long a leader may take to say that it has heard, in milliseconds; one that is frozen never does. */
const SILENCE_MS = 2_000;

/** What a worker needs of its surroundings. */
export interface BrokerOptions {
  readonly options: OpenOptions;
  readonly place: Place;
  readonly toPage: (message: FromWorker) => void;
}

/** This tab as the leader. */
interface Leading {
  readonly retire: () => void;
  /** Undefined while it opens. */
  served?: ServedCalls;
  open?: OpenClient;
  state?: ClientState;
}

/**
 * Serves the calls of one page: by itself while this worker has the database, through the worker of another tab
 * otherwise. The one with the Web Lock leads. Only visible pages ask for it; a hidden one gives it up, unless a visible
 * page works through it.
 */
export class Broker {
  readonly #tab = crypto.randomUUID();
  #options: OpenOptions;
  readonly #place: Place;
  readonly #toPage: BrokerOptions["toPage"];
  readonly #channel: BroadcastChannel;
  /** Calls of the own page that have not ended, in their order. */
  readonly #calls = new Map<string, WireCall>();
  /** Tabs that are visible and work through this one. */
  readonly #followers = new Set<string>();
  #leading: Leading | undefined;
  #asking: AbortController | undefined;
  /** Ends when this tab no longer waits for the lock nor has it. */
  #turn: Promise<void> | undefined;
  /** Why this tab could not open the database. */
  #failure: WireError | undefined;
  #silence: ReturnType<typeof setTimeout> | undefined;
  #visible: boolean;

  constructor({ options, place, toPage }: BrokerOptions) {
    this.#options = options;
    this.#place = place;
    this.#toPage = toPage;
    this.#visible = options.visible;
    this.#channel = new BroadcastChannel(`${options.name}-calls`);
    this.#channel.onmessage = ({ data }: MessageEvent<BetweenWorkers>) => this.#heard(data);
    this.#tell({ kind: "starting" });
    this.#arrive();
  }

  call(call: WireCall): void {
    this.#calls.set(call.id, call);
    this.#dispatch(call);
  }

  abort(id: string): void {
    this.#leading?.served?.abort(id);
    this.#send({ to: "leader", from: this.#tab, abort: id });
  }

  visible(visible: boolean): void {
    this.#visible = visible;
    if (visible) this.#arrive();
    else this.#hide();
  }

  /** Opens again after a failure, with `identity` in the place of what the page said first. */
  retry(identity: OpenOptions["identity"]): void {
    this.#options = { ...this.#options, identity };
    this.#failure = undefined;
    this.#tell({ kind: "starting" });
    this.#arrive();
  }

  /** Reads at once what may have come: the network is there again. */
  look(): void {
    this.#leading?.open?.live.look();
  }

  /** Resolves when the database is closed. */
  async close(): Promise<void> {
    this.#visible = false;
    this.#leave();
    this.#asking?.abort();
    this.#leading?.retire();
    this.#channel.close();
    await this.#turn;
  }

  #arrive(): void {
    this.#send({ to: "leader", from: this.#tab, presence: "visible" });
    if (this.#leading === undefined) {
      this.#expectAnswer();
      this.#ask();
    } else this.look();
  }

  #hide(): void {
    this.#leave();
    this.#asking?.abort();
    this.#retireUnlessNeeded();
  }

  #leave(): void {
    this.#send({ to: "leader", from: this.#tab, presence: "gone" });
  }

  #retireUnlessNeeded(): void {
    if (this.#visible) return;
    // A hidden page of a phone is frozen at any moment, whoever works through it.
    if (this.#options.handheld || this.#followers.size === 0) this.#leading?.retire();
  }

  /** Asks for the lock, once; leads as long as it has it. */
  #ask(): void {
    if (this.#asking !== undefined) return;
    const asking = new AbortController();
    this.#asking = asking;
    const { signal } = asking;
    this.#turn = navigator.locks
      .request(`${this.#options.name}-database`, { signal }, () => this.#lead())
      .catch(() => undefined)
      .then(() => {
        this.#asking = undefined;
        // Shown again while it gave the database up.
        if (this.#visible && this.#failure === undefined) this.#ask();
      });
  }

  async #lead(): Promise<void> {
    const retired = Promise.withResolvers<undefined>();
    const leading: Leading = { retire: () => retired.resolve(undefined) };
    this.#leading = leading;
    clearTimeout(this.#silence);
    try {
      await this.#place.take();
      try {
        const open = await openClient(this.#place, this.#options, (event) => this.#event(event));
        leading.open = open;
        leading.served = new ServedCalls(open);
        this.#announce({ kind: "ready", isLeader: false, isKept: this.#place.isKept });
        await retired.promise;
      } finally {
        leading.open?.close();
        this.#place.give();
      }
    } catch (error) {
      this.#fail(toWire(error));
    } finally {
      this.#leading = undefined;
      this.#followers.clear();
    }
  }

  #announce(state: ClientState): void {
    if (this.#leading !== undefined) this.#leading.state = state;
    this.#send({ to: "all", leading: state });
    this.#follow(state, true);
  }

  /** A leader is there: what waits is asked of it. */
  #follow(state: ClientState, isLeader: boolean): void {
    clearTimeout(this.#silence);
    this.#failure = undefined;
    this.#tell(state.kind === "ready" ? { ...state, isLeader } : state);
    if (state.kind === "ready") for (const call of this.#calls.values()) this.#dispatch(call);
  }

  /** Ends the calls that wait: this tab cannot open the database. Another one that waits for the lock tries next. */
  #fail(error: WireError): void {
    this.#failure = error;
    this.#tell({ kind: "failed", error });
    for (const id of [...this.#calls.keys()]) this.#end({ kind: "failed", id, error });
  }

  #dispatch(call: WireCall): void {
    const served = this.#leading?.served;
    if (served !== undefined) {
      served.serve(call, this.#tab, (message) => this.#hears(message));
      return;
    }
    if (this.#failure !== undefined) {
      this.#end({ kind: "failed", id: call.id, error: this.#failure });
      return;
    }
    // While this tab opens the database the call waits.
    if (this.#leading !== undefined) return;
    this.#send({ to: "leader", from: this.#tab, call });
    this.#expectAnswer();
  }

  /** A leader that says nothing is frozen: the person is told, and everything goes on by itself when it wakes up. */
  #expectAnswer(): void {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => {
      void navigator.locks.query().then(({ held = [] }) => {
        const isHeld = held.some(({ name }) => name === `${this.#options.name}-database`);
        if (isHeld && this.#leading === undefined && this.#visible) this.#tell({ kind: "elsewhere" });
      });
    }, SILENCE_MS);
  }

  #heard(message: BetweenWorkers): void {
    switch (message.to) {
      case "leader":
        if (this.#leading !== undefined) this.#heardFrom(message);
        return;
      case "one":
        if (message.tab !== this.#tab) return;
        clearTimeout(this.#silence);
        if ("message" in message) this.#hears(message.message);
        return;
      case "all":
        if ("event" in message) this.#toPage({ kind: "event", event: message.event });
        else if (this.#leading === undefined) this.#follow(message.leading, false);
    }
  }

  #heardFrom(message: Extract<BetweenWorkers, { to: "leader" }>): void {
    const { from: tab } = message;
    const { served, state } = this.#leading ?? {};
    if ("abort" in message) served?.abort(message.abort);
    else if ("presence" in message) {
      if (message.presence === "gone") {
        this.#followers.delete(tab);
        this.#retireUnlessNeeded();
      } else {
        this.#followers.add(tab);
        if (state !== undefined) this.#send({ to: "all", leading: state });
      }
    } else {
      this.#send({ to: "one", tab, taken: message.call.id });
      served?.serve(message.call, tab, (answer) => this.#send({ to: "one", tab, message: answer }));
    }
  }

  #hears(message: Outcome | Progress): void {
    if (message.kind === "progress") this.#toPage(message);
    else this.#end(message);
  }

  #end(outcome: Outcome): void {
    // Two leaders may both have answered.
    if (this.#calls.delete(outcome.id)) this.#toPage(outcome);
  }

  #event(event: ClientEvent): void {
    this.#toPage({ kind: "event", event });
    this.#send({ to: "all", event });
  }

  #tell(state: ClientState): void {
    this.#toPage({ kind: "state", state });
  }

  #send(message: BetweenWorkers): void {
    try {
      this.#channel.postMessage(message);
    } catch (error) {
      if (codeOf(error) !== undefined) throw error;
      // The channel is closed: nobody is left to hear it.
      if (error instanceof DOMException && error.name === "InvalidStateError") return;
      throw clientError("DEFECT", "a message between tabs cannot be copied", { cause: error });
    }
  }
}
