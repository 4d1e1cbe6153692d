import { LIFE_CASES } from "./store-cases/life.ts";
import type { StoreAbility, StoreCase } from "./store-cases/store-case.ts";
import { TABLE_CASES } from "./store-cases/tables.ts";
import { TRANSACTION_CASES } from "./store-cases/transactions.ts";
import { VALUE_CASES } from "./store-cases/values.ts";

/**
 * The behaviour of every `Store`, as cases that need no test runner and no module of Node: a page can run them too. Each
 * takes a new database and throws an Error when the store does not behave. `abilities` names what the database can be
 * made to do; cases that need another ability are left out.
 */
export function storeCases(abilities: readonly StoreAbility[]): StoreCase[] {
  return [...TABLE_CASES, ...VALUE_CASES, ...TRANSACTION_CASES, ...LIFE_CASES].filter(
    ({ needs }) => needs === undefined || abilities.includes(needs),
  );
}
