import { CLIENT_LIMITS } from "../../limits.ts";
import type { SqlDriver } from "./driver.ts";

/**
 * Moves what was written into the file, and with it empties the write-ahead log, which keeps deleted keys till then:
 * after a number of transactions, and when nothing was written for a while.
 */
export class LogEmptier {
  readonly #driver: SqlDriver;
  #transactions = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(driver: SqlDriver) {
    this.#driver = driver;
  }

  /** To be called behind every transaction. */
  wrote(): void {
    this.#transactions++;
    if (this.#transactions >= CLIENT_LIMITS.maxLoggedTransactions) this.#empty();
    else this.#timer ??= this.#later();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #later(): ReturnType<typeof setTimeout> {
    const timer = setTimeout(() => this.#empty(), CLIENT_LIMITS.emptyLogAfterMs);
    // Browsers have numbers for timers, and no programs that end.
    if (typeof timer === "object") timer.unref();
    return timer;
  }

  #empty(): void {
    this.stop();
    this.#transactions = 0;
    try {
      this.#driver.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    } catch {
      // Everything is safe in the log: the next time will do.
    }
  }
}
