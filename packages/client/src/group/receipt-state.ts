import { CLIENT_LIMITS } from "../limits.ts";

/** A join that this member has merged and no member has answered, as far as it knows. */
interface DueReceipt {
  /** The epoch that the join began. */
  readonly epoch: bigint;
  /** Who joined: its own messages prove nothing to itself. */
  readonly inboxId: string;
}

/**
 * Whether joiners of this group wait for a message of a member in their epoch. It proves to them that members follow, which
 * XIP-82 leaves open. Any message or commit of another member serves all joins up to its epoch. Where none comes, a member
 * sends a receipt: an application message without content that no application sees.
 *
 * Kept in memory only: after a restart other members, or the next message, serve the joiner.
 */
export class ReceiptState {
  #due: DueReceipt | undefined;
  #nextNs = 0n;

  /** True while a joiner waits. */
  get isDue(): boolean {
    return this.#due !== undefined;
  }

  /** When this member may send its next receipt at the earliest. */
  get nextNs(): bigint {
    return this.#nextNs;
  }

  /** Notes a join that this member has merged. */
  noteJoin(join: DueReceipt): void {
    this.#due = join;
  }

  /** Notes a message of a member in an epoch, own ones included. */
  noteMessage(epoch: bigint, inboxId: string): void {
    if (this.#due === undefined || epoch < this.#due.epoch || inboxId === this.#due.inboxId) return;
    this.#due = undefined;
  }

  /** Notes the own receipt: however many join, the next one waits for `receiptIntervalMs`. */
  noteSent(nowNs: bigint): void {
    this.#due = undefined;
    this.#nextNs = nowNs + BigInt(CLIENT_LIMITS.receiptIntervalMs) * 1_000_000n;
  }
}
