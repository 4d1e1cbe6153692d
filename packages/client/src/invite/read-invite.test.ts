import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeInvitePayload, inviteUrl, type InvitePayload } from "@latchkey/xmtp";
import { CLIENT_LIMITS } from "../limits.ts";
import { readInvite } from "./read-invite.ts";

const payload: InvitePayload = {
  servicePointer: { kind: "https_url", url: "https://slots.example/base" },
  externalGroupId: new Uint8Array(16).fill(7),
  symmetricKey: new Uint8Array(32).fill(9),
};
const link = inviteUrl(payload, "https://any.example/page?x=1");
const [, fragment = ""] = link.split("#");

test("a link to any page, latchkey: and the payload, a text around a link, and raw bytes are the same invite", () => {
  const given = [
    link,
    `  ${link}\n`,
    `latchkey:${fragment}`,
    `LATCHKEY:${fragment}`,
    `http://other.example/#${fragment}`,
    `#${fragment}`,
    `Come in!\n<${link}>, see you.`,
    `See https://page.example/ first, then (latchkey:${fragment}).`,
    `Not https://docs.example/#chapter but ${link}.`,
    encodeInvitePayload(payload),
  ];
  for (const invite of given) assert.deepEqual(readInvite(invite), payload);
});

test("INVITE_MALFORMED MissingFragment: a link that was cut at # is told apart from one that is damaged", () => {
  for (const cut of ["https://any.example/page", "https://any.example/page#", `Join: https://any.example/page# now`]) {
    assert.throws(() => readInvite(cut), {
      code: "INVITE_MALFORMED",
      rule: "MissingFragment",
      message: /cut at its #/,
    });
  }
  for (const damaged of [link.slice(0, -1), `latchkey:${fragment.slice(4)}`, `look: ${link.slice(0, -2)} ok`]) {
    assert.throws(
      () => readInvite(damaged),
      (error: Error & { code?: string; rule?: string }) => {
        assert.equal(error.code, "INVITE_MALFORMED");
        assert.notEqual(error.rule, "MissingFragment");
        return true;
      },
    );
  }
});

test("INVITE_MALFORMED NoLink, TooLong: a text without a link, and one without an end", () => {
  assert.throws(() => readInvite("no link at all"), { code: "INVITE_MALFORMED", rule: "NoLink" });
  const endless = "x ".repeat(CLIENT_LIMITS.maxInviteTextCharacters);
  assert.throws(() => readInvite(endless), { code: "INVITE_MALFORMED", rule: "TooLong" });
});
