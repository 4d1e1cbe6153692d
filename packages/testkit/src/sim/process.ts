import { createHash } from "node:crypto";
import { LatchkeyError, toHex } from "@latchkey/mls";
import type { Client, Environment } from "@latchkey/client";
import { seededCrypto } from "../seeded-crypto.ts";
import type { Device } from "./device.ts";
import { Line } from "./network.ts";
import type { StoreGuard } from "./guarded-disk.ts";

/** Bytes that look random and follow from a text: no two sources meet, unlike those of one small generator. */
export function byteSource(text: string): (length: number) => Uint8Array {
  let counter = 0;
  return (length) => {
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length; at += 32) {
      const block = createHash("sha256").update(`${text}/${counter++}`).digest();
      bytes.set(block.subarray(0, Math.min(32, length - at)), at);
    }
    return bytes;
  };
}

/** One life of a program: from its start until it is closed or dies, with everything it knows outside of its disk. */
export class Process {
  readonly name: string;
  isDead = false;
  client: Client | undefined;
  readonly environment: Environment;
  /** Resolves when the process has died. */
  readonly death: Promise<void>;
  readonly #device: Device;
  readonly #die = Promise.withResolvers<undefined>();
  #diesAfterWrite = false;

  /** `life` counts the lives of the device: each has its own randomness. */
  constructor(device: Device, life: number) {
    const { name, world, faults } = device;
    this.name = name;
    this.#device = device;
    this.death = this.#die.promise;
    const line = new Line(world, faults, this);
    const { seed } = world.scheduler;
    const jitter = world.scheduler.randomFor(`${name}/${life}/jitter`);
    this.environment = {
      crypto: seededCrypto(byteSource(`${seed}/${name}/${life}`)),
      store: device.openStore(this.#guard()),
      transport: line.transport,
      slots: line.slots,
      clock: line.clock,
      random: () => jitter.int(2 ** 30) / 2 ** 30,
      encodePng: () => new Uint8Array(0),
      inviteServiceUrl: "https://slots.example",
      keepInvitesFresh: true,
      inviteBaseUrl: "https://latchkey.link/i",
    };
  }

  /** How far its clock is from the node's. */
  get skewNs(): bigint {
    return this.#device.skewNs;
  }

  get isOffline(): boolean {
    return this.#device.isOffline;
  }

  /** Told of every group message before it leaves. */
  readonly sent = (message: Uint8Array): void => {
    this.#device.sends(message);
    const digest = toHex(createHash("sha256").update(message).digest().subarray(0, 8));
    this.#device.world.scheduler.note(`${this.name} hands over ${digest}`);
  };

  /** Ends this life at once: nothing of it goes on, whatever it waits for. */
  kill(): void {
    if (this.isDead) return;
    this.isDead = true;
    this.#die.resolve(undefined);
  }

  #guard(): StoreGuard {
    const device = this.#device;
    // The dead hear an error of the family: whatever they make of it, nothing of it reaches the disk or the network, and
    // what they wait for never comes.
    const closed = (): never => {
      throw new LatchkeyError("CLIENT_CLOSED", "the process has died (simulated)");
    };
    const die = (how: string): never => {
      device.world.scheduler.note(`${this.name} dies ${how} a transaction`);
      this.kill();
      return closed();
    };
    return {
      access: () => {
        if (this.isDead) closed();
      },
      decide: () => {
        const fate = device.fateOfTransaction();
        if (fate === "full") throw new LatchkeyError("STORE_FULL", "the disk is full (simulated)", { retryable: true });
        if (fate === "die-before") die("before");
        this.#diesAfterWrite = fate === "die-after";
        return fate === "undone" ? "undo" : "keep";
      },
      written: () => {
        device.onWritten(device);
        if (this.#diesAfterWrite) die("after");
      },
    };
  }
}
