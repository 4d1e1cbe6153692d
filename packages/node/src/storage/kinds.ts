import type { EnvelopeKind } from "./storage.ts";

/** Kinds of envelopes as a column has them; 0 is none. */
export const KINDS: readonly (EnvelopeKind | undefined)[] = [undefined, "application", "handshake"];
