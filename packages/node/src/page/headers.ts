/** What a file of the page is to a browser; each kind has a policy of its own. */
export type PageFileRole = "document" | "worker" | "asset";

/** Origins that the page may speak to beside its own: node, slots and uploads. */
export interface PageOrigins {
  readonly connect: readonly string[];
}

/** Permissions that the page has: the camera for codes, the clipboard for links, passkeys. All others are off. */
const PERMISSIONS = [
  "camera=(self)",
  "clipboard-write=(self)",
  "publickey-credentials-create=(self)",
  "publickey-credentials-get=(self)",
  ...["accelerometer", "display-capture", "geolocation", "gyroscope", "hid", "microphone", "midi", "payment"].map(
    (name) => `${name}=()`,
  ),
  ...["serial", "usb", "xr-spatial-tracking", "browsing-topics"].map((name) => `${name}=()`),
].join(", ");

function policyOf(role: PageFileRole, { connect }: PageOrigins): string {
  const connectTo = ["connect-src 'self'", ...connect].join(" ");
  // A worker obeys the policy of its own answer and not the page's.
  if (role === "worker") {
    return [
      "default-src 'none'",
      "script-src 'self' 'wasm-unsafe-eval'",
      connectTo,
      "require-trusted-types-for 'script'",
      "trusted-types 'none'",
    ].join("; ");
  }
  return [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' blob:",
    "font-src 'self'",
    "media-src blob:",
    "manifest-src 'self'",
    "worker-src 'self'",
    connectTo,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types latchkey",
  ].join("; ");
}

/**
 * The headers of every answer of the page: nothing of another origin runs, is shown or is spoken to; scripts come from
 * files alone; no address leaves as a referrer.
 */
export function pageHeaders(role: PageFileRole, origins: PageOrigins): Readonly<Record<string, string>> {
  return {
    "content-security-policy": policyOf(role, origins),
    "x-content-type-options": "nosniff",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "permissions-policy": PERMISSIONS,
  };
}
