import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { inviteUrl, encodeInvitePayload, toBase64Url, type InvitePayload } from "@latchkey/xmtp";
import { CLIENT_LIMITS } from "../../limits.ts";
import { findInvite } from "../read-invite.ts";
import { linkChecksum } from "./checksum.ts";
import { undoEncodings } from "./encodings.ts";
import { readLink } from "./read-link.ts";

const payload: InvitePayload = {
  servicePointer: { kind: "https_url", url: "https://slots.example/base" },
  externalGroupId: new Uint8Array(16).fill(7),
  symmetricKey: Uint8Array.from(
    Buffer.from("x-Ab--Cd---Ef_Gh__IjKlMnOpQrStUvWxYz0123456789A", "base64url").subarray(0, 32),
  ),
};
const bytes = encodeInvitePayload(payload);
const code = toBase64Url(bytes);
const page = "https://any.example/page#";
const link = inviteUrl(payload, "https://any.example/page");
const encoded = encodeURIComponent(link);
const half = Math.floor(code.length / 2);
const [head, tail] = [code.slice(0, half), code.slice(half)];

/** A text with `#`, `-` and `_` written in another way. */
function written(as: (hex: string) => string): string {
  return link.replaceAll(/[#_-]/g, (letter) => as(letter.charCodeAt(0).toString(16).toUpperCase()));
}

function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}

/** Letters of the block of mathematical sans-serif bold. */
function bold(text: string): string {
  return text.replaceAll(/[A-Za-z0-9]/g, (letter) => {
    const at = letter.charCodeAt(0);
    return String.fromCodePoint(at >= 97 ? 0x1d5ee + at - 97 : at >= 65 ? 0x1d5d4 + at - 65 : 0x1d7ec + at - 48);
  });
}

const proofpoint = link
  .replaceAll(/[^A-Za-z0-9./]/g, (letter) => `-${letter.charCodeAt(0).toString(16).toUpperCase()}`)
  .replaceAll("/", "_");

/** Forms that programs write links in, and whether a server has seen the invite by then. */
const FORMS: Readonly<Record<string, readonly [text: string, exposed?: true]>> = {
  "HTML with decimal entities": [written((hex) => `&#${parseInt(hex, 16)};`)],
  "HTML with hexadecimal entities": [written((hex) => `&#x${hex};`)],
  "HTML with named entities": [link.replace("#", "&num;").replaceAll("_", "&lowbar;").replaceAll("-", "&hyphen;")],
  "HTML as text": [`&lt;a href=&quot;${link}&quot;&gt;Join&lt;/a&gt;`],
  "HTML with places to break": [`${page}${head}<wbr>${tail}`],
  "HTML with a broken line": [`${page}${head}<br/>\n${tail}`],
  "HTML in pieces": [`<p>${page}<span>${head}</span><span class="x">${tail}</span></p>`],
  "HTML with a zero-width space": [`${page}${head}&#8203;${tail}`],
  "HTML with a soft hyphen": [`${page}${head}&shy;${tail}`],
  "escapes of JavaScript": [written((hex) => `\\u00${hex}`)],
  "escapes of bytes": [written((hex) => `\\x${hex}`)],
  "percent with u": [written((hex) => `%u00${hex}`)],
  "quoted-printable throughout": [`Join =\r\n${written((hex) => `=${hex}`).replace(tail.slice(0, 4), "=\r\n$&")}`],
  "a contact in quoted-printable": [`URL;ENCODING=QUOTED-PRINTABLE:${written((hex) => `=${hex}`)}`],
  "a subject in quoted-printable": [`Subject: =?utf-8?Q?Join_${written((hex) => `=${hex}`).replace(":", "=3A")}?=`],
  "a subject in base64": [`Subject: =?UTF-8?B?${base64("Join ")}?= =?UTF-8?B?${base64(link)}?=`],
  "a mail in base64": [
    `Content-Transfer-Encoding: base64\r\n\r\n${base64(`Join ${link}\n`).replaceAll(/(.{76})/g, "$1\r\n")}`,
  ],
  "a gateway that writes - for %": [`https://urldefense.proofpoint.com/v2/url?u=${proofpoint}&d=DwMFaQ&c=x`, true],
  "a gateway that takes base64": [`https://eu.protection.sophos.com?d=any.example&u=${base64(link)}&i=NWY&h=a`, true],
  "a gateway with small hexadecimals": [
    `https://linkprotect.cudasvc.com/url?a=${encoded.replaceAll(/%../g, (each) => each.toLowerCase())}&c=E`,
    true,
  ],
  "a gateway with the link as path": [`https://secure-web.cisco.com/1aBc-_d/${encoded}`, true],
  "an archive": [`https://web.archive.org/web/20240101000000/${link}`],
  "a share link": [`https://t.me/share/url?url=${encoded}&text=Join`, true],
  "a text message": [`sms:+4912345?body=Join%20${encoded}`, true],
  "mathematical letters": [bold(link)],
  "figure dashes": [link.replaceAll("-", "\u2012")],
  "modifier letters for hyphens": [link.replaceAll("-", "\u02d7")],
  "hyphen bullets": [link.replaceAll("-", "\u2043")],
  "a Mongolian vowel separator": [`${page}${head}\u180e${tail}`],
  "a grapheme joiner": [`${page}${head}\u034f${tail}`],
  "an object that was left out": [`${page}${head}\ufffc${tail}`],
  "invisible tags": [`${page}${head}\u{e0020}${tail}\u{e007f}`],
  "a line broken for a shell": [`open ${page}${head}\\\n  ${tail}`],
  "a frame around it": [`│ ${page}${head} │\n│ ${tail} │`],
  "a table's row on two lines": [`| ${page}${head} |\n| ${tail} |`],
  "a comment of two lines": [` * ${page}${head}\n * ${tail}`],
  "another comment": [`// ${page}${head}\n// ${tail}`],
  "hyphenated at the end of a line": [`${page}${head}-\n${tail}`],
  "hyphenated with a hyphen of its own": [`${page}${head}\u2010\r\n${tail}`],
  "colours of a terminal": [`${page}${head}\u001b[0m\u001b[4m${tail}`],
  "a link of a terminal": [`\u001b]8;;${link}\u0007Join\u001b]8;;\u0007`],
  "a calendar's folded line": [`DESCRIPTION:Join: ${page}${head}\r\n\t${tail}\\nBye\\, all`],
  "a contact's folded line": [`URL:${page}${head}\r\n ${tail}\r\nEND:VCARD`],
  "escapes of a bot": [link.replaceAll(/[_#.-]/g, "\\$&")],
  LaTeX: [`\\href{${link.replace("#", "\\#").replaceAll("_", "\\_")}}{Join}`],
  Org: [`[[${link}][Join]]`],
  Jira: [`[${link}|${link}|smart-link]`],
  Slack: [`<${link}|Join us>`],
  reStructuredText: [`\`Join <${link}>\`_`],
  "a cell of a table": [`"Join","=HYPERLINK(""${link}"",""x"")"`],
  "a file of a desktop": [`[Desktop Entry]\nType=Link\nURL=${link}\n`],
  "a text fragment behind it": [`${link}:~:text=Join`],
  "a router's fragment": [link.replace("#", "#/")],
  "a named parameter": [link.replace("#", "#invite=")],
  "a harmless form": [link.replace("https", "hxxps").replace(".", "[.]")],
  "an IRC log": [`\u0002\u001f${link}\u000f`],
  "an exported chat": [`[30.11.26, 16:02:11] Ann: ${link}`],
  Arabic: [`انضم: ${link}،`],
  Thai: [`เข้าร่วม${link}ครับ`],
  Hindi: [`जुड़ें ${link}।`],
  Korean: [`${link}에서 참여`],
};

describe("DOR-01 links under other encodings than percent", () => {
  for (const [form, [text, exposed = false]] of Object.entries(FORMS)) {
    test(`is read: ${form}`, () => {
      const found = findInvite(text);
      assert.deepEqual(found.payload, payload);
      assert.equal(found.exposed, exposed);
    });
  }

  test("a hyphen at the end of a line stays where the payload needs it", () => {
    const at = code.indexOf("-", 12) + 1;
    assert.ok(at > 12 && at < code.length - 12);
    assert.deepEqual(readLink(`${page}${code.slice(0, at)}\n${code.slice(at)}`).payload, payload);
  });

  test("a checksum is compared under the encoding", () => {
    const text = `${page}${head}<wbr>${tail}.${linkChecksum(bytes)}`;
    assert.equal(readLink(text).checksum, "right");
    assert.equal(readLink(text.replace(/.$/, (last) => (last === "A" ? "B" : "A"))).checksum, "wrong");
  });
});

test("DOR-02 no encoding makes a hostile text much longer", () => {
  const size = CLIENT_LIMITS.maxInviteTextCharacters;
  for (const piece of [
    "\ufdfa",
    "&#97;",
    "=41",
    "\\x41",
    "<b>",
    "aHR0cDov",
    "=?a?b?QUFB?=",
    "content-transfer-encoding: base64 ",
  ]) {
    const text = piece.repeat(Math.ceil(size / piece.length)).slice(0, size);
    for (const undone of undoEncodings(text)) assert.ok(undone.text.length <= size, piece);
    assert.throws(() => readLink(text), { code: "INVITE_MALFORMED" });
  }
});
