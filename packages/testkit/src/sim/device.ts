import { LatchkeyError, toHex } from "@latchkey/mls";
import { Client, type Environment, type Group, type Store } from "@latchkey/client";
import { localWallet } from "@latchkey/xmtp";
import type { Faults, TransactionFate } from "./faults.ts";
import { GuardedDisk, type StoreGuard } from "./guarded-disk.ts";
import { byteSource, Process } from "./process.ts";
import type { World } from "./world.ts";

/** How something that a device was asked to do has ended. */
export type Outcome<T> =
  | { readonly kind: "done"; readonly value: T }
  /** By an error of the family. */
  | { readonly kind: "failed"; readonly code: string; readonly error: LatchkeyError }
  /** The process died before. */
  | { readonly kind: "died" };

/** What planted bugs change of a device. */
export interface Tampering {
  readonly environment?: (environment: Environment, device: string) => Environment;
  /** True for a transaction that is reported done and is not. */
  readonly losesTransaction?: (device: string) => boolean;
}

/** One installation: a disk that lasts, and the processes that run on it, one at a time. */
export class Device {
  readonly name: string;
  /** Whose it is. */
  readonly owner: string;
  readonly world: World;
  readonly faults: Faults;
  /** How far its clock is from the node's. */
  skewNs: bigint;
  readonly disk = new GuardedDisk();
  isOffline = false;
  /** What it does is not held against anybody. */
  isHostile = false;
  /**
   * What was done to it that can part it from its group: an older copy of its database, a wrong answer of the node, a path
   * secret that is garbage for it alone. It has to notice, and to come back.
   */
  harm: "restored" | "misled" | "garbled" | undefined;
  /** It was seen in the newest epoch after the trouble. */
  isBack = false;
  /** Whether it should be running. */
  isWanted = false;
  lives = 0;
  process: Process | undefined;
  /** Told of every group message that an honest device hands to the network. */
  onSend: (message: Uint8Array) => void = () => undefined;
  /** Told of every transaction that is on disk. */
  onWritten: (device: Device) => void = () => undefined;
  /** Told of what is no error of the family. */
  onBroken: (device: Device, label: string, error: unknown) => void = () => undefined;
  readonly #tampering: Tampering;

  constructor(world: World, faults: Faults, name: string, owner: string, tampering: Tampering) {
    this.world = world;
    this.faults = faults;
    this.name = name;
    this.owner = owner;
    this.#tampering = tampering;
    this.skewNs = BigInt(world.scheduler.randomFor(`${name}/clock`).int(4_000) - 2_000) * 1_000_000n;
  }

  /** The client, when it is open. */
  get client(): Client | undefined {
    const { process } = this;
    return process?.isDead === false ? process.client : undefined;
  }

  /** Harmed, and not seen in the newest epoch since. */
  get isAstray(): boolean {
    return this.harm !== undefined && !this.isBack;
  }

  get isRunning(): boolean {
    return this.process?.isDead === false;
  }

  group(groupId: string): Group | undefined {
    return this.client?.conversations.get(groupId);
  }

  /** Everything that the client lists: groups, and histories that were shown before. */
  histories(): readonly Group[] {
    return this.client?.conversations.list() ?? [];
  }

  openStore(guard: StoreGuard): Store {
    return this.disk.open(guard);
  }

  sends(message: Uint8Array): void {
    if (!this.isHostile) this.onSend(message);
  }

  fateOfTransaction(): TransactionFate | "undone" {
    if (this.#tampering.losesTransaction?.(this.name) === true) return "undone";
    return this.faults.ofTransaction();
  }

  /** Begins a new life on what the disk holds. */
  async start(): Promise<Outcome<Client>> {
    const life = ++this.lives;
    const process = new Process(this, life);
    this.process = process;
    const { seed } = this.world.scheduler;
    const signer = localWallet(byteSource(`${seed}/wallet/${this.owner}`)(32));
    const changed = this.#tampering.environment?.(process.environment, this.name) ?? process.environment;
    const ending = await this.#attempt(process, `starts its life ${life}`, () => Client.create(signer, changed));
    if (ending.kind === "done") process.client = ending.value;
    else process.kill();
    this.onWritten(this);
    return ending;
  }

  /** Ends the present life without warning. */
  kill(): void {
    if (!this.isRunning) return;
    this.world.scheduler.note(`${this.name} is killed`);
    this.process?.kill();
  }

  /** Has the client do something and tells how it ended; `died` also when it is not running. */
  async run<T>(label: string, task: (client: Client) => Promise<T>): Promise<Outcome<T>> {
    const { process, client } = this;
    if (process === undefined || client === undefined) return { kind: "died" };
    return this.#attempt(process, label, () => task(client));
  }

  async #attempt<T>(process: Process, label: string, task: () => Promise<T>): Promise<Outcome<T>> {
    const { scheduler } = this.world;
    scheduler.note(`${this.name} ${label}`);
    const died: Outcome<T> = { kind: "died" };
    const outcome = task().then(
      (value): Outcome<T> => ({ kind: "done", value }),
      (error: unknown): Outcome<T> => {
        if (process.isDead) return died;
        if (error instanceof LatchkeyError) return { kind: "failed", code: error.code, error };
        this.onBroken(this, label, error);
        return died;
      },
    );
    const ending = await Promise.race([outcome, process.death.then(() => died)]);
    const how = ending.kind === "failed" ? ending.code : ending.kind;
    scheduler.note(`${this.name} ${label}: ${how}`);
    return ending;
  }

  /** Whose installation the disk holds, once there is one. */
  get inboxId(): string | undefined {
    return this.disk.look().identity.get("self")?.inboxId;
  }

  /** In hex, once there is one on disk. */
  get installationId(): string | undefined {
    const key = this.disk.look().identity.get("self")?.signaturePublicKey;
    return key === undefined ? undefined : toHex(key);
  }
}
