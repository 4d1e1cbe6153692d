import { clientError } from "../../errors.ts";

/**
 * What the code begins with by which a device is linked; see `link/code.ts`. No program registers the scheme: a link that
 * somebody sends must not begin to link a device.
 */
export const DEVICE_CODE_SCHEME = "LATCHKEY-LINK:";

/** The text of a device's code within a text, in upper case; undefined where there is none. */
export function findDeviceCode(text: string): string | undefined {
  const [, body] = /latchkey-link:([a-z2-7]+)/i.exec(text) ?? [];
  return body?.toUpperCase();
}

/** Throws INVITE_WRONG_KIND for a text with the code of a device in it. */
export function refuseDeviceCode(text: string): void {
  if (!/latchkey-link(?::|%3a)/i.test(text)) return;
  throw clientError(
    "INVITE_WRONG_KIND",
    "this code links a device and is not an invite to a group; use it in the devices list of a device of your own",
  );
}
