import { concatBytes, toHex } from "@latchkey/mls";
import { p256 } from "@noble/curves/nist.js";
import { IdentifierKind } from "../proto.ts";
import { deriveInboxId, type Identifier } from "../identity/identifier.ts";
import {
  add,
  addInstallation,
  byInstallation,
  byPasskey,
  byWallet,
  changeRecovery,
  createInbox,
  created,
  INBOX,
  INSTALLATION,
  NONCE,
  PASSKEY,
  PASSKEY_POINT,
  revoke,
  update,
  usualClientData,
  type PasskeyForm,
  type Probe,
} from "./probe-kit.ts";

const { Fn } = p256.Point;

/** An inbox of the passkey. */
function creation(title: string, holds: boolean, form: PasskeyForm = {}): Probe {
  const owner: Identifier = { kind: "passkey", value: toHex(form.publicKey ?? PASSKEY_POINT.toBytes(false)) };
  const inboxId = deriveInboxId(owner.value, NONCE);
  return { title: `passkey ${title}`, log: [update(inboxId, [createInbox(byPasskey(form), owner)])], holds };
}

function data(title: string, holds: boolean, clientData: (challenge: string) => string | Uint8Array): Probe {
  return creation(`client data: ${title}`, holds, { clientData });
}

function signed(title: string, holds: boolean, signature: (compact: Uint8Array) => Uint8Array): Probe {
  return creation(`signature: ${title}`, holds, { signature });
}

function integer(bytes: Uint8Array): Uint8Array {
  const first = bytes.findIndex((byte) => byte !== 0);
  const short = bytes.subarray(first);
  return (short[0] ?? 0) > 0x7f ? concatBytes(Uint8Array.of(0), short) : short;
}

/** DER of two integers as they are given, without any rule. */
function der(r: Uint8Array, s: Uint8Array, lengthBytes = (length: number): number[] => [length]): Uint8Array {
  const body = concatBytes(Uint8Array.of(2, r.length), r, Uint8Array.of(2, s.length), s);
  return concatBytes(Uint8Array.of(0x30, ...lengthBytes(body.length)), body);
}

const r = (compact: Uint8Array): Uint8Array => integer(compact.subarray(0, 32));
const s = (compact: Uint8Array): Uint8Array => integer(compact.subarray(32));

function highS(compact: Uint8Array): Uint8Array {
  const parsed = p256.Signature.fromBytes(compact, "compact");
  return new p256.Signature(parsed.r, Fn.neg(parsed.s)).toBytes("der");
}

/** x alone: the key counts when its y is the lower one. */
function compact(lower: boolean): Probe {
  const { x, y } = PASSKEY_POINT.toAffine();
  const isLower = y < PASSKEY_POINT.negate().toAffine().y;
  const bytes = p256.Point.fromAffine({ x, y }).toBytes(true);
  const publicKey = concatBytes(Uint8Array.of(lower ? 0x05 : 0x03), bytes.subarray(1));
  const isOdd = (y & 1n) === 1n;
  return creation(lower ? "key in compact form" : "key compressed, odd", lower ? isLower : isOdd, { publicKey });
}

const bytesOf = (text: string): Uint8Array => Uint8Array.from(text, (character) => character.charCodeAt(0));

function clientDataProbes(): Probe[] {
  const usual = (challenge: string) => `"origin":"o","challenge":"${challenge}"`;
  return [
    data("of another type, without the rest", true, (c) => `{"type":"webauthn.create",${usual(c)}}`),
    data("no origin", false, (c) => `{"challenge":"${c}"}`),
    data("no challenge", false, () => `{"origin":"o"}`),
    data("another challenge", false, (c) => `{"origin":"o","challenge":"${c.slice(1)}"}`),
    data("challenge with padding", false, (c) => `{"origin":"o","challenge":"${c}="}`),
    data(
      "challenge escaped",
      true,
      (c) => `{"origin":"o","challenge":"\\u${`000${c.charCodeAt(0).toString(16)}`.slice(-4)}${c.slice(1)}"}`,
    ),
    data("origin is null", false, (c) => `{"origin":null,"challenge":"${c}"}`),
    data("origin is a number", false, (c) => `{"origin":1,"challenge":"${c}"}`),
    data("challenge twice", false, (c) => `{${usual(c)},"challenge":"${c}"}`),
    data("origin twice", false, (c) => `{${usual(c)},"origin":"o"}`),
    data("another member twice", true, (c) => `{"a":1,${usual(c)},"a":2}`),
    data("challenge twice, once escaped", false, (c) => `{${usual(c)},"\\u0063hallenge":"${c}"}`),
    data("name escaped", true, (c) => `{"origin":"o","\\u0063hallenge":"${c}"}`),
    data("an array of origin and challenge", true, (c) => `["o","${c}"]`),
    data("an array of challenge and origin", false, (c) => `["${c}","o"]`),
    data("an array of three", false, (c) => `["o","${c}",1]`),
    data("challenge one level down", false, (c) => `{"origin":"o","a":{"challenge":"${c}"}}`),
    data("a challenge one level down as well", true, (c) => `{${usual(c)},"a":{"challenge":"x","b":[{"origin":1}]}}`),
    data("white space", true, (c) => ` \n\t\r{ "origin" :"o", "challenge":\n"${c}" } \n`),
    data("byte-order mark", false, (c) => `\ufeff{${usual(c)}}`),
    data("text behind it", false, (c) => `{${usual(c)}}x`),
    data("a second value behind it", false, (c) => `{${usual(c)}}{}`),
    data("comma at the end", false, (c) => `{${usual(c)},}`),
    data("single quotes", false, (c) => `{'origin':'o','challenge':'${c}'}`),
    data("a comment", false, (c) => `{${usual(c)}/**/}`),
    data("a control character in a string nobody reads", false, (c) => `{${usual(c)},"a":"\u0001"}`),
    data("delete in a string", true, (c) => `{${usual(c)},"a":"\u007f"}`),
    data("a lone surrogate in a string nobody reads", true, (c) => `{${usual(c)},"a":"\\ud800"}`),
    data("a lone surrogate in origin", false, (c) => `{"origin":"\\ud800","challenge":"${c}"}`),
    data("a surrogate pair in origin", true, (c) => `{"origin":"\\ud83d\\ude00","challenge":"${c}"}`),
    data("a lone surrogate in an outer name", false, (c) => `{${usual(c)},"\\udc00":1}`),
    data("a lone surrogate in an inner name", true, (c) => `{${usual(c)},"a":{"\\udc00":1}}`),
    data("invalid UTF-8 in a string nobody reads", true, (c) => bytesOf(`{${usual(c)},"a":"\xff"}`)),
    data("invalid UTF-8 in origin", false, (c) => bytesOf(`{"origin":"\xff","challenge":"${c}"}`)),
    data("invalid UTF-8 in an outer name", false, (c) => bytesOf(`{${usual(c)},"\xff":1}`)),
    data("invalid UTF-8 between tokens", false, (c) => bytesOf(`{${usual(c)}\xa0}`)),
    data("a wrong escape in a string nobody reads", false, (c) => `{${usual(c)},"a":"\\x"}`),
    data("numbers in all forms", true, (c) => `{${usual(c)},"a":[0,-0,1.5e+9,1E400,-1e-400,12345678901234567890123]}`),
    data("a number with a leading zero", false, (c) => `{${usual(c)},"a":01}`),
    data("a number that ends with a point", false, (c) => `{${usual(c)},"a":1.}`),
    data("NaN", false, (c) => `{${usual(c)},"a":NaN}`),
    data("words", true, (c) => `{${usual(c)},"a":[true,false,null,[],{}]}`),
    data("brackets and quotes in strings", true, (c) => `{"a":"]}\\"{[,:\\\\",${usual(c)}}`),
    data("200 levels", true, (c) => `{${usual(c)},"a":${"[".repeat(200)}${"]".repeat(200)}}`),
    data("20 000 levels", true, (c) => `{${usual(c)},"a":${"[".repeat(20_000)}${"]".repeat(20_000)}}`),
    data("empty", false, () => ""),
  ];
}

function signatureProbes(): Probe[] {
  return [
    signed("high s", true, highS),
    signed("r and s without DER", false, (c) => c),
    signed("a byte behind it", false, (c) => concatBytes(der(r(c), s(c)), Uint8Array.of(0))),
    signed("a byte behind it within the sequence", false, (c) => {
      const body = concatBytes(
        Uint8Array.of(2, r(c).length),
        r(c),
        Uint8Array.of(2, s(c).length),
        s(c),
        Uint8Array.of(0),
      );
      return concatBytes(Uint8Array.of(0x30, body.length), body);
    }),
    signed("length in long form", false, (c) => der(r(c), s(c), (length) => [0x81, length])),
    signed("length in long form with a leading zero", false, (c) => der(r(c), s(c), (length) => [0x82, 0, length])),
    signed("a leading zero too many", false, (c) => der(concatBytes(Uint8Array.of(0), r(c)), s(c))),
    signed("r of zero", false, (c) => der(Uint8Array.of(0), s(c))),
    signed("s empty", false, (c) => der(r(c), new Uint8Array(0))),
    signed("s negative", false, (c) => der(r(c), Uint8Array.of(0x80, ...s(c).subarray(1)))),
    signed("s is the group order", false, (c) => der(r(c), integer(Fn.toBytes(0n).fill(255)))),
    signed("a set instead of a sequence", false, (c) => concatBytes(Uint8Array.of(0x31), der(r(c), s(c)).subarray(1))),
    signed("empty", false, () => new Uint8Array(0)),
    creation("authenticator data empty", true, { authenticatorData: new Uint8Array(0) }),
    creation("key compressed", true, { publicKey: PASSKEY_POINT.toBytes(true) }),
    compact(true),
    compact(false),
    creation("key hybrid", false, {
      publicKey: concatBytes(Uint8Array.of(6), PASSKEY_POINT.toBytes(false).subarray(1)),
    }),
    creation("key of one byte", false, { publicKey: Uint8Array.of(0) }),
    creation("key off the curve", false, {
      publicKey: concatBytes(PASSKEY_POINT.toBytes(false).subarray(0, 64), Uint8Array.of(1)),
    }),
    creation("key of somebody else", false, { publicKey: p256.Point.BASE.toBytes(false) }),
    creation("key with x beyond the field", false, {
      publicKey: concatBytes(Uint8Array.of(2), new Uint8Array(32).fill(255)),
    }),
  ];
}

/** Passkeys: client data, signatures, keys, and what an inbox may do with them. */
export function passkeyProbes(): Probe[] {
  const inboxId = deriveInboxId(PASSKEY.value, NONCE);
  const installationMember: Identifier = { kind: "installation", value: INSTALLATION.id };
  const first = createInbox(byPasskey(), PASSKEY);
  const upper = createInbox(byPasskey(), PASSKEY, { text: PASSKEY.value.toUpperCase() });
  const once = update(INBOX, [changeRecovery(PASSKEY.value, IdentifierKind.PASSKEY)]);
  const back = (form: PasskeyForm = {}) =>
    update(INBOX, [changeRecovery(PASSKEY.value, IdentifierKind.PASSKEY, byPasskey(form))]);
  return [
    creation("honest", true),
    { title: "passkey identifier in upper case", log: [update(inboxId, [upper])], holds: true },
    {
      title: "passkey adds an installation to its inbox",
      log: [update(inboxId, [first, add(installationMember, byInstallation, byPasskey())])],
      holds: true,
    },
    ...clientDataProbes(),
    ...signatureProbes(),
    {
      title: "passkey joins an inbox of a wallet",
      log: [created(), update(INBOX, [add(PASSKEY, byPasskey())])],
      holds: true,
    },
    {
      title: "passkey joins, added by an installation",
      log: [created(addInstallation), update(INBOX, [add(PASSKEY, byPasskey(), byInstallation)])],
      holds: true,
    },
    {
      title: "passkey joins by the wallet's own signature",
      log: [created(), update(INBOX, [add(PASSKEY, byWallet)])],
      holds: false,
    },
    { title: "passkey recovers", log: [created(), once, back()], holds: true },
    { title: "passkey replay as it was", log: [created(), once, back(), back()], holds: false },
    { title: "passkey replay with high s", log: [created(), once, back(), back({ signature: highS })], holds: true },
    {
      title: "passkey is revoked",
      log: [created(add(PASSKEY, byPasskey())), update(INBOX, [revoke(PASSKEY)])],
      holds: true,
    },
    {
      title: "passkey of another encoding is another member",
      log: [
        created(add(PASSKEY, byPasskey())),
        update(INBOX, [
          add(
            { kind: "passkey", value: toHex(PASSKEY_POINT.toBytes(true)) },
            byPasskey({
              publicKey: PASSKEY_POINT.toBytes(true),
              clientData: (c) => usualClientData(c).replace("example", "other"),
            }),
          ),
        ]),
      ],
      holds: true,
    },
  ];
}
