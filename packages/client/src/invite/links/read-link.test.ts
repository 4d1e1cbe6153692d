import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { toBase64Url, encodeInvitePayload, inviteUrl, type InvitePayload } from "@latchkey/xmtp";
import fc from "fast-check";
import { CLIENT_LIMITS } from "../../limits.ts";
import { findInvite, findInviteAmong, readInvite } from "../read-invite.ts";
import { linkChecksum } from "./checksum.ts";
import { readLink, searchText } from "./read-link.ts";

const payload: InvitePayload = {
  servicePointer: { kind: "https_url", url: "https://slots.example/base" },
  externalGroupId: new Uint8Array(16).fill(7),
  // Its text has single, double and triple hyphens, and underscores.
  symmetricKey: Uint8Array.from(
    Buffer.from("x-Ab--Cd---Ef_Gh__IjKlMnOpQrStUvWxYz0123456789A", "base64url").subarray(0, 32),
  ),
};
const bytes = encodeInvitePayload(payload);
const code = toBase64Url(bytes);
const decimal = BigInt(`0x${Buffer.from(bytes).toString("hex")}`).toString();
const link = inviteUrl(payload, "https://any.example/page");
const encoded = encodeURIComponent(link);
const half = Math.floor(code.length / 2);
const [head, tail] = [code.slice(0, half), code.slice(half)];

/** How links arrive, after public reports about other programs; each is read as the same invite. */
const FORMS: Readonly<Record<string, string | Uint8Array>> = {
  "the link": link,
  "white space around it": `\u00a0 ${link}\t\r\n`,
  "any page with a query": `http://other.example/a/b?x=1&y=%20#${code}`,
  "a slash before #": `https://any.example/page/#${code}`,
  "upper-case scheme and host": `HTTPS://ANY.EXAMPLE/page#${code}`,
  "scheme of the project": `latchkey:${code}`,
  "scheme with slashes": `latchkey://${code}`,
  "scheme with #": `LATCHKEY:#${code}`,
  "scheme that a page can register": `web+latchkey:${code}`,
  "payload alone": code,
  "payload behind #": `#${code}`,
  "payload's bytes": bytes,
  "no scheme, in a sentence": `Join us at any.example/page#${code} tonight`,
  "decimal, as a code shows it": `https://any.example/i#${decimal}`,
  "decimal behind the scheme": `latchkey:${decimal}`,
  "with its checksum": `${link}.${linkChecksum(bytes)}`,
  "with a cut checksum": `${link}.${linkChecksum(bytes).slice(0, 2)}`,
  "a sentence that goes on": `${link}.Next sentence`,
  "trailing dot": `Join: ${link}.`,
  "trailing comma, bang, colon": `${link}, ${link}! ${link}:`,
  ellipsis: `${link}…`,
  slash: `${link}/`,
  "equals signs": `${link}==`,
  parentheses: `(see ${link}).`,
  "angle brackets": `<${link}>`,
  quotes: `"${link}"`,
  apostrophes: `'${link}'`,
  "curly quotes": `“${link}”`,
  guillemets: `«${link}»`,
  backticks: `\`${link}\``,
  spoiler: `||${link}||`,
  asterisks: `**${link}**`,
  underscores: `_${link}_`,
  "emoji around": `👉${link}👈`,
  Markdown: `[Join](${link})`,
  "Markdown with its link as text": `[${link}](${link})`,
  "Markdown's escapes": link.replaceAll("_", "\\_"),
  BBCode: `[url]${link}[/url]`,
  HTML: `<a href="${link}">join</a>`,
  "HTML with its link as text": `<a href='${link}'>${link}</a>`,
  "HTML entity": link.replace("#", "&#35;"),
  "JSON with escaped slashes": JSON.stringify({ text: `Join ${link}` }).replaceAll("/", "\\/"),
  "calendar code of other makers": `MEBKM:TITLE:Join;URL:${link.replace(":", "\\:")};;`,
  intent: `intent://any.example/page#${code}#Intent;scheme=https;package=org.example;end`,
  "tracking in the query": link.replace("#", "?utm_source=x&fbclid=y#"),
  "tracking behind the fragment": `${link}&fbclid=IwAR0`,
  "tracking behind it with a question mark": `${link}?utm_source=x`,
  "another link first": `https://example.org/ ${link}`,
  "another fragment first": `Not https://docs.example/#chapter but ${link}.`,
  "pasted twice": `${link}${link}`,
  "on two lines twice": `${link}\n${link}`,
  "encoded #": link.replace("#", "%23"),
  "encoded # in a sentence": `Join us: ${link.replace("#", "%23")} see you`,
  "safe links": `https://eur01.safelinks.protection.outlook.com/?url=${encoded}&data=05%7C02&reserved=0`,
  "safe links, encoded twice": `https://eur01.safelinks.protection.outlook.com/?url=${encodeURIComponent(encoded)}`,
  "redirect encoded three times": `https://r.example/?u=${encodeURIComponent(encodeURIComponent(encoded))}`,
  "redirect of a search page": `https://www.google.com/url?q=${encoded}&sa=D`,
  "redirect of a social network": `https://l.facebook.com/l.php?u=${encoded}&h=AT1C`,
  "mail gateway that writes * for #": `https://urldefense.com/v3/__${link.replace("#", "*")}__;Iw!!Ab$`,
  "mail link": `mailto:?subject=Invite&body=Join%20${encoded}`,
  "share link of a messenger": `https://wa.me/?text=Join%20${encoded}`,
  "decimal in a redirect": `https://r.example/?u=${encodeURIComponent(`https://any.example/i#${decimal}`)}`,
  "Chinese without spaces": `请点击${link}。谢谢`,
  "corner brackets": `「${link}」を参照`,
  "full-width parentheses": `こちら（${link}）から`,
  "full-width letters": link.replaceAll(/[!-~]/g, (letter) => String.fromCharCode(letter.charCodeAt(0) + 0xfee0)),
  "right-to-left marks": `\u200f${link}\u200f`,
  "bidi isolates": `\u2068${link}\u2069`,
  "byte order mark": `\ufeff${link}`,
  "zero-width spaces": `https://any.example/page#\u200b${head}\u200b${tail}\u200b`,
  "word joiner": `${link}\u2060`,
  "soft hyphen": `https://any.example/page#${head}\u00ad${tail}`,
  "non-breaking hyphens": link.replaceAll("-", "\u2011"),
  "typographic dashes": `https://any.example/page#${code.replaceAll("---", "—").replaceAll("--", "–")}`,
  "broken by a mailer": `Join:\r\n    https://any.example/page#${head}\r\n    ${tail}\r\n`,
  "broken in brackets": `<https://any.example/page#${head}\n${tail}>`,
  "broken in a quoted mail": `> Join:\n> https://any.example/page#${head}\n> ${tail}\n> See you`,
  "broken in a mail quoted twice": `> > https://any.example/page#${head}\n> > ${tail}\n`,
  "quoted-printable": `https://any.example/page?x=3D1#${head}=\r\n${tail}\r\n`,
  "copied from a PDF": `https://any.example/page#${head} ${tail}`,
  "broken behind #": `https://any.example/page#\n${code}`,
};

describe("DOR-01 links as people have them", () => {
  for (const [form, text] of Object.entries(FORMS)) {
    test(`is read: ${form}`, () => assert.deepEqual(readInvite(text), payload));
  }

  test("a server has seen the invite where # was encoded or the link was wrapped, and nowhere else", () => {
    const exposed = Object.entries(FORMS).filter(([, text]) => findInvite(text).exposed);
    assert.deepEqual(
      exposed.map(([form]) => form),
      [
        "encoded #",
        "encoded # in a sentence",
        "safe links",
        "safe links, encoded twice",
        "redirect encoded three times",
        "redirect of a search page",
        "redirect of a social network",
        "mail gateway that writes * for #",
        "share link of a messenger",
        "decimal in a redirect",
      ],
    );
  });

  test("dashes that stand for single hyphens are told from those that stand for two by where the payload ends", () => {
    const symmetricKey = new Uint8Array(32).fill(0xfb);
    const single = { ...payload, symmetricKey };
    const text = inviteUrl(single, "https://any.example/page");
    assert.match(text, /-/);
    assert.deepEqual(readInvite(text.replaceAll("-", "–")), single);
  });

  test("a code that leaves its pointer out gets it back from the origin of its link", () => {
    const decimalOf = (of: InvitePayload) =>
      BigInt(`0x${Buffer.from(encodeInvitePayload(of)).toString("hex")}`).toString();
    const without = decimalOf({ ...payload, servicePointer: undefined });
    const https = { kind: "https_url", url: "https://slots.example" } as const;
    const loopback = { kind: "opaque", bytes: new TextEncoder().encode("http://127.0.0.1:5556") } as const;
    for (const text of [
      `https://slots.example/i#${without}`,
      `Scan: slots.example/i#${without}`,
      `https://r.example/?u=${encodeURIComponent(`https://slots.example/i#${without}`)}`,
    ]) {
      assert.deepEqual(readInvite(text), { ...payload, servicePointer: https });
    }
    assert.deepEqual(readInvite(`http://127.0.0.1:5556/i#${without}`), { ...payload, servicePointer: loopback });
    assert.equal(readInvite(`latchkey:${without}`).servicePointer, undefined);
  });
});

/** What is not an invite, or not one: the rule, and what its message has to say. */
const REFUSED: Readonly<Record<string, readonly [text: string, rule: string, says: RegExp]>> = {
  "no link": ["no link at all", "NoLink", /no invite in the text/],
  "cut at #": ["https://any.example/page#", "MissingFragment", /nothing behind #/],
  "cut before #": ["Join: https://any.example/page now", "MissingFragment", /nothing behind #/],
  "one character is missing": [link.slice(0, -1), "Cut", /1 character is missing at its end/],
  "78 characters are missing": [link.slice(0, -78), "Cut", /78 characters are missing at its end/],
  "words behind a cut link": [`look: ${link.slice(0, -2)} ok`, "Cut", /breaks off/],
  "two parts of a text message": [
    `${link.slice(0, -40)}\n(2/2) ${link.slice(-40)}`,
    "Cut",
    /40 characters are missing/,
  ],
  "shortened for display": [`${link.slice(0, 60)}…`, "Shortened", /shortened for display/],
  "shortened with dots": [`${link.slice(0, 60)}...`, "Shortened", /shortened for display/],
  "underscores eaten": [
    inviteUrl({ ...payload, externalGroupId: new Uint8Array(16).fill(0xff) }, "https://any.example/i").replaceAll(
      "_",
      "",
    ),
    "CharactersLost",
    /23 characters of the link are missing inside/,
  ],
  "its beginning lost": [`latchkey:${code.slice(4)}`, "NoInvite", /not a Latchkey invite/],
  "a changed length": [link.replace("#Cl", "#Cm"), "Cut", /missing/],
  "small letters": [link.toLowerCase(), "ChangedCase", /small or large/],
  "large letters": [link.toUpperCase(), "ChangedCase", /small or large/],
  "two invites": [
    `${link} or ${inviteUrl({ ...payload, externalGroupId: new Uint8Array(16).fill(9) }, "https://any.example/i")}`,
    "TwoInvites",
    /slots 07070707… and 09090909…/,
  ],
  "a visible link that differs": [
    `<a href="${link}">${inviteUrl({ ...payload, symmetricKey: new Uint8Array(32) }, "https://any.example/i")}</a>`,
    "TargetDiffers",
    /another invite than its target/,
  ],
  "Signal's": [`https://signal.group/#CjQKIFBA8_aUor7${"A".repeat(60)}`, "OtherMessenger", /Signal/],
  "WhatsApp's": ["https://chat.whatsapp.com/AbCdEfGhIjKlMnOpQrStUv", "OtherMessenger", /WhatsApp/],
  "Matrix's": ["https://matrix.to/#/#room:example.org", "OtherMessenger", /Matrix/],
  "a data link": [`data:text/html,x#${code}`, "ForeignScheme", /link of this kind/],
  "a script": [`javascript:location='x#${code}'`, "ForeignScheme", /link of this kind/],
  "a link with another fragment": ["https://docs.example/#chapter-4", "NoInvite", /not a Latchkey invite/],
  "a newer version": [
    `latchkey:${toBase64Url(Uint8Array.of(0x12, 30, ...new Uint8Array(30)))}`,
    "UnsupportedVersion",
    /update/,
  ],
  "too long": ["x ".repeat(CLIENT_LIMITS.maxInviteTextCharacters), "TooLong", /link alone/],
};

describe("DOR-02 what is not an invite, or not one, is refused with its cause", () => {
  for (const [form, [text, rule, message]] of Object.entries(REFUSED)) {
    test(`is refused: ${form}`, () => {
      assert.throws(() => readInvite(text), { code: "INVITE_MALFORMED", rule, message, retryable: false });
    });
  }

  test("no message shows a part of the key", () => {
    for (const [text] of Object.values(REFUSED)) {
      assert.throws(
        () => readInvite(text),
        (error: Error) => !error.message.includes(code.slice(-30, -20)),
      );
    }
  });

  test("of several codes the invite counts; two different ones are refused", () => {
    const found = findInviteAmong(["https://play.google.com/store/apps/details?id=org.example", link, "WIFI:S:x;;"]);
    assert.deepEqual(found.payload, payload);
    const other = inviteUrl({ ...payload, symmetricKey: new Uint8Array(32) }, "https://any.example/i");
    assert.throws(() => findInviteAmong([link, other]), { rule: "TwoInvites" });
    assert.throws(() => findInviteAmong(["WIFI:S:x;;"]), { rule: "NoLink" });
    assert.throws(() => findInviteAmong([]), { code: "INVITE_NO_QR" });
  });
});

test("DOR-09 a checksum tells a mistyped link, and one that is missing, cut or a sentence does not refuse it", () => {
  const typed = `${link.slice(0, -9)}${link.at(-9) === "A" ? "B" : "A"}${link.slice(-8)}.${linkChecksum(bytes)}`;
  assert.equal(readLink(typed).checksum, "wrong");
  assert.equal(readLink(`${link}.${linkChecksum(bytes)}`).checksum, "right");
  assert.equal(readLink(`(${link}.${linkChecksum(bytes)}).`).checksum, "right");
  assert.equal(readLink(link).checksum, "absent");
  assert.equal(readLink(`${link}.`).checksum, "absent");
});

/** Ways to dress any text with a link in it that may follow each other. */
const DRESSES: Readonly<Record<string, (text: string) => string>> = {
  sentence: (text) => `Hello, join us: ${text} see you!`,
  brackets: (text) => `(${text})`,
  quotes: (text) => `"${text}"`,
  markdown: (text) => `[Join](${text})`,
  html: (text) => `<a href="${text}">join</a>`,
  encoded: (text) => `https://r.example/?u=${encodeURIComponent(text)}`,
  chinese: (text) => `点击${text}。`,
  isolates: (text) => `\u2068${text}\u2069`,
  zeroWidth: (text) => Array.from(text).join("\u200b"),
  fullWidth: (text) => text.replaceAll(/[!-~]/g, (letter) => String.fromCharCode(letter.charCodeAt(0) + 0xfee0)),
  quotedMail: (text) => `> ${text}\n> Regards`,
  twice: (text) => `${text}\n${text}`,
};

const anyPayload = fc
  .record({
    servicePointer: fc.option(
      fc.oneof(
        fc.webUrl({ validSchemes: ["https"] }).map((url) => ({ kind: "https_url" as const, url })),
        fc.uint8Array({ minLength: 1, maxLength: 40 }).map((opaque) => ({ kind: "opaque" as const, bytes: opaque })),
      ),
      { nil: undefined },
    ),
    externalGroupId: fc.uint8Array({ minLength: 4, maxLength: 64 }),
    symmetricKey: fc.uint8Array({ minLength: 32, maxLength: 32 }),
  })
  .map((of): InvitePayload => ({ ...of }));

test("DOR-01 any payload, dressed in any two of the forms, is read back", () => {
  const dress = fc.constantFrom(...Object.values(DRESSES));
  fc.assert(
    fc.property(anyPayload, dress, dress, (any, inner, outer) => {
      const text = outer(inner(inviteUrl(any, "https://any.example/i")));
      assert.deepEqual(readInvite(text), any);
    }),
    { numRuns: 400 },
  );
});

test("DOR-02 no text without an invite yields one", () => {
  const pieces = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.constantFrom(
      "https://any.example/i#",
      "latchkey:",
      code.slice(0, 20),
      code.slice(20, 60),
      code.slice(-30),
      "%23",
    ),
    fc.stringMatching(/^C[g-v][\w-]{0,90}$/),
    fc.bigInt({ min: 0n, max: 1n << 700n }).map(String),
  );
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 12 }), (parts) => {
      const text = parts.join("");
      if (text.includes(code)) return;
      assert.throws(() => readLink(text), { code: "INVITE_MALFORMED" });
    }),
    { numRuns: 1_000 },
  );
});

test("DOR-02 hostile texts take a bounded number of steps for each character", () => {
  const size = CLIENT_LIMITS.maxInviteTextCharacters;
  const repeated = (text: string) => text.repeat(Math.ceil(size / text.length)).slice(0, size);
  const hostile = [
    repeated("Cg"),
    repeated("ClMKGwoZ"),
    repeated("ClMKGwoZ\n"),
    repeated(code.slice(0, -2)),
    repeated("9"),
    repeated(`${"9".repeat(120)} `),
    repeated(decimal.slice(1)),
    repeated("—C"),
    repeated("> "),
    repeated("https://a.example/#"),
    repeated("latchkey:"),
    repeated("%2523"),
    repeated("%"),
    repeated("href=]("),
    repeated("="),
  ];
  for (const text of hostile) {
    assert.ok(searchText(text).steps <= 128 * size, text.slice(0, 10));
    assert.throws(() => readLink(text), { code: "INVITE_MALFORMED" });
  }
});
