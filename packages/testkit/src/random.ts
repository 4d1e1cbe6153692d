/** Choices that follow from one seed, so that a run can be repeated. Not for keys. */
export interface SeededRandom {
  /** An integer from 0 to `bound` - 1; 0 for a bound below 2. */
  int(bound: number): number;
  chance(probability: number): boolean;
  /** Throws RangeError for an empty list. */
  pick<T>(items: readonly T[]): T;
  /** A new list in another order. */
  shuffle<T>(items: readonly T[]): T[];
}

/** Mulberry32: 32 bits of state suffice to choose what happens next. */
export function seededRandom(seed: number): SeededRandom {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const int = (bound: number): number => Math.floor(next() * bound);
  return {
    int,
    chance: (probability) => next() < probability,
    pick: <T>(items: readonly T[]): T => {
      if (items.length === 0) throw new RangeError("nothing to pick from");
      return items[int(items.length)] as T;
    },
    shuffle: (items) => {
      const rest = [...items];
      return items.map(() => rest.splice(int(rest.length), 1)).flat();
    },
  };
}

/** A seed that nobody chose, for a run that prints it. */
export function freshSeed(): number {
  return Math.floor(Math.random() * 2 ** 31);
}
