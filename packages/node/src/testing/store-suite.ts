import { describe, test } from "node:test";
import { describeConcurrency } from "./store-cases/concurrency.ts";
import type { StoreFixture, StoreTest } from "./store-cases/fixture.ts";
import { describeIdentity } from "./store-cases/identity.ts";
import { describeSlots } from "./store-cases/slots.ts";
import { describeTopicLog } from "./store-cases/topic-log.ts";

/** The behaviour every adapter of `Store` must show. */
export function describeStore(name: string, create: () => Promise<StoreFixture>): void {
  const storeTest: StoreTest = (title, run) => {
    test(title, async () => {
      const fixture = await create();
      try {
        await run(fixture, fixture.store);
      } finally {
        await fixture.dispose();
      }
    });
  };

  describe(`${name}: topic logs`, () => describeTopicLog(storeTest));
  describe(`${name}: many at once`, () => describeConcurrency(storeTest));
  describe(`${name}: identity, key packages`, () => describeIdentity(storeTest));
  describe(`${name}: slots`, () => describeSlots(storeTest));
}
