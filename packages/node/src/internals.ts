/**
 * Parts of the node for this repository's own simulator. No stability is promised; programs use the package's main entry
 * point.
 *
 * @module
 */
export { openInProcess } from "./in-process.ts";
export type { InProcessNode, InProcessSlots, SlotAnswer } from "./in-process.ts";
