import assert from "node:assert/strict";
import { hkdfSync } from "node:crypto";
import { test } from "node:test";
import { toHex, utf8 } from "@latchkey/mls";
import { nodeCrypto } from "@latchkey/mls/node";
import { XMTP_CIPHER_SUITE } from "../protocol.ts";
import { serviceOrigin, type ServicePointer } from "./service-pointer.ts";
import { slotCredential, slotCredentialV1, slotWriteSecret } from "./slot-credential.ts";

const suite = nodeCrypto.suite(XMTP_CIPHER_SUITE);
const [key, id] = [new Uint8Array(32).fill(7), new Uint8Array(16).fill(9)];

function hkdf(info: string): string {
  return toHex(new Uint8Array(hkdfSync("sha256", key, id, info, 32)));
}

test("TRU-15 a slot's credential is HKDF-SHA-256 of key, slot id and origin, as docs/invite-slots.md says", () => {
  const secret = slotWriteSecret(suite, key, id);
  const origin = "https://invites.example";
  assert.equal(toHex(slotCredential(suite, secret, origin)), hkdf(`latchkey slot write 2 ${origin}`));
  assert.equal(toHex(slotCredentialV1(suite, secret)), hkdf("latchkey slot write 1"));
  const others = [
    slotCredential(suite, secret, "https://invites.example:8443"),
    slotCredential(suite, slotWriteSecret(suite, key, new Uint8Array(16).fill(8)), origin),
    slotCredential(suite, slotWriteSecret(suite, id, key), origin),
    slotCredential(suite, secret, origin),
    slotCredentialV1(suite, secret),
    secret,
    key,
  ];
  assert.equal(new Set(others.map(toHex)).size, others.length);
});

test("TRU-15 the origin is that of the pointer's text, however it is spelled", () => {
  const https = (url: string): ServicePointer => ({ kind: "https_url", url });
  const opaque = (bytes: Uint8Array): ServicePointer => ({ kind: "opaque", bytes });
  const same = ["https://Invites.Example/base", "https://invites.example:443", "HTTPS://u:p@invites.example./x?y#z"];
  for (const url of same) assert.equal(serviceOrigin(https(url)), "https://invites.example");
  assert.equal(serviceOrigin(https("https://bücher.example:8443/")), "https://xn--bcher-kva.example:8443");
  assert.equal(serviceOrigin(https("https://2130706433/")), "https://127.0.0.1");
  assert.equal(serviceOrigin(https("https://[2001:DB8::0:1]/")), "https://[2001:db8::1]");
  assert.equal(serviceOrigin(opaque(utf8("http://127.0.0.1:5556/x"))), "http://127.0.0.1:5556");
  assert.equal(serviceOrigin(opaque(utf8("https://invites.example"))), "https://invites.example");
  for (const text of ["app:x", "file:///x", ""]) {
    assert.equal(serviceOrigin(opaque(utf8(text))), `opaque:${toHex(utf8(text))}`);
  }
  assert.equal(serviceOrigin(opaque(Uint8Array.of(0xff, 7))), "opaque:ff07");
});
