import { fork, type ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Client, systemClock, type Environment, type Group } from "@latchkey/client";
import { generatedSigner } from "@latchkey/client/node";
import { realEnvironment } from "../crash/scenario.ts";

/** What a joiner had to send and to fetch. */
export interface Traffic {
  /** Commits that left for the node. */
  commits: number;
  /** Fetches of the slot. */
  fetches: number;
  /** Bytes of blobs, log entries and key packages that came in. */
  bytes: number;
}

/** Counts what goes in and out of one client. */
function counted(environment: Environment, traffic: Traffic): Environment {
  const { transport, slots } = environment;
  const sizes = (list: readonly (Uint8Array | undefined)[]) =>
    list.reduce((sum, bytes) => sum + (bytes?.length ?? 0), 0);
  return {
    ...environment,
    transport: {
      ...transport,
      async sendGroupMessages(messages, signal) {
        traffic.commits += messages.length;
        await transport.sendGroupMessages(messages, signal);
      },
      async queryGroupMessages(position, signal) {
        const page = await transport.queryGroupMessages(position, signal);
        traffic.bytes += sizes(page.items.map(({ data }) => data));
        return page;
      },
      async fetchKeyPackages(keys, signal) {
        const found = await transport.fetchKeyPackages(keys, signal);
        traffic.bytes += sizes(found);
        return found;
      },
    },
    slots: {
      ...slots,
      async fetch(slot, options) {
        const contents = await slots.fetch(slot, options);
        traffic.fetches++;
        traffic.bytes += sizes(contents.blobs ?? []);
        return contents;
      },
    },
  };
}

/** One installation of the crowd, open only while it is needed. */
export class Phone {
  readonly traffic: Traffic = { commits: 0, fetches: 0, bytes: 0 };
  readonly #walletKey: Uint8Array;
  readonly #dbPath: string;
  readonly #nodeUrl: string;
  #client: Client | undefined;

  constructor(walletKey: Uint8Array, dbPath: string, nodeUrl: string) {
    this.#walletKey = walletKey;
    this.#dbPath = dbPath;
    this.#nodeUrl = nodeUrl;
  }

  get client(): Client {
    if (this.#client === undefined) throw new Error("this installation is closed");
    return this.#client;
  }

  async open(): Promise<Client> {
    if (this.#client !== undefined) return this.#client;
    const environment = realEnvironment({ dbPath: this.#dbPath, nodeUrl: this.#nodeUrl, clock: systemClock });
    this.#client = await Client.create(generatedSigner(this.#walletKey), counted(environment, this.traffic));
    return this.#client;
  }

  close(): void {
    this.#client?.close();
    this.#client = undefined;
  }

  /** This installation's view of a group, caught up; undefined when it has none. */
  async sees(groupId: string): Promise<Group | undefined> {
    const { conversations } = await this.open();
    await conversations.sync();
    return conversations.get(groupId);
  }
}

/** A person with one phone that scans and some that come along. */
export interface Person {
  readonly scanner: Phone;
  readonly others: readonly Phone[];
}

/** A node in a process of its own, and as many people as are wanted. */
export class Crowd {
  readonly #node: ChildProcess;
  readonly #nodeUrl: string;
  readonly #directory: string;
  readonly #phones: Phone[] = [];

  private constructor(node: ChildProcess, nodeUrl: string, directory: string) {
    this.#node = node;
    this.#nodeUrl = nodeUrl;
    this.#directory = directory;
  }

  static async start(): Promise<Crowd> {
    const directory = mkdtempSync(join(tmpdir(), "latchkey-storm-"));
    const node = fork(fileURLToPath(new URL("node-process.ts", import.meta.url)), [join(directory, "node")]);
    const [url] = (await once(node, "message")) as [string];
    return new Crowd(node, url, directory);
  }

  /** A person whose installations are all registered; those that do not scan are closed. */
  async person(installations: number): Promise<Person> {
    const walletKey = randomBytes(32);
    const phones: Phone[] = [];
    for (let index = 0; index < installations; index++) {
      const phone = new Phone(walletKey, join(this.#directory, `${this.#phones.length}.db`), this.#nodeUrl);
      this.#phones.push(phone);
      phones.push(phone);
      await phone.open();
      if (index > 0) phone.close();
    }
    const [scanner, ...others] = phones;
    if (scanner === undefined) throw new RangeError("a person has at least one installation");
    return { scanner, others };
  }

  /** Bytes of all databases with their logs: those of the clients, and the node's. */
  databaseBytes(): { readonly clients: number; readonly node: number } {
    const sizes = (folder: string) =>
      readdirSync(folder, { withFileTypes: true })
        .filter((entry) => entry.isFile())
        .reduce((sum, { name }) => sum + (statSync(join(folder, name), { throwIfNoEntry: false })?.size ?? 0), 0);
    return { clients: sizes(this.#directory), node: sizes(join(this.#directory, "node")) };
  }

  /** Closes every client, ends the node's process, and deletes all files. */
  async stop(): Promise<void> {
    for (const phone of this.#phones) phone.close();
    const ended = once(this.#node, "exit");
    this.#node.disconnect();
    await ended;
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
