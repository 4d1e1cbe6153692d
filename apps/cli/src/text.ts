/** Digits of an id shown to people: enough to tell a handful of groups or people apart. */
const SHORT_ID_DIGITS = 8;

/** The first digits of an id. */
export function shortId(id: string): string {
  return id.slice(0, SHORT_ID_DIGITS);
}

const SECRET_FRAGMENT = /#[\w-]{8,}/g;
const LONG_TOKEN = /[\w-]{40,}/g;

/**
 * Takes everything out of a diagnostic that could be a key: the fragment of a link, and each unbroken run of 40 or more
 * letters, digits, `_` and `-`. No word is that long; keys, links and full ids are.
 */
export function redact(text: string): string {
  return text.replace(SECRET_FRAGMENT, "#…").replace(LONG_TOKEN, "…");
}

/** A user's argument inside of a diagnostic: one line, quoted, at most 60 characters, without secrets. */
export function quoted(argument: string): string {
  const text = redact(printable(argument)).replaceAll("\n", " ");
  return `"${text.length > 60 ? `${text.slice(0, 59)}…` : text}"`;
}

// Control characters drive the terminal; the bidirectional ones reorder what stands around them.
const UNPRINTABLE = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** Text of somebody else as a terminal can show it: line breaks stay, anything that moves the cursor goes. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, "\ufffd");
}

/** As `printable`, on one line. */
export function printableLine(text: string): string {
  return printable(text).replaceAll("\n", " ");
}

const UNITS = [
  { suffix: "w", seconds: 604_800n },
  { suffix: "d", seconds: 86_400n },
  { suffix: "h", seconds: 3_600n },
  { suffix: "m", seconds: 60n },
  { suffix: "s", seconds: 1n },
] as const;

const NS_PER_SECOND = 1_000_000_000n;

/** Nanoseconds of a duration such as `7d`, `12h`, `30m`, `45s` or `2w`; undefined when it is none or zero. */
export function parseDurationNs(text: string): bigint | undefined {
  const match = /^(\d{1,6})([wdhms])$/.exec(text);
  const unit = UNITS.find(({ suffix }) => suffix === match?.[2]);
  if (match?.[1] === undefined || unit === undefined) return undefined;
  const ns = BigInt(match[1]) * unit.seconds * NS_PER_SECOND;
  return ns === 0n ? undefined : ns;
}

/** A time as people of any zone read it, to the second, in UTC. */
export function formatTime(timeNs: bigint): string {
  return `${new Date(Number(timeNs / 1_000_000n)).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}
