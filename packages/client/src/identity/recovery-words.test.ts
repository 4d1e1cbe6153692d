import assert from "node:assert/strict";
import { test } from "node:test";
import { mnemonicToAccount } from "viem/accounts";
import { newRecoveryWords, recoverySigner } from "./recovery-words.ts";

test("DEV-10 recovery words give the address that any wallet derives from them", () => {
  // The words that test networks of Ethereum are known by.
  const known = "test test test test test test test test test test test junk";
  assert.equal(recoverySigner(known).identifier, "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266");
  const words = newRecoveryWords();
  assert.equal(words.split(" ").length, 12);
  assert.notEqual(newRecoveryWords(), words);
  const { address } = mnemonicToAccount(words);
  assert.equal(recoverySigner(words).identifier, address.toLowerCase());
  assert.equal(recoverySigner(`  ${words.toUpperCase().replaceAll(" ", "\n ")} `).identifier, address.toLowerCase());
});

test("ARGUMENT_INVALID for words that are none, or not in their order, and none of them is repeated", () => {
  const words = "test test test test test test test test test test test";
  for (const [given, says] of [
    [`${words} jnk`, /word 12 is not one/],
    [`junk ${words}`, /one is missing, or two are mixed up/],
    [words, /one is missing/],
    ["", /word 1 is not one/],
    [7, /recovery words/],
  ] as const) {
    assert.throws(
      () => recoverySigner(given as string),
      (error: Error & { code?: string }) =>
        error.code === "ARGUMENT_INVALID" && says.test(error.message) && !/jnk|junk/.test(error.message),
    );
  }
});
