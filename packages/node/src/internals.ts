/**
 * Parts of the node for this repository's own simulator, page and tests. No stability is promised; programs use the package's main entry
 * point.
 *
 * @module
 */
export { openInProcess } from "./in-process.ts";
export type { InProcessNode, InProcessSlots, SlotAnswer } from "./in-process.ts";
export { pageHeaders } from "./page/headers.ts";
export type { PageFileRole, PageOrigins } from "./page/headers.ts";
