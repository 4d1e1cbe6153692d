import assert from "node:assert/strict";
import { test } from "node:test";
import { Apart } from "./apart.ts";
import { clientError } from "./errors.ts";

test("a task that fails keeps no other from being run; the first failure is thrown at the end, a defect as DEFECT", async () => {
  const ran: string[] = [];
  const apart = new Apart(undefined);
  apart.finish();
  assert.equal(await apart.run(() => Promise.reject(new TypeError("a defect"))), false);
  assert.equal(await apart.run(() => Promise.reject(clientError("NODE_UNREACHABLE", "no answer"))), false);
  assert.equal(await apart.run(async () => ran.push("third")), true);
  assert.deepEqual(ran, ["third"]);
  assert.throws(
    () => apart.finish(),
    (error: unknown) =>
      error instanceof Error && "code" in error && error.code === "DEFECT" && error.cause instanceof TypeError,
  );
});

test("an abort ends all tasks, with the reason that the caller gave", async () => {
  const controller = new AbortController();
  const apart = new Apart(controller.signal);
  const reason = new Error("enough");
  controller.abort(reason);
  await assert.rejects(
    apart.run(() => Promise.reject(reason)),
    reason,
  );
});
