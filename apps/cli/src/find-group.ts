import { cliError } from "./errors.ts";
import { printableLine, quoted, shortId } from "./text.ts";

/** Properties by which a group is found. */
export interface Findable {
  readonly id: string;
  readonly name: string | undefined;
}

/** Groups named in a message about an ambiguous name. */
const MAX_LISTED = 5;

/**
 * The one group that a user means: by its whole id, else by its name, else by the beginning of its id.
 * Throws GROUP_UNKNOWN when there is none and GROUP_AMBIGUOUS when there are several.
 */
export function findGroup<T extends Findable>(groups: readonly T[], wanted: string): T {
  const lower = wanted.toLowerCase();
  const ways = [
    (group: T) => group.id === lower,
    (group: T) => group.name === wanted,
    (group: T) => lower !== "" && group.id.startsWith(lower),
  ];
  for (const matches of ways) {
    const found = groups.filter(matches);
    if (found.length > 1) throw ambiguous(found, wanted);
    if (found[0] !== undefined) return found[0];
  }
  throw cliError(
    "GROUP_UNKNOWN",
    `no group here is called ${quoted(wanted)} or has an id that begins so; see "latchkey group list"`,
  );
}

function ambiguous(groups: readonly Findable[], wanted: string): Error {
  const listed = groups
    .slice(0, MAX_LISTED)
    .map(({ id, name }) => `${shortId(id)} (${printableLine(name ?? "unnamed")})`);
  const more = groups.length > MAX_LISTED ? ", …" : "";
  return cliError("GROUP_AMBIGUOUS", `${quoted(wanted)} could be ${listed.join(", ")}${more}; give more of the id`);
}
