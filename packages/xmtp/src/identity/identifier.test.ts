import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, test } from "node:test";
import { IdentifierKind } from "../proto.ts";
import { deriveInboxId, ethereumIdentifier, installationIdentifier, isInboxId, rootIdentifier } from "./identifier.ts";

const ADDRESS = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266";
const malformed = { code: "IDENTITY_MALFORMED", rule: "MalformedUpdate" };

describe("identifiers", () => {
  test("an inbox id is the SHA-256 of the lower-case address and the decimal nonce", () => {
    const expected = createHash("sha256").update(`${ADDRESS}1`).digest("hex");
    assert.equal(deriveInboxId(ADDRESS, 1n), expected);
    assert.equal(deriveInboxId(ADDRESS.toUpperCase().replace("0X", "0x"), 1n), expected);
    assert.notEqual(deriveInboxId(ADDRESS, 0n), expected);
  });

  test("an inbox nonce is an unsigned 64-bit number", () => {
    assert.throws(() => deriveInboxId(ADDRESS, -1n), malformed);
    assert.throws(() => deriveInboxId(ADDRESS, 2n ** 64n), malformed);
    assert.equal(deriveInboxId(ADDRESS, 2n ** 64n - 1n).length, 64);
  });

  test("inbox ids, addresses, installation keys and passkeys of a wrong form are refused", () => {
    assert.equal(isInboxId("A".repeat(64)), false);
    assert.equal(isInboxId("a".repeat(63)), false);
    assert.throws(() => ethereumIdentifier("f39fd6e51aad88f6f4ce6ab8827279cfffb92266"), malformed);
    assert.throws(() => installationIdentifier(new Uint8Array(31)), malformed);
    assert.throws(() => rootIdentifier("zz", IdentifierKind.PASSKEY), malformed);
    assert.throws(() => rootIdentifier("022", IdentifierKind.PASSKEY), malformed);
    assert.deepEqual(rootIdentifier("Ab", IdentifierKind.PASSKEY), { kind: "passkey", value: "ab" });
    assert.deepEqual(rootIdentifier("Any", 9 as IdentifierKind), { kind: "ethereum", value: "Any" });
    assert.equal(rootIdentifier(ADDRESS, IdentifierKind.UNSPECIFIED).kind, "ethereum");
  });
});
