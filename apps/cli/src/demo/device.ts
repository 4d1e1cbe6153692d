import { randomBytes } from "node:crypto";
import { join } from "node:path";
import type { Client, DeviceCode, Group, LinkedDevice } from "@latchkey/client";
import { createNodeClient, generatedSigner, linkNodeDevice } from "@latchkey/client/node";

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

  /**
   * Becomes a device of another one's inbox: this one shows a code, the other one reads its picture, and the six digits are
   * carried back. Nobody's key travels. `show` is given the code.
   */
  async linkTo(old: Device, show: (code: DeviceCode, digits: string) => void): Promise<LinkedDevice> {
    const code = Promise.withResolvers<DeviceCode>();
    const digits = Promise.withResolvers<string>();
    const linking = linkNodeDevice(
      { dbPath: this.#dbPath, nodeUrl: this.#nodeUrl, inviteServiceUrl: this.#nodeUrl },
      {
        onProgress: (progress) => {
          if (progress.step === "code") code.resolve(progress.code);
          if (progress.step === "digits") digits.resolve(progress.digits);
        },
      },
    );
    const read = async () => {
      const shown = await code.promise;
      const readDigits = async () => {
        const typed = await digits.promise;
        show(shown, typed);
        return typed;
      };
      return old.client.linkDevice({ code: shown.toQR("png"), readDigits });
    };
    const [client, linked] = await Promise.all([linking, read()]);
    this.#client = client;
    return linked;
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
