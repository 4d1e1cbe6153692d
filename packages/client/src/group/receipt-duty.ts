import { CLIENT_LIMITS } from "../limits.ts";

/** A join that this member has merged and nobody has answered, as far as it knows. */
interface OwedReceipt {
  /** The epoch that the join began. */
  readonly epoch: bigint;
  /** Who joined: its own messages prove nothing to itself. */
  readonly inboxId: string;
}

/**
 * What a member owes to those who joined by invite: some message of an epoch they are in, which proves to them that
 * members follow (XIP-82 leaves a joiner without proof). Any message or commit of any other member pays it, for all joins
 * up to its epoch; only when none comes by itself is a receipt sent: an application message without content that no
 * application sees.
 *
 * Owed receipts live in memory only: whoever restarts leaves them to others, or to the next message.
 */
export class ReceiptDuty {
  #owed: OwedReceipt | undefined;
  #nextNs = 0n;
  /** Whether somebody waits to send it already. */
  isScheduled = false;

  get isOwed(): boolean {
    return this.#owed !== undefined;
  }

  /** When the next receipt may be sent at the earliest. */
  get nextNs(): bigint {
    return this.#nextNs;
  }

  owe(owed: OwedReceipt): void {
    this.#owed = owed;
  }

  /** Notes a message of a member in an epoch, own ones included. */
  notePayment(epoch: bigint, inboxId: string): void {
    if (this.#owed === undefined || epoch < this.#owed.epoch || inboxId === this.#owed.inboxId) return;
    this.#owed = undefined;
  }

  /** The own receipt leaves: no other for a while, however many join. */
  notePaid(nowNs: bigint): void {
    this.#owed = undefined;
    this.#nextNs = nowNs + BigInt(CLIENT_LIMITS.receiptIntervalMs) * 1_000_000n;
  }
}
