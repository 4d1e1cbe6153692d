import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { toHex } from "@latchkey/mls";
import { XMTP_LIMITS } from "../limits.ts";
import { ExternalInvitePayloadSchema, type ExternalInvitePayloadV1Schema } from "../proto.ts";
import { hex, seed } from "../testing/inboxes.ts";
import { decodeInvitePayload, encodeInvitePayload, type InvitePayload } from "./payload.ts";
import { inviteUrl, parseInviteUrl } from "./url.ts";
import type { MessageInitShape } from "@bufbuild/protobuf";

const PAYLOAD: InvitePayload = {
  servicePointer: { kind: "https_url", url: "https://invites.example/v1" },
  externalGroupId: hex("00112233445566778899aabbccddeeff"),
  symmetricKey: seed(1),
};

function bytesOf(value: MessageInitShape<typeof ExternalInvitePayloadV1Schema>): Uint8Array {
  const version = { case: "v1" as const, value };
  return toBinary(ExternalInvitePayloadSchema, create(ExternalInvitePayloadSchema, { version }));
}

const GOOD = { externalGroupId: PAYLOAD.externalGroupId, symmetricKey: { material: PAYLOAD.symmetricKey } };
const malformed = (rule: string) => ({ name: "JoinError", code: "INVITE_MALFORMED", retryable: false, rule });

describe("invite payload", () => {
  test("it is read back as it was written, with every kind of service pointer and with none", () => {
    const opaque = { kind: "opaque", bytes: hex("0102") } as const;
    for (const servicePointer of [PAYLOAD.servicePointer, opaque, undefined]) {
      const payload = { ...PAYLOAD, servicePointer };
      assert.deepEqual(decodeInvitePayload(encodeInvitePayload(payload)), payload);
    }
  });

  test("the wire form is that of the revised protos: key and pointer are submessages", () => {
    const payload = { ...PAYLOAD, servicePointer: undefined, externalGroupId: hex("01020304") };
    const expected = `0a2a 1204 01020304 1a22 0a20 ${toHex(PAYLOAD.symmetricKey)}`.replaceAll(" ", "");
    assert.equal(toHex(encodeInvitePayload(payload)), expected);
  });

  test("each check refuses by its own name", () => {
    const cases: readonly (readonly [string, Uint8Array])[] = [
      ["TooLong", new Uint8Array(XMTP_LIMITS.maxInvitePayloadBytes + 1)],
      ["InvalidProtobuf", new Uint8Array(XMTP_LIMITS.maxInvitePayloadBytes).fill(0xff)],
      ["InvalidProtobuf", hex("ff")],
      ["UnsupportedVersion", hex("")],
      ["UnsupportedVersion", hex("1200")],
      ["EmptyServicePointer", bytesOf({ ...GOOD, servicePointer: {} })],
      [
        "InvalidHttpsUrl",
        bytesOf({ ...GOOD, servicePointer: { location: { case: "httpsUrl", value: "http://a.b" } } }),
      ],
      ["InvalidHttpsUrl", bytesOf({ ...GOOD, servicePointer: { location: { case: "httpsUrl", value: "https://" } } })],
      ["InvalidExternalGroupIdLength", bytesOf({ ...GOOD, externalGroupId: hex("010203") })],
      ["InvalidExternalGroupIdLength", bytesOf({ ...GOOD, externalGroupId: new Uint8Array(65) })],
      ["MissingSymmetricKey", bytesOf({ externalGroupId: GOOD.externalGroupId })],
      ["InvalidSymmetricKeyLength", bytesOf({ ...GOOD, symmetricKey: { material: hex("00") } })],
    ];
    for (const [rule, bytes] of cases) assert.throws(() => decodeInvitePayload(bytes), malformed(rule));
  });

  test("nothing malformed can be written either", () => {
    const short = { ...PAYLOAD, symmetricKey: new Uint8Array(31) };
    assert.throws(() => encodeInvitePayload(short), malformed("InvalidSymmetricKeyLength"));
    const http = { ...PAYLOAD, servicePointer: { kind: "https_url", url: "ftp://a.b" } } as const;
    assert.throws(() => encodeInvitePayload(http), malformed("InvalidHttpsUrl"));
  });
});

describe("invite link", () => {
  test("SEC-10 the invite is in the fragment only, and is read from there", () => {
    const link = inviteUrl(PAYLOAD, "https://latchkey.link/i");
    const url = new URL(link);
    assert.equal(`${url.origin}${url.pathname}${url.search}`, "https://latchkey.link/i");
    assert.match(url.hash, /^#[A-Za-z0-9_-]+$/);
    assert.deepEqual(parseInviteUrl(link), PAYLOAD);
    assert.deepEqual(parseInviteUrl(` ${link}\n`), PAYLOAD);
  });

  test("a damaged link is refused by name", () => {
    const link = inviteUrl(PAYLOAD, "https://latchkey.link/i");
    assert.throws(() => parseInviteUrl("https://latchkey.link/i"), malformed("MissingFragment"));
    assert.throws(() => parseInviteUrl("https://latchkey.link/i#"), malformed("InvalidBase64Url"));
    assert.throws(() => parseInviteUrl(`${link}=`), malformed("InvalidBase64Url"));
    assert.throws(() => parseInviteUrl("x#AAAAA"), malformed("InvalidBase64Url"));
    assert.throws(() => parseInviteUrl("x#AB"), malformed("InvalidBase64Url"));
    const longest = 2 * XMTP_LIMITS.maxInvitePayloadBytes;
    assert.throws(() => parseInviteUrl("x".repeat(longest + 1)), malformed("TooLong"));
    assert.throws(() => parseInviteUrl("x".repeat(longest)), malformed("MissingFragment"));
    assert.throws(() => parseInviteUrl(link.slice(0, -6)), { code: "INVITE_MALFORMED" });
    assert.throws(() => inviteUrl(PAYLOAD, "latchkey"), malformed("InvalidBaseUrl"));
    assert.throws(() => inviteUrl(PAYLOAD, "https://a.b/#c"), malformed("InvalidBaseUrl"));
  });
});
