import { qrBitmap, qrSvg, qrTerminal, type QrFormat } from "../invite/qr.ts";
import { imageKind } from "../invite/image.ts";
import { findDeviceCode } from "../invite/links/device-code.ts";
import { untilAborted } from "../callbacks.ts";
import { clientError } from "../errors.ts";
import { readLinkCode, type LinkCode } from "./code.ts";
import { linkSuite, type LinkContext } from "./link-context.ts";
import type { DeviceCode } from "./options.ts";

/** A code as applications show it. */
export function deviceCode({ encodePng }: Pick<LinkContext, "encodePng">, text: string): DeviceCode {
  function toQR(format: "png"): Uint8Array;
  function toQR(format: "svg" | "terminal"): string;
  function toQR(format: QrFormat): Uint8Array | string;
  function toQR(format: QrFormat): Uint8Array | string {
    const bitmap = qrBitmap(text);
    if (format === "png") return encodePng(bitmap);
    return format === "svg" ? qrSvg(bitmap, "QR code of a device") : qrTerminal(bitmap);
  }
  return { text, toQR };
}

/** The code in a text or picture. Throws LINK_MALFORMED, INVITE_NO_QR, and the signal's reason. */
export async function readDeviceCode(
  context: LinkContext,
  given: string | Uint8Array,
  signal: AbortSignal,
): Promise<LinkCode> {
  const suite = linkSuite(context);
  if (typeof given === "string") return readLinkCode(suite, given);
  const { readQr } = context;
  if (readQr === undefined || imageKind(given) === undefined) {
    throw clientError("LINK_MALFORMED", "the bytes are not a picture of a device's code; give its text, or a picture");
  }
  const texts = await untilAborted(() => readQr(given, signal), signal);
  return readLinkCode(suite, texts.find((text) => findDeviceCode(text) !== undefined) ?? texts[0] ?? "");
}
