import { randomBytes } from "node:crypto";
import { join } from "node:path";
import type { Client, Group } from "@latchkey/client";
import { createNodeClient, generatedSigner } from "@latchkey/client/node";

/** Somebody with a wallet. */
export interface Person {
  readonly name: string;
  readonly walletKey: Uint8Array;
}

/** A person with a fresh wallet. */
export function newPerson(name: string): Person {
  return { name, walletKey: new Uint8Array(randomBytes(32)) };
}

/** One installation: a client of its own with a database file of its own; the node is all that it shares with others. */
export class Device {
  readonly name: string;
  readonly #walletKey: Uint8Array;
  readonly #dbPath: string;
  readonly #nodeUrl: string;
  #client: Client | undefined;

  constructor(person: Person, kind: string, world: { readonly directory: string; readonly nodeUrl: string }) {
    this.name = `${person.name}'s ${kind}`;
    this.#walletKey = person.walletKey;
    this.#dbPath = join(world.directory, `${person.name.toLowerCase()}-${kind}.db`);
    this.#nodeUrl = world.nodeUrl;
  }

  /** Starts the client; the first time, it registers. */
  async goOnline(): Promise<void> {
    this.#client = await createNodeClient(generatedSigner(this.#walletKey), {
      dbPath: this.#dbPath,
      nodeUrl: this.#nodeUrl,
      inviteServiceUrl: this.#nodeUrl,
    });
  }

  /** Closes client, connection and database. */
  async goOffline(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    client?.close();
  }

  get client(): Client {
    if (this.#client === undefined) throw new Error(`${this.name} is offline`);
    return this.#client;
  }

  /** The one group of the story. */
  get group(): Group {
    const [group] = this.client.conversations.list();
    if (group === undefined) throw new Error(`${this.name} is in no group`);
    return group;
  }

  /** Fetches whatever the node has for this device. */
  async sync(): Promise<void> {
    await this.client.conversations.sync();
    for (const group of this.client.conversations.list()) await group.sync();
  }
}
