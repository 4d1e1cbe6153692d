/** What may be written as it is everywhere in an address (RFC 3986 §2.3). */
const UNRESERVED = /[\w.~-]/;

/** A path that has one spelling already: what nearly every request has. */
const PLAIN = /^\/(?:[\w~.-]+\/)*[\w~.-]*$/;
const ODD = /\/\.{1,2}(?:\/|$)|.\/$/;

const ESCAPED = /%([\dA-Fa-f]{2})/g;

/** Where a request goes. */
export interface RequestTarget {
  /** In its one spelling, beginning with a slash; the root alone ends with one. */
  readonly path: string;
  /** What follows the question mark. */
  readonly query: string;
}

/**
 * Reads the target of a request (RFC 9112 §3.2), in the form of a path or of a whole address. All spellings of a path
 * become one (RFC 3986 §6.2.2): needless escapes, hex digits in lower case, dots, doubled slashes, a slash at the end.
 * Undefined for what is no path, such as `*`.
 */
export function readTarget(target: string): RequestTarget | undefined {
  const relative = target.replace(/^https?:\/\/[^/?#]*/i, "");
  const [beforeHash = ""] = relative.split("#", 1);
  const mark = beforeHash.indexOf("?");
  const path = mark < 0 ? beforeHash : beforeHash.slice(0, mark);
  const query = mark < 0 ? "" : beforeHash.slice(mark + 1);
  if (path === "" && relative !== target) return { path: "/", query };
  if (!path.startsWith("/")) return undefined;
  return { path: PLAIN.test(path) && !ODD.test(path) ? path : normalised(path), query };
}

function normalised(path: string): string {
  const unescaped = path.replaceAll(ESCAPED, (whole, digits: string) => {
    const character = String.fromCharCode(Number.parseInt(digits, 16));
    return UNRESERVED.test(character) ? character : whole.toUpperCase();
  });
  const parts: string[] = [];
  for (const part of unescaped.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return `/${parts.join("/")}`;
}
