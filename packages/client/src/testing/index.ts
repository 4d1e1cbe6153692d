export { storeCases } from "./store-suite.ts";
export type { StoreAbility, StoreCase, StoreFixture } from "./store-cases/store-case.ts";
