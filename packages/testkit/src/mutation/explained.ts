import type { Operator } from "./operators.ts";

/** A survivor that was looked at: what it changes cannot be seen, and why. */
export interface Explained {
  /** The end of the module's path. */
  readonly module: string;
  /** Part of the line. */
  readonly source: string;
  readonly operator?: Operator;
  readonly replacement?: string;
  readonly why: string;
}

export const EXPLAINED: readonly Explained[] = [];
