import { createHash } from "node:crypto";
import { DecodeError, LatchkeyError, toHex, type MlsGroup } from "@latchkey/mls";
import { seededRandom } from "../random.ts";
import { makeCorpus } from "./corpus.ts";
import type { Forgery } from "./forge.ts";
import { targetsOf, type Target } from "./targets.ts";

/** Time for one input, generous because other processes may hold the cores; the slowest real one takes about 10 ms. */
const MAX_MS = 2_000;
/** Memory that one input may leave behind or hold when it is done; a group of six needs less than one MiB. */
const MAX_BYTES = 64 * 1024 * 1024;
const SHOWN_INPUT_BYTES = 400;

/** An input that did something else than it may, with all that is needed to see it again. */
export interface Finding {
  readonly seed: number;
  /** Number of the input in the run of that seed, from 0. */
  readonly input: number;
  readonly target: string;
  readonly how: string;
  readonly problem: string;
  readonly bytesHex: string;
}

/** How a target's inputs ended. */
export interface TargetReport {
  readonly target: string;
  readonly inputs: number;
  /** Inputs that were taken for good, such as a message damaged where nothing depends on it. */
  readonly accepted: number;
  /** How many were refused for each rule, or code where there is no rule. */
  readonly refused: Readonly<Record<string, number>>;
  readonly slowestMs: number;
}

export interface FuzzReport {
  readonly seed: number;
  readonly inputs: number;
  readonly findings: readonly Finding[];
  readonly targets: readonly TargetReport[];
}

/** All rows of a group, as one hash. */
function digestOf(group: MlsGroup): string {
  const hash = createHash("sha256");
  for (const [key, value] of [...group.snapshot()].sort(([a], [b]) => (a < b ? -1 : 1))) {
    hash.update(`${key.length} ${key} ${value.length} `).update(value);
  }
  return hash.digest("hex");
}

function memoryInUse(): number {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

class Tally {
  readonly #target: string;
  #inputs = 0;
  #accepted = 0;
  #slowestMs = 0;
  readonly #refused = new Map<string, number>();

  constructor(target: string) {
    this.#target = target;
  }

  count(refusal: string | undefined, ms: number): void {
    this.#inputs++;
    this.#slowestMs = Math.max(this.#slowestMs, ms);
    if (refusal === undefined) this.#accepted++;
    else this.#refused.set(refusal, (this.#refused.get(refusal) ?? 0) + 1);
  }

  get report(): TargetReport {
    const refused = Object.fromEntries([...this.#refused].sort(([, a], [, b]) => b - a));
    const slowestMs = Number(this.#slowestMs.toFixed(1));
    return { target: this.#target, inputs: this.#inputs, accepted: this.#accepted, refused, slowestMs };
  }
}

/** A mutation may be beyond what the codec can write; then there is nothing to send. */
async function makeInput(target: Target, random: ReturnType<typeof seededRandom>): Promise<Forgery | undefined> {
  try {
    return await target.make(random);
  } catch (error) {
    if (error instanceof LatchkeyError || error instanceof RangeError || error instanceof TypeError) return undefined;
    throw error;
  }
}

/**
 * Sends inputs to every target in turn until `isOver` (asked with the number of inputs so far), or until something was
 * found. Equal seeds make equal inputs.
 */
export async function fuzz(seed: number, isOver: (inputs: number) => boolean): Promise<FuzzReport> {
  const random = seededRandom(seed);
  const corpus = await makeCorpus(random);
  const targets = targetsOf(corpus);
  const tallies = new Map(targets.map(({ name }) => [name, new Tally(name)]));
  const before = digestOf(corpus.bob);
  const findings: Finding[] = [];
  let inputs = 0;
  for (; findings.length === 0 && !isOver(inputs); inputs++) {
    const target = random.pick(targets);
    const made = await makeInput(target, random);
    if (made === undefined) continue;
    const { bytes, how } = made;
    const found = (problem: string) => {
      const bytesHex = toHex(bytes.subarray(0, SHOWN_INPUT_BYTES));
      findings.push({ seed, input: inputs, target: target.name, how, problem, bytesHex });
    };
    const memory = memoryInUse();
    const start = performance.now();
    let refusal: string | undefined;
    try {
      await target.take(bytes);
    } catch (error) {
      const allowed = target.throws === "DecodeError" ? error instanceof DecodeError : error instanceof LatchkeyError;
      if (!allowed) found(error instanceof Error ? (error.stack ?? error.message) : String(error));
      refusal = error instanceof LatchkeyError ? (error.rule ?? error.code) : "untyped";
    }
    const ms = performance.now() - start;
    tallies.get(target.name)?.count(refusal, ms);
    if (ms > MAX_MS) found(`it took ${ms.toFixed(0)} ms`);
    const grown = memoryInUse() - memory;
    if (grown > MAX_BYTES) found(`it took ${grown} bytes of memory`);
    if (digestOf(corpus.bob) !== before) found("the group has changed");
  }
  return { seed, inputs, findings, targets: [...tallies.values()].map((tally) => tally.report) };
}
