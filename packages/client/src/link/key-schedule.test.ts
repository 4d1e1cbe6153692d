import assert from "node:assert/strict";
import { test } from "node:test";
import { fromHex, toHex } from "@latchkey/mls";
import { nodeCrypto } from "@latchkey/mls/node";
import { XMTP_CIPHER_SUITE } from "@latchkey/xmtp";
import { encodeLinkCode, linkCodeBytes, readLinkCode, type LinkCode } from "./code.ts";
import {
  commitment,
  laterBox,
  linkDigits,
  openingBox,
  padded,
  sharedSecret,
  transcriptHash,
  unpadded,
} from "./key-schedule.ts";

const suite = nodeCrypto.suite(XMTP_CIPHER_SUITE);
const bytes = (first: number, length: number) => Uint8Array.from({ length }, (_, index) => (first + index) % 256);

/** A code, keys and nonces whose bytes count up: other implementations make the same of them. */
const CODE: LinkCode = {
  role: "old",
  publicKey: fromHex("0faa684ed28867b97f4a6a2dee5df8ce974e76b7018e3f22a1c4cf2678570f20"),
  secret: bytes(0x40, 16),
  expiresAtSeconds: 1_800_000_000,
  inboxId: toHex(bytes(0x80, 32)),
  serviceUrl: "https://example.org",
};
const A_PRIVATE = bytes(0x01, 32);
const B_PRIVATE = bytes(0x21, 32);
const NONCE_A = bytes(0x60, 32);
const NONCE_B = bytes(0xa0, 32);

/** Computed a second time by another program. */
const VECTOR = {
  code:
    "010107a37cbc142093c8b755dc1b10e86cb426374ad16aa853ed0bdfc0b2b86d1c7c404142434445464748494a4b4c4d4e4f6b49d200" +
    "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f1368747470733a2f2f6578616d706c652e6f7267",
  commitment: "b2a4e51fc542fff5d7a8f4bb02147dbd909ca122203eba2e3c1c7754221df1c3",
  hash: "2db614253540154b2383d18acf6f0d360560a5c5ed13e6535c69176b1bb16135",
  shared: "b857442691a7cbc20c2bfc938aebb73b8662f8bf382c6cf5a43251cfe5af224b",
  digits: "771172",
  box: [
    "eedd8d6694fe1225e147a47c6504f66e",
    "aba6c4a3a312c07048a22e9a41de27d442427f03c633e756c28342bd2896e0e0",
    "1d84d2d5a6cdba56bc474064dbe0911dea361c1fc0c592052d05ecfcda2ce762",
  ],
  later: [
    "d3cf833bfeb95f16128c5a12edee4f46",
    "c3c2dc1b8db317b2415edc26d12e5d56c500f54c0bab2ca298051b660d3ae837",
    "403a5b845c78778e7b89e4632542324d4acd04e0eb53791f383b4db0cc4672d0",
  ],
};

async function vector() {
  const publicKey = await suite.dhPublicKey(B_PRIVATE);
  const revelation = { publicKey, nonce: NONCE_B };
  const code = linkCodeBytes({ ...CODE, publicKey: await suite.dhPublicKey(A_PRIVATE) });
  const committed = commitment(suite, code, revelation);
  const transcript = { code, commitment: committed, nonce: NONCE_A, revelation };
  const hash = transcriptHash(suite, transcript);
  const shared = sharedSecret(suite, hash, await suite.dh(A_PRIVATE, publicKey));
  return { code, committed, transcript, hash, shared, digits: linkDigits(suite, hash) };
}

test("the key schedule of linking gives what it always gave", async () => {
  const { code, committed, hash, shared, digits } = await vector();
  const box = openingBox(suite, CODE.secret, 0);
  const later = laterBox(suite, shared, "from-old", 3);
  assert.deepEqual(
    {
      code: toHex(code),
      commitment: toHex(committed),
      hash: toHex(hash),
      shared: toHex(shared),
      digits,
      box: [toHex(box.slotId), toHex(box.credential), toHex(box.key)],
      later: [toHex(later.slotId), toHex(later.credential), toHex(later.key)],
    },
    VECTOR,
  );
});

test("both sides derive the same secret, and every part of the transcript changes the digits", async () => {
  const { transcript, hash, shared } = await vector();
  const { revelation } = transcript;
  assert.deepEqual(sharedSecret(suite, hash, await suite.dh(B_PRIVATE, await suite.dhPublicKey(A_PRIVATE))), shared);
  const others = [
    { ...transcript, code: linkCodeBytes({ ...CODE, role: "new", inboxId: undefined }) },
    { ...transcript, commitment: bytes(0, 32) },
    { ...transcript, nonce: bytes(0, 32) },
    { ...transcript, revelation: { ...revelation, publicKey: bytes(0, 32) } },
    { ...transcript, revelation: { ...revelation, nonce: bytes(0, 32) } },
  ];
  const digits = [transcript, ...others].map((each) => linkDigits(suite, transcriptHash(suite, each)));
  assert.equal(new Set(digits).size, digits.length);
  for (const each of digits) assert.match(each, /^\d{6}$/);
});

test("boxes differ in id, credential and key by index, direction, counter and secret", async () => {
  const { shared } = await vector();
  const boxes = [
    ...([0, 1, 2] as const).map((index) => openingBox(suite, CODE.secret, index)),
    openingBox(suite, bytes(0, 16), 0),
    laterBox(suite, shared, "from-old", 0),
    laterBox(suite, shared, "from-old", 1),
    laterBox(suite, shared, "from-new", 0),
    laterBox(suite, bytes(0, 32), "from-new", 0),
  ];
  const secrets = boxes.flatMap(({ slotId, credential, key }) => [slotId, credential, key].map(toHex));
  assert.equal(new Set(secrets).size, 3 * boxes.length);
});

test("padding hides the length up to a power of two, and wrong padding is not read", () => {
  for (const length of [0, 1, 1_019, 1_020]) assert.equal(padded(bytes(0, length), 1_024).length, 1_024);
  assert.equal(padded(bytes(0, 1_021), 1_024).length, 2_048);
  assert.deepEqual(unpadded(padded(bytes(7, 300), 1_024)), bytes(7, 300));
  assert.equal(unpadded(new Uint8Array(3)), undefined);
  assert.equal(unpadded(Uint8Array.of(0, 0, 0, 1)), undefined);
});

test("a code is read again from any text, in upper or lower case", () => {
  const codes: LinkCode[] = [CODE, { ...CODE, role: "new", inboxId: undefined }];
  for (const code of codes) {
    const text = encodeLinkCode(suite, code);
    assert.match(text, /^LATCHKEY-LINK:[A-Z2-7]+$/);
    for (const given of [text, text.toLowerCase(), `Scan this: ${text} .`]) {
      assert.deepEqual(readLinkCode(suite, given), code);
    }
  }
});

test("a code that was cut, mistyped or made up is LINK_MALFORMED, and an invite says what it is", () => {
  const text = encodeLinkCode(suite, CODE);
  const read = (given: string) => () => readLinkCode(suite, given);
  for (let length = 0; length < text.length; length++) {
    assert.throws(read(text.slice(0, length)), { code: "LINK_MALFORMED" }, String(length));
  }
  for (let at = "LATCHKEY-LINK:".length; at < text.length; at++) {
    const typed = text.slice(0, at) + (text[at] === "A" ? "B" : "A") + text.slice(at + 1);
    assert.throws(read(typed), { code: "LINK_MALFORMED" }, String(at));
  }
  const made = (change: Partial<LinkCode>) => encodeLinkCode(suite, { ...CODE, ...change });
  assert.throws(read(made({ serviceUrl: "http://example.org" })), { code: "LINK_MALFORMED" });
  assert.throws(read(made({ role: "new" })), { code: "LINK_MALFORMED" });
  assert.throws(read("latchkey:Ch4SEA"), { code: "LINK_MALFORMED", message: /an invite leads into a group/ });
  assert.throws(read("x".repeat(70_000)), { code: "LINK_MALFORMED" });
});
