/** Choices that a seed repeats (mulberry32): good enough to choose what happens next, and for nothing else. */
export function randomFrom(seed: number) {
  let state = seed >>> 0;
  function next(): number {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }
  /** A whole number from 0 up to but without `end`. */
  function int(end: number): number {
    return Math.floor(next() * end);
  }
  function pick<T>(items: readonly T[]): T {
    const item = items[int(items.length)];
    if (item === undefined) throw new Error("there is nothing to pick from");
    return item;
  }
  function shuffled<T>(items: readonly T[]): T[] {
    const rest = [...items];
    return items.flatMap(() => rest.splice(int(rest.length), 1));
  }
  return { int, pick, shuffled };
}
