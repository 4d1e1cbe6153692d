/** Where a process dies around one write transaction: before it, inside of it with every row written, or behind it. */
export const PHASES = ["before", "inside", "after"] as const;
export type Phase = (typeof PHASES)[number];

/** What becomes of a request whose answer never comes: it is not delivered, delivered much later, or delivered at once. */
export const MOMENTS = ["before", "during", "after"] as const;
export type Moment = (typeof MOMENTS)[number];

/** What goes wrong while an operation runs; transactions and network calls are counted from 1. */
export type Fault =
  | { readonly kind: "none" }
  /** The client stops at a transaction and is dropped; `kill` does it to a real process, by SIGKILL. */
  | { readonly kind: "death" | "kill"; readonly phase: Phase; readonly at: number }
  /** A call gets no answer; `cut`: nothing gets through from there on, `glitch`: the next call does. */
  | { readonly kind: "cut" | "glitch"; readonly moment: Moment; readonly at: number }
  /** SQLite finds the disk full at a transaction; `full`: also at all that follow, `tight`: the next one fits again. */
  | { readonly kind: "full" | "tight"; readonly at: number }
  /** Another process tries to open the database at a network call, and holds it when the client wants it back. */
  | { readonly kind: "busy"; readonly at: number };

/** How a fault is called in reports, and with `--only`. */
export function faultName(fault: Fault): string {
  switch (fault.kind) {
    case "none":
      return fault.kind;
    case "death":
    case "kill":
      return `${fault.kind}/${fault.phase}/${fault.at}`;
    case "cut":
    case "glitch":
      return `${fault.kind}/${fault.moment}/${fault.at}`;
    case "full":
    case "tight":
    case "busy":
      return `${fault.kind}/${fault.at}`;
  }
}

/** What an undisturbed run of an operation takes. */
export interface Extent {
  readonly transactions: number;
  readonly calls: number;
}

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index + 1);
}

/** Every fault that an operation of that extent can meet. */
export function faultsOf({ transactions, calls }: Extent): Fault[] {
  const atTransactions = (["death", "kill"] as const).flatMap((kind) =>
    PHASES.flatMap((phase) => upTo(transactions).map((at): Fault => ({ kind, phase, at }))),
  );
  const atCalls = (["cut", "glitch"] as const).flatMap((kind) =>
    MOMENTS.flatMap((moment) => upTo(calls).map((at): Fault => ({ kind, moment, at }))),
  );
  const full = (["full", "tight"] as const).flatMap((kind) => upTo(transactions).map((at): Fault => ({ kind, at })));
  const busy = upTo(calls).map((at): Fault => ({ kind: "busy", at }));
  return [...atTransactions, ...atCalls, ...full, ...busy];
}
