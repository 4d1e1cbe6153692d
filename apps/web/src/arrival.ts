/*
 * The first module of the page: it takes an invite out of the address bar before anything else runs, so that it stands
 * neither in the history, nor in a title, nor in what a screen shows of the address.
 */

const KEPT = "latchkey-invite";

/** Whether an address carries an invite: behind `#`, or moved into the path by a program on the way. */
function hasSecret({ pathname, hash }: Location): boolean {
  return /^\/i(\/|%23|$)/i.test(pathname) && (hash.length > 1 || /^\/i(?:\/|%23)./i.test(pathname));
}

if (hasSecret(location)) {
  // A reload must not lose it; it goes when the invite is joined or dismissed.
  sessionStorage.setItem(KEPT, location.href);
  history.replaceState(null, "", "/i");
}

/** The invite that this tab was opened with, or that was scanned in it. */
export function keptInvite(): string | undefined {
  return sessionStorage.getItem(KEPT) ?? undefined;
}

/** Keeps an invite for the screen that opens it. */
export function keepInvite(invite: string): void {
  sessionStorage.setItem(KEPT, invite);
}

/** Forgets the invite: it was joined or dismissed. */
export function dropInvite(): void {
  sessionStorage.removeItem(KEPT);
}
