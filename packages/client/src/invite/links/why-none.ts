import type { LatchkeyError } from "@latchkey/mls";
import { malformedInvite } from "./malformed.ts";
import type { BrokenPayload, PayloadSearch } from "./find-payload.ts";
import { allDecoded } from "./surroundings.ts";

/** Hosts and schemes of other messengers' invites, and their names. */
const OTHER_MESSENGERS: readonly (readonly [RegExp, string])[] = [
  [/\b(?:signal\.(?:group|me)|sgnl:)/i, "Signal"],
  [/\b(?:chat\.whatsapp\.com|wa\.me|whatsapp:)/i, "WhatsApp"],
  [/\b(?:t\.me|telegram\.(?:me|org)|tg:)/i, "Telegram"],
  [/\b(?:matrix\.to|matrix:|element\.io)/i, "Matrix"],
  [/\b(?:discord\.(?:gg|com)|discordapp\.com)/i, "Discord"],
  [/\b(?:simplex\.chat|simplex:)/i, "SimpleX"],
  [/\b(?:threema\.(?:id|group)|threema:)/i, "Threema"],
  [/\b(?:i\.delta\.chat|dcaccount:|dclogin:)/i, "Delta Chat"],
  [/\b(?:join\.skype\.com|teams\.microsoft\.com|teams\.live\.com)/i, "Microsoft Teams"],
  [/\b(?:zoom\.us)/i, "Zoom"],
  [/\b(?:wire\.com)/i, "Wire"],
  [/\b(?:line\.me)/i, "LINE"],
  [/\b(?:briar:)/i, "Briar"],
];

/** A payload of this many characters or more has letters of both cases. */
const MIN_CASED = 40;

/** Why a text without an invite is not one: the first cause that fits, and what to do. */
export function whyNone(text: string, { broken }: PayloadSearch): LatchkeyError {
  return otherMessenger(text) ?? brokenLink(text, broken) ?? changedCase(text) ?? newerVersion(text) ?? noInvite(text);
}

function otherMessenger(text: string): LatchkeyError | undefined {
  const [, name] = OTHER_MESSENGERS.find(([pattern]) => pattern.test(text)) ?? [];
  if (name === undefined) return undefined;
  return malformedInvite("OtherMessenger", `this is a link of ${name}, not a Latchkey invite; open it with ${name}`);
}

/** Whether a link leads up to this place: what begins there is meant to be a payload. */
function isAnchored(text: string, from: number): boolean {
  return /(?:#|%23|latchkey:(?:\/\/)?|^)\s*$/i.test(text.slice(Math.max(0, from - 16), from));
}

function brokenLink(text: string, all: readonly BrokenPayload[]): LatchkeyError | undefined {
  const broken = all.find(({ from }) => isAnchored(text, from)) ?? all.find(({ sound }) => sound);
  if (broken === undefined) return undefined;
  const { to, missing, sound } = broken;
  const characters = `${missing} ${missing === 1 ? "character" : "characters"}`;
  const verb = missing === 1 ? "is" : "are";
  if (missing === 0 && !sound) {
    return malformedInvite(
      "Changed",
      "some characters of the link were changed; scan the code, or ask for the link again",
    );
  }
  if (/^(?:\u2026|\.{2,})/.test(text.slice(to))) {
    return malformedInvite(
      "Shortened",
      `the link was shortened for display: ${characters} ${verb} missing at its end; copy the link itself`,
    );
  }
  if (missing === 0) {
    return malformedInvite("Cut", "the link breaks off, and other words follow; copy the whole link, or scan the code");
  }
  if (!sound) {
    return malformedInvite(
      "CharactersLost",
      `${characters} of the link ${verb} missing inside, as in chats that swallow underscores; send the link as code, or scan the code`,
    );
  }
  return malformedInvite(
    "Cut",
    `the link was cut: ${characters} ${verb} missing at its end; copy the whole link, or scan the code`,
  );
}

function changedCase(text: string): LatchkeyError | undefined {
  const payloads = text.matchAll(/(?:#|latchkey:(?:\/\/)?)([\w-]{40,})/gi);
  for (const [, payload = ""] of payloads) {
    const oneCase = payload === payload.toLowerCase() || payload === payload.toUpperCase();
    if (oneCase && payload.length >= MIN_CASED && /^c[0-9a-z]/i.test(payload) && /[a-z]/i.test(payload)) {
      return malformedInvite(
        "ChangedCase",
        "the letters of the link were all made small or large, which destroys it; ask for the link again, or scan the code",
      );
    }
  }
  return undefined;
}

function newerVersion(text: string): LatchkeyError | undefined {
  const [, payload = ""] = /latchkey:(?:\/\/)?#?([E-Z][\w-]{20,})/i.exec(text) ?? [];
  const bytes = fromBase64Url(payload);
  const [tag = 0, length = 0] = bytes;
  // A field behind the first, with a length that fits.
  if (tag % 8 !== 2 || tag < 16 || length !== bytes.length - 2) return undefined;
  return malformedInvite("UnsupportedVersion", "the invite is of a version that this program does not know; update it");
}

/** Bytes of a text in base64url; none where it is not one. */
function fromBase64Url(text: string): Uint8Array {
  if (text.length % 4 === 1) return new Uint8Array(0);
  return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (char) => char.charCodeAt(0));
}

function noInvite(text: string): LatchkeyError {
  const decoded = allDecoded(text.slice(0, 4_096));
  if (/^\s*file:/i.test(decoded)) {
    return malformedInvite("ForeignScheme", "the link names a file of a machine; give the file itself");
  }
  if (/\b(?:data|javascript|file|blob):/i.test(decoded) && !/https?:\/\//i.test(decoded)) {
    return malformedInvite("ForeignScheme", "a link of this kind is not an invite; give the link itself, or the file");
  }
  if (/\b(?:https?:\/\/[^\s#]*|latchkey:[/]*)#?(?=$|[\s<>"')\]])/i.test(decoded)) {
    return malformedInvite(
      "MissingFragment",
      "the link has nothing behind #, where an invite stands; copy the whole link, or scan the code",
    );
  }
  if (/\b(?:https?:\/\/|latchkey:)/i.test(decoded)) {
    return malformedInvite("NoInvite", "the link is not a Latchkey invite; ask for the link again, or scan the code");
  }
  return malformedInvite("NoLink", "there is no invite in the text; give the link, which has a long part behind #");
}
