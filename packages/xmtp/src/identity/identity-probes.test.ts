import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { IdentityError } from "../errors.ts";
import { replayIdentityLog } from "./apply-update.ts";
import { identityProbes } from "../testing/probes.ts";

function holds(log: Parameters<typeof replayIdentityLog>[0]): boolean {
  try {
    return replayIdentityLog(log) !== undefined;
  } catch (error) {
    if (error instanceof IdentityError) return false;
    throw error;
  }
}

describe("identity-signature-rules: the verdict on a log is that of XMTP's native library", () => {
  for (const { title, log, holds: expected } of identityProbes()) {
    test(title, () => assert.equal(holds(log), expected));
  }
});
