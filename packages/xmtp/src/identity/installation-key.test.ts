import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { utf8 } from "@latchkey/mls";
import { ed25519, ed25519ph } from "@noble/curves/ed25519.js";
import { seed } from "../testing/inboxes.ts";
import { InstallationKey } from "./installation-key.ts";

const key = new InstallationKey(seed(1));

describe("installation keys", () => {
  test("the signature is Ed25519ph with the context of identity updates", () => {
    const context = utf8("IDENTITY UPDATE SIGNATURE");
    const signature = key.sign("text");
    assert.deepEqual(signature, ed25519ph.sign(utf8("text"), seed(1), { context }));
    assert.equal(InstallationKey.verify(key.publicKey, "text", signature), true);
    assert.equal(key.id, Buffer.from(ed25519.getPublicKey(seed(1))).toString("hex"));
  });

  test("another text, key, context or algorithm does not verify", () => {
    const other = new InstallationKey(seed(2));
    assert.equal(InstallationKey.verify(key.publicKey, "texT", key.sign("text")), false);
    assert.equal(InstallationKey.verify(other.publicKey, "text", key.sign("text")), false);
    const wrongContext = ed25519ph.sign(utf8("text"), seed(1), { context: utf8("PUBLIC SIGNATURE CONTEXT") });
    assert.equal(InstallationKey.verify(key.publicKey, "text", wrongContext), false);
    assert.equal(InstallationKey.verify(key.publicKey, "text", ed25519.sign(utf8("text"), seed(1))), false);
  });

  test("malformed keys and signatures are false or refused, never a crash", () => {
    assert.equal(InstallationKey.verify(new Uint8Array(31), "text", key.sign("text")), false);
    assert.equal(InstallationKey.verify(key.publicKey, "text", new Uint8Array(63)), false);
    assert.equal(InstallationKey.verify(new Uint8Array(32).fill(0xff), "text", new Uint8Array(64).fill(0xff)), false);
    assert.throws(() => new InstallationKey(new Uint8Array(31)), { code: "IDENTITY_MALFORMED" });
  });
});
