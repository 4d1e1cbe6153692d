import { decodeExact } from "../codec/reader.ts";
import { encode } from "../codec/writer.ts";
import { decodeUtf8, utf8 } from "../bytes.ts";
import { StateError } from "../errors.ts";
import type { GroupState } from "./state.ts";

/**
 * Rows of one group to write in one transaction; null deletes. Keys are opaque to the store, which keeps them as
 * (group, key, value).
 */
export type Rows = ReadonlyMap<string, Uint8Array | null>;

/**
 * The result of an operation on a group, not yet part of it: write `rows` durably, then `MlsGroup.merge` the change.
 * Dropping it leaves the group as it was.
 */
export interface GroupChange {
  readonly rows: Rows;
  /** Epoch of the group after the merge. */
  readonly epoch: bigint;
}

/** A GroupChange inside the engine: the revision that it rests on, and how it enters the state. */
export class Change implements GroupChange {
  readonly epoch: bigint;
  readonly #rows: () => Rows;
  readonly #baseEpoch: bigint;
  readonly #revision: number | undefined;
  readonly #apply: (state: GroupState) => void;

  /**
   * A change that takes message keys rests on one revision of the state. A pending own commit rests on its epoch alone
   * (`revision` undefined), because messages go on while it waits to be read back; its rows are made when they are
   * asked for, so that they delete what arrived meanwhile.
   */
  constructor(
    base: GroupState,
    change: {
      readonly rows: () => Rows;
      readonly epoch: bigint;
      readonly revision: number | undefined;
      readonly apply: (state: GroupState) => void;
    },
  ) {
    this.#rows = change.rows;
    this.epoch = change.epoch;
    this.#baseEpoch = base.head.context.epoch;
    this.#revision = change.revision;
    this.#apply = change.apply;
  }

  get rows(): Rows {
    return this.#rows();
  }

  /** Throws StateError when the state moved on since the change was made. */
  merge(state: GroupState): void {
    const stale = state.head.context.epoch !== this.#baseEpoch || (this.#revision ?? state.revision) !== state.revision;
    if (stale) throw new StateError("the group has changed since this change was made; make it again");
    this.#apply(state);
    state.revision++;
  }
}

/** Storage form of rows, for a commit that waits to be read back. */
export function encodeRows(rows: Rows): Uint8Array {
  return encode(rows, (writer) =>
    writer.vector(rows, (inner, [key, value]) => {
      inner.opaque(utf8(key));
      inner.optional(value ?? undefined, (item, bytes) => item.opaque(bytes));
    }),
  );
}

/** Reads what `encodeRows` wrote; throws DecodeError. */
export function decodeRows(bytes: Uint8Array): Map<string, Uint8Array | null> {
  return new Map(
    decodeExact(bytes, (reader) =>
      reader.vector((inner): [string, Uint8Array | null] => [
        decodeUtf8(inner.opaque()),
        inner.optional((item) => item.opaque()) ?? null,
      ]),
    ),
  );
}
