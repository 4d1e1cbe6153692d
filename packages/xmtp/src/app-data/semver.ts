import { DecodeError } from "@latchkey/mls";

const SEMVER = /^(\d{1,9})\.(\d{1,9})\.(\d{1,9})(?:-([0-9A-Za-z.-]{1,64}))?(?:\+[0-9A-Za-z.-]{1,64})?$/;

interface Version {
  readonly numbers: readonly number[];
  readonly preRelease: readonly string[];
}

function parse(text: string): Version {
  const match = SEMVER.exec(text);
  if (match === null) throw new DecodeError("a protocol version is not of the form 1.2.3 or 1.2.3-pre");
  const [, major, minor, patch, preRelease] = match;
  return { numbers: [major, minor, patch].map(Number), preRelease: preRelease?.split(".") ?? [] };
}

function compareIdentifiers(a: string | undefined, b: string | undefined): number {
  if (a === undefined || b === undefined) return a === b ? 0 : a === undefined ? -1 : 1;
  const [numericA, numericB] = [/^\d+$/.test(a), /^\d+$/.test(b)];
  if (numericA && numericB) return Number(a) - Number(b);
  if (numericA !== numericB) return numericA ? -1 : 1;
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Order of two semantic versions, pre-releases before their release; throws DecodeError for other texts. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [parse(a), parse(b)];
  for (const index of [0, 1, 2]) {
    const difference = (left.numbers[index] ?? 0) - (right.numbers[index] ?? 0);
    if (difference !== 0) return difference;
  }
  if (left.preRelease.length === 0 || right.preRelease.length === 0) {
    return right.preRelease.length - left.preRelease.length;
  }
  const length = Math.max(left.preRelease.length, right.preRelease.length);
  for (let index = 0; index < length; index++) {
    const difference = compareIdentifiers(left.preRelease[index], right.preRelease[index]);
    if (difference !== 0) return difference;
  }
  return 0;
}
