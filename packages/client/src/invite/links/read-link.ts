import { CLIENT_LIMITS } from "../../limits.ts";
import { cleanText, foldWidth, hasBrokenWords, hasDashes, type HyphenReading } from "./clean-text.ts";
import { refuseDeviceCode } from "./device-code.ts";
import { undoEncodings } from "./encodings.ts";
import { findPayloads, type PayloadInText, type PayloadSearch } from "./find-payload.ts";
import { malformedInvite } from "./malformed.ts";
import { oneInvite, type FoundInvite } from "./one-invite.ts";
import {
  checksumState,
  isExposed,
  isForeignScheme,
  linkBefore,
  percentDecoded,
  withOriginPointer,
} from "./surroundings.ts";
import { whyNone } from "./why-none.ts";

/** Layers of percent-encoding that are undone: each program that passes a link on may add one. */
const MAX_LAYERS = 3;

/** How dashes are read, most likely first: typographers make one of two or three hyphens, or of one. */
const DASHES: readonly HyphenReading[] = [
  { en: 2, em: 3, breaks: false },
  { en: 1, em: 2, breaks: false },
  { en: 1, em: 1, breaks: false },
];

/**
 * Finds the one invite of a text, however it was passed on. Throws INVITE_MALFORMED, whose `rule` names the cause, and
 * INVITE_WRONG_KIND where the code of a device stands in it: what a stranger sends must not link a device.
 */
export function readLink(given: string): FoundInvite {
  if (given.length > CLIENT_LIMITS.maxInviteTextCharacters) {
    throw malformedInvite(
      "TooLong",
      `a text of more than ${CLIENT_LIMITS.maxInviteTextCharacters} characters is not searched; give the link alone`,
    );
  }
  let text = foldWidth(given);
  refuseDeviceCode(percentDecoded(text));
  for (let layer = 0; ; layer++) {
    const invite = inviteIn(text, layer > 0);
    if (invite !== undefined) return invite;
    const next = foldWidth(percentDecoded(text));
    if (layer === MAX_LAYERS || next === text) break;
    text = next;
  }
  for (const undone of undoEncodings(text)) {
    const invite = inviteIn(undone.text, undone.exposes);
    if (invite !== undefined) return invite;
  }
  throw whyNone(text, searchText(text));
}

/** The one invite of a text as it stands, if there is any. */
function inviteIn(text: string, wrapped: boolean): FoundInvite | undefined {
  const [first, ...others] = invitesIn(text, searchText(text).found, wrapped);
  if (first === undefined) return undefined;
  return oneInvite([first, ...others], isShownLink(text) ? "shown" : "text");
}

/** All payloads of a text, with its dashes and broken words read so that they end where they have to. */
export function searchText(text: string): PayloadSearch {
  const all: PayloadSearch = { found: [], broken: [], steps: 0 };
  const isSure = !hasDashes(text);
  let anywhere: PayloadInText[] = [];
  for (const reading of readingsOf(text)) {
    const search = findPayloads(cleanText(text, reading));
    all.steps += search.steps + text.length;
    all.broken.push(...search.broken);
    const fitting = search.found.filter(({ endsThere }) => endsThere);
    if (fitting.length > 0 && (!isSure || fitting.length === search.found.length)) return { ...all, found: fitting };
    if (anywhere.length === 0 && isSure) anywhere = search.found;
  }
  return { ...all, found: anywhere };
}

/** The ways to read the hyphens of a text. */
function readingsOf(text: string): HyphenReading[] {
  const readings = hasDashes(text) ? [...DASHES] : DASHES.slice(0, 1);
  return hasBrokenWords(text) ? [...readings, ...readings.map((reading) => ({ ...reading, breaks: true }))] : readings;
}

function invitesIn(text: string, payloads: readonly PayloadInText[], wrapped: boolean): FoundInvite[] {
  const invites: FoundInvite[] = [];
  for (const each of payloads) {
    const before = linkBefore(text, each.from);
    if (isForeignScheme(before)) continue;
    const payload = withOriginPointer(each, before);
    invites.push({ payload, exposed: isExposed(before, wrapped), checksum: checksumState(text, each) });
  }
  return invites;
}

/** Whether a text shows one link and leads to another: HTML and Markdown. */
function isShownLink(text: string): boolean {
  return /href\s*=|\]\(/i.test(text);
}
