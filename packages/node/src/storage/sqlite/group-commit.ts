/** Runs work in a transaction: all or nothing. */
export interface Transactions {
  transaction<T>(work: () => T): T;
}

interface Waiting {
  /** Runs inside the transaction; the returned function tells the caller, once it is durable. */
  readonly work: () => () => void;
  readonly fail: (error: unknown) => void;
}

/**
 * Puts writes that arrive together into one transaction: each transaction waits for the disk once, however much is in
 * it. Nobody is answered before the transaction is durable.
 */
export class GroupCommit {
  readonly #database: Transactions;
  #waiting: Waiting[] = [];

  constructor(database: Transactions) {
    this.#database = database;
  }

  /** Resolves with the result of the work when it is durable; work that throws fails alone, and changes nothing. */
  run<T>(work: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({
        work: () => {
          const result = work();
          return () => resolve(result);
        },
        fail: reject,
      });
      // By then all requests that arrived with this one have got here.
      if (this.#waiting.length === 1) setImmediate(() => this.flush());
    });
  }

  /** Writes what waits, at once. */
  flush(): void {
    const batch = this.#waiting;
    this.#waiting = [];
    if (batch.length < 2 || !this.#writeTogether(batch)) this.#writeOneByOne(batch);
  }

  #writeTogether(batch: readonly Waiting[]): boolean {
    let answers: readonly (() => void)[];
    try {
      answers = this.#database.transaction(() => batch.map(({ work }) => work()));
    } catch {
      // Nothing was written. Whose work it was shows when each is tried by itself.
      return false;
    }
    for (const answer of answers) answer();
    return true;
  }

  #writeOneByOne(batch: readonly Waiting[]): void {
    for (const { work, fail } of batch) {
      try {
        this.#database.transaction(work)();
      } catch (error) {
        fail(error);
      }
    }
  }
}
