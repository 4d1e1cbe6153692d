import { CLIENT_LIMITS } from "../../limits.ts";
import { cleanText, foldWidth, hasDashes, type DashLengths } from "./clean-text.ts";
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
const DASHES: readonly DashLengths[] = [
  { en: 2, em: 3 },
  { en: 1, em: 2 },
  { en: 1, em: 1 },
];

/** Finds the one invite of a text, however it was passed on. Throws INVITE_MALFORMED, whose `rule` names the cause. */
export function readLink(given: string): FoundInvite {
  if (given.length > CLIENT_LIMITS.maxInviteTextCharacters) {
    throw malformedInvite(
      "TooLong",
      `a text of more than ${CLIENT_LIMITS.maxInviteTextCharacters} characters is not searched; give the link alone`,
    );
  }
  let text = foldWidth(given);
  for (let layer = 0; ; layer++) {
    const [first, ...others] = invitesIn(text, searchText(text).found, layer > 0);
    if (first !== undefined) return oneInvite([first, ...others], isShownLink(text) ? "shown" : "text");
    const next = foldWidth(percentDecoded(text));
    if (layer === MAX_LAYERS || next === text) break;
    text = next;
  }
  throw whyNone(text, searchText(text));
}

/** All payloads of a text, with its dashes read so that they end where they have to. */
export function searchText(text: string): PayloadSearch {
  const all: PayloadSearch = { found: [], broken: [], steps: 0 };
  for (const dashes of hasDashes(text) ? DASHES : DASHES.slice(0, 1)) {
    const search = findPayloads(cleanText(text, dashes));
    all.steps += search.steps + text.length;
    all.broken.push(...search.broken);
    const fitting = search.found.filter(({ endsThere }) => endsThere || !hasDashes(text));
    if (fitting.length > 0) return { ...all, found: fitting };
  }
  return all;
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
