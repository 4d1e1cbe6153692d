import { equalBytes, utf8 } from "@latchkey/mls";
import { nodeCrypto } from "@latchkey/mls/node";
import { seededRandom, type SeededRandom } from "../random.ts";
import { Disagreement, type Change, type Client, type World } from "./client.ts";
import { latchkeyClient } from "./latchkey-client.ts";
import { Mailboxes } from "./mailboxes.ts";
import { tsMlsClient } from "./ts-mls-client.ts";

/** Values that RFC 9420 §13.5 reserves for nothing, so that nobody gets used to knowing all there are. */
const GREASE = Array.from({ length: 15 }, (_, index) => 0x0a0a + index * 0x1010);

/** How long a history is and how large its group may get. */
export interface HistoryOptions {
  readonly seed: number;
  readonly cipherSuite: number;
  readonly steps: number;
  readonly maxMembers: number;
}

/** What happened, so that a reader sees what the agreement covers. */
export interface HistoryCounts {
  readonly [what: string]: number;
}

/** A proposal of the current epoch, with the client that an Add is for. */
export interface Planned {
  readonly change: Change;
  /** Who proposed it. */
  readonly by: Client;
  readonly joiner?: Client;
}

/** A group whose members run on different engines, and what waits in its current epoch. */
export class History {
  readonly world: World;
  readonly random: SeededRandom;
  readonly maxMembers: number;
  readonly mailboxes: Mailboxes;
  readonly members: Client[] = [];
  /** Sent in this epoch, waiting for a commit by reference. */
  pending: Planned[] = [];
  /** The epoch in which each member joined, which tells whose resumption PSKs it has. */
  readonly since = new Map<Client, bigint>();
  /** What is being done, for the report of a disagreement. */
  doing = "nothing";
  readonly #counts = new Map<string, number>();
  #named = 0;

  constructor({ seed, cipherSuite, maxMembers }: HistoryOptions) {
    this.random = seededRandom(seed * 8 + cipherSuite);
    this.world = { cipherSuite, groupId: utf8(`history ${seed}`), psks: new Map() };
    this.maxMembers = maxMembers;
    this.mailboxes = new Mailboxes(this.random);
  }

  count(what: string): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + 1);
  }

  get counts(): HistoryCounts {
    return Object.fromEntries([...this.#counts].sort(([a], [b]) => a.localeCompare(b)));
  }

  get epoch(): bigint {
    return this.random.pick(this.members).epoch();
  }

  /** A client with a fresh identity on either engine. */
  async newClient(): Promise<Client> {
    const suite = nodeCrypto.suite(this.world.cipherSuite);
    const grease = GREASE.filter(() => this.random.chance(0.2));
    const signatureKeyPair = await suite.generateSignatureKeyPair();
    const identity = { name: `c${this.#named++}`, suite, signatureKeyPair, grease };
    return this.random.chance(0.5) ? latchkeyClient(this.world, identity) : tsMlsClient(this.world, identity);
  }

  /** A fresh external PSK that all clients know. */
  newPsk(): Change {
    const name = `psk ${this.world.psks.size}`;
    const suite = nodeCrypto.suite(this.world.cipherSuite);
    this.world.psks.set(name, suite.randomBytes(suite.hashLength));
    return { kind: "psk", psk: { kind: "external", name, nonce: suite.randomBytes(suite.hashLength) } };
  }

  join(client: Client): void {
    if (!this.members.includes(client)) this.members.push(client);
    this.since.set(client, client.epoch());
  }

  leave(client: Client): void {
    this.members.splice(this.members.indexOf(client), 1);
    this.mailboxes.forget(client);
  }

  /** Throws Disagreement unless all members have the same epoch, epoch authenticator, members and exported secrets. */
  async checkAgreement(members: readonly Client[] = this.members): Promise<void> {
    const [first, ...others] = members;
    if (first === undefined) throw new Disagreement("nobody is left");
    const roster = [...first.roster()].join(" ");
    const [label, context, length] = [
      `label ${this.random.int(9)}`,
      utf8(`context ${this.random.int(9)}`),
      1 + this.random.int(64),
    ];
    const exported = await first.exported(label, context, length);
    for (const other of others) {
      if (other.epoch() !== first.epoch()) throw new Disagreement(`${other.name} is in another epoch`);
      if (!equalBytes(other.epochAuthenticator(), first.epochAuthenticator())) {
        throw new Disagreement(`${other.engine} and ${first.engine} have different epoch authenticators`);
      }
      if (!equalBytes(await other.exported(label, context, length), exported)) {
        throw new Disagreement(`${other.engine} and ${first.engine} export different secrets`);
      }
      if ([...other.roster()].join(" ") !== roster) throw new Disagreement(`${other.name} sees other members`);
    }
    this.count("agreements");
  }
}
