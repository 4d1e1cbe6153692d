/**
 * For those who build a store of their own: the behaviour that `createNode({ store })` relies on, as cases of node:test.
 *
 * @module
 */
export { describeStore } from "./store-suite.ts";
export type { StoreFixture } from "./store-cases/fixture.ts";
